"""Reads values out of a source Vault's rows, and compares the type a rule declares with the one the Vault describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

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
    """Return the function that takes a value out of a row; it returns None where the row has no such value."""
    child = selection.child
    key = selection.key
    if child is None:
        return lambda row: row.get(key)

    def read(row: Row) -> object:
        answer = row.get(child)
        rows = answer.get("data") if isinstance(answer, Mapping) else answer
        # A record without related records has no value, as in an outer join.
        first = rows[0] if isinstance(rows, list) and rows else None
        return first.get(key) if isinstance(first, Mapping) else None

    return read


def nothing(_row: Row) -> object:
    """Return None: a field rule without a query field has no value in any row."""
    return None


class QueryKind(StrEnum):
    """What a query field type says of a field, without the kind of record that has the field."""

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
    """Return what a query field type says of its field.

    :raises KeyError: ``declared`` is none of QUERY_FIELD_TYPES.
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
    """Return why a column of the type ``described`` is not of the declared type; None when it is."""
    accepted = _accepted(query_kind(declared))
    # Descriptions spell most types as metadata does ("String"), and some in lower case ("id").
    if accepted is None or described.lower() in accepted:
        return None
    return (
        f"query_field_type is {declared} and the source Vault describes the field as {described}; correct the "
        "query_field_type"
    )


def _accepted(kind: QueryKind) -> frozenset[str] | None:
    """Return the described types, in lower case, that fit a declared one; None when any does."""
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
