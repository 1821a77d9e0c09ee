"""Writes the VQL that reads rows, reads values out of rows of a source Vault, and makes rows of a target object."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import repeat
from operator import methodcaller
from typing import assert_never

from services.connector.rules.object_metadata import DOCUMENTS

MAX_STATEMENT = 50_000
"""Characters of a query that a Vault accepts."""
MAX_KEYS = 500
"""Keys in one CONTAINS: one a record of a full work unit."""


Values = dict[str, object]
_ABSENT = object()
"""Stands in a column of target values where a row has no such field."""

_SYNTAX = 32
"""Characters of `` WHERE … CONTAINS (…)``, with some to spare."""
MODIFIED = "modified_date__v"


def literal(value: str) -> str:
    """Return a string as a VQL literal."""
    if "\\" not in value and "'" not in value:
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def contains(
    field: str,
    values: Iterable[str],
) -> str:
    """Return the VQL condition that the value of ``field`` is one of ``values``."""
    return _contains(field, map(literal, values))


def _contains(
    field: str,
    literals: Iterable[str],
) -> str:
    return f"{field} CONTAINS ({','.join(literals)})"


def statements(
    head: str,
    field: str,
    values: Iterable[str],
    *,
    conditions: str | None = None,
    keys: int = MAX_KEYS,
) -> Iterator[str]:
    """Yield ``{head} WHERE {field} CONTAINS (…) [AND {conditions}]``, split by the limits on keys and text length."""
    tail = f" AND {conditions}" if conditions else ""
    room = MAX_STATEMENT - len(head) - len(tail) - len(field) - _SYNTAX
    literals = list(map(literal, values))
    chunk: list[str] = []
    used = 0
    # Most lists fit one statement: then no literal has to be measured alone.
    if 0 < len(literals) <= keys and sum(map(len, literals)) + len(literals) <= room:
        chunk, literals = literals, []
    for each in literals:
        size = len(each) + 1  # and a comma
        if chunk and (used + size > room or len(chunk) == keys):
            yield f"{head} WHERE {_contains(field, chunk)}{tail}"
            chunk = []
            used = 0
        chunk.append(each)
        used += size
    if chunk:
        yield f"{head} WHERE {_contains(field, chunk)}{tail}"


def by_any_key(
    head: str,
    keys: Mapping[str, Collection[str]],
) -> list[str]:
    """Return VQL that finds records by any of several fields: one statement if it fits, else some for each field."""
    present = {field: values for field, values in keys.items() if values}
    conditions = [contains(field, values) for field, values in present.items()]
    together = f"{head} WHERE {' OR '.join(conditions)}"
    most = max(map(len, present.values()), default=0)
    if conditions and most <= MAX_KEYS and len(together) <= MAX_STATEMENT:
        return [together]
    return [
        text
        for field, values in present.items()
        for text in statements(head, field, values)
    ]


def modified_field(object_name: str) -> str:
    """Return the field with the last modified date of a source record."""
    # Each version of a document has a modified date of its own.
    return "version_modified_date__v" if object_name == DOCUMENTS else MODIFIED


def select(
    items: str,
    object_name: str,
) -> str:
    """Return ``SELECT {items} FROM {object}``, to which conditions may be added."""
    if object_name == DOCUMENTS:
        # A document has one id in all its versions. LATESTVERSION reads the newest of those that fulfil the
        # conditions, so that a new draft does not hide what was approved before it.
        return f"SELECT LATESTVERSION {items} FROM ALLVERSIONS {object_name}"  # noqa: S608  VQL of names
    return f"SELECT {items} FROM {object_name}"  # noqa: S608  VQL of names


Row = Mapping[str, object]
Read = Callable[[Row], object]
Describe = Mapping[str, object]
"""The ``queryDescribe`` block of a query's answer."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The place of a queried value in a row: ``row[key]``, or ``key`` in the first row of the list ``row[child]``."""

    key: str
    child: str | None = None


