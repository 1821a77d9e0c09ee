"""Defines properties of fields: traits by type, SQL names, references, search words; writes arrays as text.

Mypy fails until a new field type has its traits here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, assert_never

from shared.vault.model.component_model import Field, FieldType, VaultObject

_NULL = "NULL"
"""Stands for a text that is missing in the text of an array."""


class ValueClass(StrEnum):
    """The classes of values, which decide their notation in calls and their comparison."""

    TEXT = "text"  # also names of picklist values, ids and handles of files
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATE_TIME = "date_time"


@dataclass(frozen=True, slots=True)
class FieldTraits:
    """The operations of VQL on fields of one type.

    ``plain_text``: LIKE and CASEINSENSITIVE accept the field. ``long``: its value is shortened unless a function asks
    for all of it. ``compared``: ``<`` and BETWEEN accept the field. ``sorted``: ORDER BY accepts it. ``scoped``: SCOPE
    of FIND may name it. ``searched``: FIND searches it without a SCOPE. ``faceted``: facets count its values.
    """

    plain_text: bool = False
    long: bool = False
    compared: bool = True
    sorted: bool = True
    scoped: bool = False
    searched: bool = False
    faceted: bool = False


_ID = FieldTraits(plain_text=True)
_STRING = FieldTraits(plain_text=True, scoped=True, searched=True)
_LONG_TEXT = FieldTraits(
    plain_text=True,
    long=True,
    sorted=False,
    scoped=True,
    searched=True,
)
_QUANTITY = FieldTraits()
_BOOLEAN = FieldTraits(compared=False, faceted=True)
_PICKLIST = FieldTraits(compared=False, searched=True, faceted=True)
_REFERENCE = FieldTraits(faceted=True)
# A handle says nothing to people: files are neither compared nor sorted by it.
_FILE = FieldTraits(compared=False, sorted=False)


def value_class(kind: FieldType) -> ValueClass:
    """Return the class of the values that fields of a type have."""
    match kind:
        case (
            FieldType.ID
            | FieldType.STRING
            | FieldType.LONG_TEXT
            | FieldType.RICH_TEXT
            | FieldType.PICKLIST
            | FieldType.OBJECT
            | FieldType.ATTACHMENT
        ):
            return ValueClass.TEXT
        case FieldType.NUMBER:
            return ValueClass.NUMBER
        case FieldType.BOOLEAN:
            return ValueClass.BOOLEAN
        case FieldType.DATE:
            return ValueClass.DATE
        case FieldType.DATE_TIME:
            return ValueClass.DATE_TIME
        case _:
            assert_never(kind)


def is_text(kind: FieldType) -> bool:
    """Return whether fields of a type contain text that people write."""
    match kind:
        case FieldType.STRING | FieldType.LONG_TEXT | FieldType.RICH_TEXT:
            return True
        case (
            FieldType.ID
            | FieldType.NUMBER
            | FieldType.BOOLEAN
            | FieldType.DATE
            | FieldType.DATE_TIME
            | FieldType.PICKLIST
            | FieldType.OBJECT
            | FieldType.ATTACHMENT
        ):
            return False
        case _:
            assert_never(kind)


def traits(kind: FieldType) -> FieldTraits:
    """Return the operations of VQL on fields of a type."""
    match kind:
        case FieldType.ID:
            found = _ID
        case FieldType.STRING:
            found = _STRING
        case FieldType.LONG_TEXT | FieldType.RICH_TEXT:
            found = _LONG_TEXT
        case FieldType.NUMBER | FieldType.DATE | FieldType.DATE_TIME:
            found = _QUANTITY
        case FieldType.BOOLEAN:
            found = _BOOLEAN
        case FieldType.PICKLIST:
            found = _PICKLIST
        case FieldType.OBJECT:
            found = _REFERENCE
        case FieldType.ATTACHMENT:
            found = _FILE
        case _:
            assert_never(kind)
    return found


def scalar_type(field: Field) -> str:
    """Return the PostgreSQL type of one value of a field.

    Each value of a multi-value picklist is text; ``column_type`` is the type of all of them together.
    """
    values = value_class(field.type)
    match values:
        case ValueClass.TEXT:
            return "text"
        case ValueClass.NUMBER:
            return "bigint" if is_integer(field) else "numeric"
        case ValueClass.BOOLEAN:
            return "boolean"
        case ValueClass.DATE:
            return "date"
        case ValueClass.DATE_TIME:
            return "timestamptz"
        case _:
            assert_never(values)


def column_type(field: Field) -> str:
    """Return the PostgreSQL type of a field's column."""
    scalar = scalar_type(field)
    return f"{scalar}[]" if field.multi_value else scalar


