"""Rows of a source Vault's answer, and where in them a queried value stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Row = Mapping[str, object]
Read = Callable[[Row], object]


@dataclass(frozen=True, slots=True)
class Selection:
    """Where a queried value stands in an answer row: ``row[key]``, or ``key`` in the first row of ``child``."""

    key: str
    child: str | None = None


def reader(selection: Selection) -> Read:
    """The function that takes the value out of a row; None where the row, or its related record, has none."""
    child, key = selection.child, selection.key
    if child is None:
        return lambda row: row.get(key)

    def read(row: Row) -> object:
        answer = row.get(child)
        rows = answer.get("data") if isinstance(answer, Mapping) else answer
        # A record without related records gives no value, as an outer join would.
        first = rows[0] if isinstance(rows, list) and rows else None
        return first.get(key) if isinstance(first, Mapping) else None

    return read


Describe = Mapping[str, object]
"""The ``queryDescribe`` block of a query's answer."""


_REFERENCE = frozenset({"object", "objectreference", "parentobject"})


# What may stand behind each declared type, in lower case; None: whatever a formula or a lookup comes to.
_DESCRIBED: Mapping[str, frozenset[str] | None] = {
    "boolean": frozenset({"boolean"}),
    "component": frozenset({"component", "picklist", "string", *_REFERENCE}),
    "currency": frozenset({"currency", "number"}),
    "date": frozenset({"date"}),
    "datetime": frozenset({"datetime"}),
    "document_reference": frozenset({"documentreference", *_REFERENCE}),
    "formula": None,
    "id": frozenset({"id", "string"}),
    "longtext": frozenset({"longtext"}),
    "lookup": None,
    "number": frozenset({"number"}),
    "object_reference": _REFERENCE,
    "parent_object_reference": _REFERENCE,
    "picklist": frozenset({"picklist"}),
    "richtext": frozenset({"richtext"}),
    "text": frozenset({"string", "exactmatch"}),
    "url": frozenset({"url", "link", "string"}),
}


_KINDS = {
    "vobject": frozenset(_DESCRIBED) - {"url"},
    "document": frozenset(_DESCRIBED)
    - {
        "currency",
        "document_reference",
        "id",
        "longtext",
        "parent_object_reference",
        "richtext",
    },
}


QUERY_FIELD_TYPES = frozenset(
    f"{kind}_{name}__sys" for kind, names in _KINDS.items() for name in names
)
"""All query field types, of object fields (``vobject_…``) and of document fields (``document_…``)."""


def described_types(describe: Describe | None) -> dict[Selection, str]:
    """The type of every selected column, by its place in the rows, as the source Vault describes it."""
    if describe is None:
        return {}
    types = {Selection(name): kind for name, kind in _columns(describe)}
    blocks = describe.get("subqueries")
    for block in blocks if isinstance(blocks, list) else ():
        if isinstance(block, Mapping):
            child = str(block.get("relationship"))
            types.update(
                {Selection(name, child): kind for name, kind in _columns(block)}
            )
    return types


def mismatch(declared: str, described: str) -> str | None:
    """Why a column of the type ``described`` is not what a field rule declares; None when it is."""
    accepted = _DESCRIBED[declared.partition("_")[2].removesuffix("__sys")]
    if accepted is None or described.lower() in accepted:
        return None
    return (
        f"query_field_type is {declared} and the source Vault describes the field as {described}; correct the "
        "query_field_type"
    )


def _columns(block: Mapping[str, object]) -> list[tuple[str, str]]:
    fields = block.get("fields")
    return [
        (str(entry["name"]), str(entry["type"]))
        for entry in (fields if isinstance(fields, list) else ())
        if isinstance(entry, Mapping) and "name" in entry and "type" in entry
    ]
