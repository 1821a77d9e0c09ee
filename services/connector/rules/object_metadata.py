"""Object metadata as the rules need it: fields with their limits, and relationships by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Json = Mapping[str, object]

DOCUMENTS = "documents"
"""What documents are called where an object could stand."""


@dataclass(frozen=True, slots=True)
class FieldMetadata:
    """One field of an object; ``max_length`` counts characters, ``object`` is the referenced object's name."""

    name: str
    type: str
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


@dataclass(frozen=True, slots=True)
class ChildRelationship:
    """A to-many relationship: records of ``object`` that refer to this one."""

    name: str
    object: str


@dataclass(frozen=True, slots=True)
class ObjectMetadata:
    """One object: its fields by name, the relationships that lead to it, whether its Vault keeps lineage."""

    name: str
    fields: Mapping[str, FieldMetadata]
    children: tuple[ChildRelationship, ...] = ()
    keeps_lineage: bool = False

    @classmethod
    def from_json(cls, answer: Json) -> ObjectMetadata:
        """Read the ``object`` member of ``GET /metadata/vobjects/{object}`` (or the whole answer).

        Of documents it is the answer of ``GET /metadata/objects/documents/properties``. Raises ValueError when the
        answer has no such shape.
        """
        properties = answer.get("properties")
        if isinstance(properties, list):
            return cls(
                DOCUMENTS, {field.name: field for field in map(_property, properties)}
            )
        body = answer.get("object", answer)
        if not isinstance(body, Mapping) or not isinstance(body.get("fields"), list):
            raise ValueError("object metadata without a list of fields")  # noqa: TRY004  what came is bad, not the call
        fields = {field.name: field for field in map(_field, body["fields"])}
        outbound = {field.outbound for field in fields.values() if field.outbound}
        children = tuple(
            ChildRelationship(
                _text(entry, "relationship_name") or "",
                _name(entry.get("object")) or "",
            )
            for entry in body.get("relationships") or ()
            if isinstance(entry, Mapping)
            and entry.get("relationship_name") not in outbound
        )
        urls = body.get("urls")
        keeps_lineage = isinstance(urls, Mapping) and "lineage" in urls
        return cls(_text(body, "name") or "", fields, children, keeps_lineage)


def _property(entry: object) -> FieldMetadata:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise ValueError("document metadata with a field that has no name")  # noqa: TRY004
    kind = _text(entry, "type") or "String"
    return FieldMetadata(
        name=entry["name"],
        type="Object" if kind == "ObjectReference" else kind,
        editable=entry.get("editable") is True,
        required=entry.get("required") is True,
        multi_value=entry.get("repeating") is True,
        max_length=_integer(entry, "maxLength"),
        scale=_integer(entry, "scale"),
        min_value=_number(entry, "minValue"),
        max_value=_number(entry, "maxValue"),
        object=_name(entry.get("objectType")),
        outbound=_text(entry, "relationshipName"),
    )


def _field(entry: object) -> FieldMetadata:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise ValueError("object metadata with a field that has no name")  # noqa: TRY004
    return FieldMetadata(
        name=entry["name"],
        type=_text(entry, "type") or "String",
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
    )


def _text(entry: Json, name: str) -> str | None:
    value = entry.get(name)
    return value if isinstance(value, str) and value else None


def _name(value: object) -> str | None:
    if isinstance(value, Mapping):
        value = value.get("name")
    return value.removeprefix("Object.") if isinstance(value, str) and value else None


def _number(entry: Json, name: str) -> float | None:
    value = entry.get(name)
    return (
        float(value)
        if isinstance(value, int | float) and not isinstance(value, bool)
        else None
    )


def _integer(entry: Json, name: str) -> int | None:
    value = _number(entry, name)
    return None if value is None else int(value)