def is_integer(field: Field) -> bool:
    """Return whether a Number field is stored as a whole number: it has no decimal places."""
    return not field.scale


def query_type(field: Field) -> str:
    """Return the name of a field's type as SHOW FIELDS and the metadata of documents spell it."""
    if field.shown_type is not None:
        return field.shown_type
    # The metadata of objects says Object instead, and so does queryDescribe.
    is_reference = field.type is FieldType.OBJECT
    return "ObjectReference" if is_reference else field.type.value


OBJECT_TYPE = "object_type__v"
NEVER_EMPTY = frozenset(
    {
        "id",
        "global_id__sys",
        "created_by__v",
        "created_date__v",
        "modified_by__v",
        "modified_date__v",
    }
)
"""Fields that every record has a value for; their columns are NOT NULL."""


GLOBAL_ID = "global_id__sys"
LINK = "link__sys"


def follows_from_id(field: Field) -> bool:
    """Return whether a field is the Global ID of an object's records: the Vault's id, ``_``, and the record's id."""
    # Versions of a document share that of the document.
    return field.name == GLOBAL_ID and field.unique


def ids_of_global_ids(bound: str, *, several: bool = False) -> str:
    """Return the SQL after ``id =``: the record id in a bound Global ID, or any of those in an array of them."""
    if several:
        ids = ids_of_global_ids("known.global_id")
        return f"ANY(ARRAY(SELECT {ids} FROM unnest({bound}) known(global_id)))"
    return f"substr({bound}, strpos({bound}, '_') + 1)"


USER_OBJECT = "user__sys"
DOCUMENTS = "documents"
"""The query target that stands for documents, which are no object."""


class Reference(NamedTuple):
    """A to-one relationship: its field, the referenced object, and the cast of the field to the type of its ids."""

    field: str
    target: str
    cast: str = ""


# Platform fields that are no references and have relationships nevertheless. Users are numbers in them, text as ids.
_PLATFORM_RELATIONSHIPS = {
    "object_type__vr": Reference("object_type__v", OBJECT_TYPE),
    "created_by__vr": Reference("created_by__v", USER_OBJECT, "::text"),
    "modified_by__vr": Reference("modified_by__v", USER_OBJECT, "::text"),
}


def quoted(name: str) -> str:
    """Return an identifier of the registry for SQL text."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def table(name: str) -> str:
    """Return the name of the table with an object's records, quoted for SQL."""
    return f"records.{quoted(name)}"


def outbound(owner: VaultObject, relationship: str) -> Reference | None:
    """Return the to-one relationship of an object with this name, or None."""
    field = owner.outbound.get(relationship) or _document_field(owner, relationship)
    if field is not None and field.object is not None:
        return Reference(field.name, field.object)
    platform = _PLATFORM_RELATIONSHIPS.get(relationship)
    if platform is None:
        return None
    # The platform's fields are not on every object, nor on targets.
    return platform if platform.field in owner.fields else None


def document_relationship(field: Field) -> str:
    """Return the name of the relationship between documents and the records in one of their fields.

    The relationship leads both ways, e.g. ``document_product__vr`` for ``product__v`` (Vault Query Language, Document
    Relationships).
    """
    return f"document_{field.name}r"


def _document_field(owner: VaultObject, relationship: str) -> Field | None:
    """Return the field of documents whose relationship has this name; None for another name or another object."""
    if owner.name != DOCUMENTS:
        return None
    named = (
        field
        for field in owner.outbound.values()
        if document_relationship(field) == relationship
    )
    return next(named, None)