def reader(selection: Selection) -> Read:
    """Return the function that reads a value from a row; the function returns None for a row without the value."""
    child = selection.child
    key = selection.key
    if child is None:
        return methodcaller("get", key)

    # A record without related records has no value, as in an outer join.
    return lambda row: _first(row.get(child)).get(key)


class SourceColumns:
    """Reads source rows column by column; values are those that ``reader`` reads row by row."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._firsts: dict[str, list[Row]] = {}

    def values(self, selection: Selection | None) -> list[object]:
        """Return the value of each row; None for a row without the value, and without a selection."""
        if selection is None:
            return [None] * len(self._rows)
        child = selection.child
        # A query usually selects several fields of a related record: each related record is looked up once.
        if child is not None and child not in self._firsts:
            self._firsts[child] = [_first(row.get(child)) for row in self._rows]
        rows = self._rows if child is None else self._firsts[child]
        return list(map(methodcaller("get", selection.key), rows))


def _first(answer: object) -> Row:
    """Return the first related record in the answer to a sub-query; an empty row for a record without any."""
    # As JSON is read: of dicts and lists, which are told apart faster than any mapping.
    rows = answer.get("data") if isinstance(answer, dict) else answer
    first = rows[0] if isinstance(rows, list) and rows else None
    return first if isinstance(first, dict) else {}


def nothing(_row: Row) -> object:
    """Return None: the value of a field rule without a query field."""
    return None


class QueryKind(StrEnum):
    """The kinds of values that query field types declare, independent of the object that has the field."""

    BOOLEAN = "boolean"
    COMPONENT = "component"
    CURRENCY = "currency"
    DATE = "date"
    DATE_TIME = "datetime"
    DOCUMENT_REFERENCE = "document_reference"
    FORMULA = "formula"
    ID = "id"
    LONG_TEXT = "longtext"
    LOOKUP = "lookup"
    NUMBER = "number"
    OBJECT_REFERENCE = "object_reference"
    PARENT_OBJECT_REFERENCE = "parent_object_reference"
    PICKLIST = "picklist"
    RICH_TEXT = "richtext"
    TEXT = "text"
    URL = "url"


_OF_OBJECTS = frozenset(QueryKind) - {QueryKind.URL}
_OF_DOCUMENTS = frozenset(QueryKind) - {
    QueryKind.CURRENCY,
    QueryKind.DOCUMENT_REFERENCE,
    QueryKind.ID,
    QueryKind.LONG_TEXT,
    QueryKind.PARENT_OBJECT_REFERENCE,
    QueryKind.RICH_TEXT,
}
_QUERY_FIELD_TYPES: Mapping[str, QueryKind] = {
    f"{record}_{kind}__sys": kind
    for record, kinds in (("vobject", _OF_OBJECTS), ("document", _OF_DOCUMENTS))
    for kind in kinds
}
QUERY_FIELD_TYPES = frozenset(_QUERY_FIELD_TYPES)
"""All query field types, of object fields (``vobject_…``) and of document fields (``document_…``)."""

_REFERENCE = frozenset({"object", "objectreference", "parentobject"})


def query_kind(declared: str) -> QueryKind:
    """Return the kind of values that a query field type declares.

    :raises KeyError: ``declared`` is not one of QUERY_FIELD_TYPES.
    """
    return _QUERY_FIELD_TYPES[declared]


def described_types(describe: Describe | None) -> dict[Selection, str]:
    """Return the type of every selected column, by its place in the rows, as the source Vault describes it."""
    if describe is None:
        return {}
    types = {Selection(name): kind for name, kind in _columns(describe)}
    blocks = describe.get("subqueries")
    # Columns of related records are described by relationship, apart from those of the record itself.
    for block in blocks if isinstance(blocks, list) else ():
        if not isinstance(block, Mapping):
            continue
        child = str(block.get("relationship"))
        for name, kind in _columns(block):
            types[Selection(name, child)] = kind
    return types


def mismatch(
    declared: str,
    described: str,
) -> str | None:
    """Return the reason why a column of the type ``described`` is not of the declared type; None when it is."""
    accepted = _accepted(query_kind(declared))
    # Descriptions spell most types as metadata does ("String"), and some in lower case ("id").
    if accepted is None or described.lower() in accepted:
        return None
    return (
        f"query_field_type is {declared} and the source Vault describes the field as {described}; correct the "
        "query_field_type"
    )


def _accepted(kind: QueryKind) -> frozenset[str] | None:
    """Return the described types, in lower case, that fit a declared type; None when all types do."""
    match kind:
        case QueryKind.FORMULA | QueryKind.LOOKUP:
            # Both are of the type of what they come to, which only the source Vault knows.
            return None
        case QueryKind.COMPONENT:
            accepted = _REFERENCE | {"component", "picklist", "string"}
        case QueryKind.CURRENCY:
            accepted = frozenset({"currency", "number"})
        case QueryKind.DOCUMENT_REFERENCE:
            accepted = _REFERENCE | {"documentreference"}
        case QueryKind.ID:
            accepted = frozenset({"id", "string"})
        case QueryKind.OBJECT_REFERENCE | QueryKind.PARENT_OBJECT_REFERENCE:
            accepted = _REFERENCE
        case QueryKind.TEXT:
            accepted = frozenset({"string", "exactmatch"})
        case QueryKind.URL:
            accepted = frozenset({"url", "link", "string"})
        case (
            QueryKind.BOOLEAN
            | QueryKind.DATE
            | QueryKind.DATE_TIME
            | QueryKind.LONG_TEXT
            | QueryKind.NUMBER
            | QueryKind.PICKLIST
            | QueryKind.RICH_TEXT
        ):
            accepted = frozenset({str(kind)})
        case _:
            assert_never(kind)
    return accepted


def _columns(block: Mapping[str, object]) -> list[tuple[str, str]]:
    fields = block.get("fields")
    entries = fields if isinstance(fields, list) else ()
    return [
        (str(entry["name"]), str(entry["type"]))
        for entry in entries
        if isinstance(entry, Mapping) and "name" in entry and "type" in entry
    ]


class Table:
    """The fields of one target object for some source rows, set column by column."""

    def __init__(self, count: int) -> None:
        """Take the number of source rows."""
        self._count = count
        self._columns: dict[str, Sequence[object]] = {}
        self._is_full = True

    def set(
        self,
        name: str,
        values: list[object],
        failed: Collection[int],
        *,
        clears: bool,
    ) -> None:
        """Set a field by a column of values; None empties the field of a row if ``clears``, else leaves it as it is.

        ``failed`` are the places of rows whose field stays as it is.
        """
        if not clears and None in values:
            if values.count(None) == self._count:
                return
            values = [_ABSENT if value is None else value for value in values]
            self._is_full = False
        for place in failed:
            values[place] = _ABSENT
            self._is_full = False
        known = self._columns.get(name)
        # Another field rule may have filled the field: of several, one with a value decides.
        if known is not None:
            values = list(map(_later, known, values))
        self._columns[name] = values

    def rows(self) -> list[Values]:
        """Return the fields of each source row."""
        if not self._columns:
            return [{} for _ in range(self._count)]
        names = tuple(self._columns)
        rows = zip(*self._columns.values(), strict=True)
        # Mostly no row lacks a field: then no value has to be looked at again.
        if self._is_full:
            return list(map(dict, map(zip, repeat(names), rows)))
        return [
            {
                name: value
                for name, value in zip(names, row, strict=True)
                if value is not _ABSENT
            }
            for row in rows
        ]


def _later(known: object, value: object) -> object:
    """Return the value of a field that two field rules fill."""
    if value is _ABSENT or (value is None and known is not _ABSENT):
        return known
    return value
