"""Divides records of a call into rows of many records, which are found by the range of their ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

SEVERAL = 10  # records: fewer cost less in rows of their own
PER_ROW = 100
# A row has at least every fortieth id of its range: whoever looks for a record reads few rows without it.
SPREAD = 40
DIGITS = 36  # that ids are written with


def divided(ids: Sequence[str]) -> tuple[list[slice], list[slice]]:
    """Return the parts of a call's records that are rows of many, and those whose records have rows of their own."""
    together: list[slice] = []
    apart: list[slice] = []
    for part in _parts(len(ids)):
        own = ids[part]
        is_row = len(own) >= SEVERAL and _are_close(own)
        (together if is_row else apart).append(part)
    return together, apart


def _parts(count: int) -> Iterator[slice]:
    """Yield the parts that may be rows: as few as possible, of nearly equal size."""
    rows = -(-count // PER_ROW)
    for row in range(rows):
        yield slice(count * row // rows, count * (row + 1) // rows)


def _are_close(ids: Sequence[str]) -> bool:
    distance = int(max(ids), DIGITS) - int(min(ids), DIGITS)
    return distance < SPREAD * len(ids)