def sequence_name(object_name: str) -> str:
    """Return the unqualified name of the sequence that counts an object's names."""
    return f"{object_name}_name_seq"


def name_sequence(object_name: str) -> str:
    """Return the sequence that counts an object's system-managed names, qualified and quoted."""
    name = sequence_name(object_name)
    return f"records.{quoted(name)}"


# What the search index of an object covers


def covers(field: Field) -> bool:
    """Return whether the search index of an object has the words of a field: texts that people write."""
    match field.type:
        case FieldType.STRING | FieldType.LONG_TEXT | FieldType.RICH_TEXT:
            # Those of the Vault itself are found by indexes of their own.
            return not field.system
        # Records are found by their ids with the primary key.
        case (
            FieldType.ID
            | FieldType.PICKLIST
            | FieldType.NUMBER
            | FieldType.BOOLEAN
            | FieldType.DATE
            | FieldType.DATE_TIME
            | FieldType.OBJECT
            | FieldType.ATTACHMENT
        ):
            return False
        case _:
            assert_never(field.type)


def is_key(field: Field) -> bool:
    """Return whether a unique index finds the records by the values of a field, which are not whole among the words."""
    return field.unique and (field.type is FieldType.ID or field.name == LINK)


def has_index(owner: VaultObject) -> bool:
    """Return whether the records of an object have a search index.

    Versions of documents have none, nor objects with ``search(false)``: without one, writes take half the time.
    Searches of such objects give the same results, but read every record.
    """
    # Much of what FIND looks through for documents lies in other tables. Records are told by the prefix of their ids.
    return owner.prefix != "" and owner.search


def words_sql(owner: VaultObject, alias: str = "") -> str:
    """Return the SQL of the words of an object's record, a ``tsvector``: the expression of its search index.

    Queries have to repeat the expression for PostgreSQL to use the index, with the ``alias`` of their table.
    """
    before = f"{alias}." if alias else ""
    # By name: an index outlasts changes of an object that only reorder its fields.
    fields = [owner.fields[name] for name in sorted(owner.fields)]
    texts = [_text(field, before) for field in fields if covers(field)]
    choices = _choices(fields, before)
    return f"platform.search_words(ARRAY[{', '.join(texts)}], {choices})"


def _text(field: Field, before: str) -> str:
    """Return the SQL of a field's text as it is cut into words."""
    column = f"{before}{quoted(field.name)}"
    if field.type is FieldType.RICH_TEXT:
        return plain_text_sql(column)
    # Without the characters that hardly two Links share: migration 0074.
    return f"platform.searched_link({column})" if is_key(field) else column


def plain_text_sql(column: str) -> str:
    """Return the SQL of a rich text as people read it, without its markup."""
    return f"platform.plain_text({column})"


def _choices(fields: list[Field], before: str) -> str:
    """Return the SQL of the names of a record's picklist values, as an array."""
    picklists = [
        field
        for field in fields
        if field.type is FieldType.PICKLIST and field.search and not field.system
    ]
    single = [field.name for field in picklists if not field.multi_value]
    multiple = [field.name for field in picklists if field.multi_value]
    names = ", ".join(f"{before}{quoted(name)}" for name in single)
    arrays = [f"ARRAY[{names}]::text[]"]
    arrays += [f"{before}{quoted(name)}" for name in multiple]
    return " || ".join(arrays)


def array_text(texts: Iterable[str | None]) -> str:
    """Return the texts as one parameter, which the statement reads as ``$1::text::text[]``.

    The driver looks at each element of an array, which takes three times as long as to write the array here.
    """
    elements = [_NULL if text is None else f'"{text}"' for text in texts]
    listed = ",".join(elements)
    quotes = 2 * (len(elements) - elements.count(_NULL))
    if "\\" in listed or listed.count('"') != quotes:
        listed = ",".join(map(_escaped_text, elements))
    return f"{{{listed}}}"


def _escaped_text(element: str) -> str:
    """Return a text between quotes with a backslash before each quote and backslash in it."""
    if element == _NULL:
        return element
    inner = element[1:-1].replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inner}"'
