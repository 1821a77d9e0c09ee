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
