"""Reads object metadata: fields with their limits, and relationships by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Json = Mapping[str, object]

DOCUMENTS = "documents"
"""What documents are called where an object could stand."""

_DOCUMENT_REFERENCE = "ObjectReference"
"""The type of a reference to an object in the metadata of documents; objects call the same ``Object``."""


class FieldType(StrEnum):
    """Field types that the connector knows, spelled as the metadata endpoint returns them."""

    ID = "ID"
    STRING = "String"
    LONG_TEXT = "LongText"
    RICH_TEXT = "RichText"
    NUMBER = "Number"
    BOOLEAN = "Boolean"
    DATE = "Date"
    DATE_TIME = "DateTime"
    PICKLIST = "Picklist"
    OBJECT = "Object"
    ATTACHMENT = "Attachment"
    OTHER = "other"
    """Any type besides: a Vault may have types that this connector does not know."""


@dataclass(frozen=True, slots=True)
class FieldMetadata:
    """One field of an object; ``max_length`` counts characters.

    ``object`` and ``picklist`` are the names of the object or picklist that a value is of.
    """

    name: str
    type: FieldType
    unique: bool = False
    editable: bool = True
    required: bool = False
    multi_value: bool = False
    max_length: int | None = None
    scale: int | None = None
    min_value: float | None = None
    max_value: float | None = None
    object: str | None = None
    relationship_type: str | None = None
    outbound: str | None = None
    picklist: str | None = None


@dataclass(frozen=True, slots=True)
class ChildRelationship:
    """A to-many relationship: records of ``object`` that refer to a record of this object."""

    name: str
    object: str


@dataclass(frozen=True, slots=True)
class ObjectMetadata:
    """One object: its fields by name, its to-many relationships, and whether its Vault stores lineage.

    ``types`` says of each object type, by name, whether it is active. ``prefix`` begins the id of every record.
    """

    name: str
    fields: Mapping[str, FieldMetadata]
    children: tuple[ChildRelationship, ...] = ()
    stores_lineage: bool = False
    types: Mapping[str, bool] = field(default_factory=dict)
    prefix: str | None = None

    @classmethod
    def from_json(cls, answer: Json) -> ObjectMetadata:
        """Read the ``object`` member of ``GET /metadata/vobjects/{object}``, or the whole answer.

        For documents, read the answer of ``GET /metadata/objects/documents/properties``.

        :raises ValueError: the answer has another shape.
        """
        properties = answer.get("properties")
        if isinstance(properties, list):
            of_documents = {field.name: field for field in map(_property, properties)}
            return cls(DOCUMENTS, of_documents)
        body = answer.get("object", answer)
        if not isinstance(body, Mapping) or not isinstance(body.get("fields"), list):
            raise ValueError("object metadata without a list of fields")  # noqa: TRY004  a bad answer, not a bad call
        fields = {field.name: field for field in map(_field, body["fields"])}
        # Metadata lists relationships in both directions; the to-one ones are those of the reference fields.
        outbound = {field.outbound for field in fields.values() if field.outbound}
        children = tuple(
            _child(entry)
            for entry in body.get("relationships") or ()
            if isinstance(entry, Mapping)
            and entry.get("relationship_name") not in outbound
        )
        urls = body.get("urls")
        # A Vault that keeps lineage says so by the address at which it is read.
        stores_lineage = isinstance(urls, Mapping) and "lineage" in urls
        name = _text(body, "name") or ""
        prefix = _text(body, "prefix")
        return cls(name, fields, children, stores_lineage, _types(body), prefix)


def _types(body: Json) -> dict[str, bool]:
    listed = body.get("object_types")
    return {
        _text(entry, "name") or "": entry.get("status") != ["inactive__v"]
        for entry in (listed if isinstance(listed, list) else ())
        if isinstance(entry, Mapping)
    }


def _child(entry: Json) -> ChildRelationship:
    name = _text(entry, "relationship_name")
    child = _name(entry.get("object"))
    return ChildRelationship(name or "", child or "")


def _property(entry: object) -> FieldMetadata:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise ValueError("document metadata with a field that has no name")  # noqa: TRY004
    return FieldMetadata(
        name=entry["name"],
        type=_type(entry),
        # Documents say what may be edited, objects what may not.
        editable=entry.get("editable") is True,
        required=entry.get("required") is True,
        multi_value=entry.get("repeating") is True,
        max_length=_integer(entry, "maxLength"),
        scale=_integer(entry, "scale"),
        min_value=_number(entry, "minValue"),
        max_value=_number(entry, "maxValue"),
        object=_name(entry.get("objectType")),
        outbound=_text(entry, "relationshipName"),
        picklist=_text(entry, "picklist"),
    )


def _field(entry: object) -> FieldMetadata:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise ValueError("object metadata with a field that has no name")  # noqa: TRY004
    return FieldMetadata(
        name=entry["name"],
        type=_type(entry),
        unique=entry.get("unique") is True,
        editable=entry.get("editable") is not False,
        required=entry.get("required") is True,
        multi_value=entry.get("multi_value") is True,
        max_length=_integer(entry, "max_length"),
        scale=_integer(entry, "scale"),
        min_value=_number(entry, "min_value"),
        max_value=_number(entry, "max_value"),
        object=_name(entry.get("object")),
        relationship_type=_text(entry, "relationship_type"),
        outbound=_text(entry, "relationship_outbound_name"),
        picklist=_text(entry, "picklist"),
    )


def _type(entry: Json) -> FieldType:
    name = _text(entry, "type")
    if name is None:
        return FieldType.STRING
    if name == _DOCUMENT_REFERENCE:
        return FieldType.OBJECT
    try:
        return FieldType(name)
    except ValueError:
        return FieldType.OTHER


def _text(
    entry: Json,
    name: str,
) -> str | None:
    value = entry.get(name)
    return value if isinstance(value, str) and value else None


def _name(value: object) -> str | None:
    if isinstance(value, Mapping):
        # Objects name a referenced object as a mapping, documents as a component name.
        value = value.get("name")
    if not isinstance(value, str) or not value:
        return None
    return value.removeprefix("Object.")


def _number(
    entry: Json,
    name: str,
) -> float | None:
    value = entry.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def _integer(
    entry: Json,
    name: str,
) -> int | None:
    value = _number(entry, name)
    return None if value is None else int(value)
