"""Makes the rows of a target object from columns: one for each field, with a value for each source row."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import repeat

Values = dict[str, object]
_ABSENT = object()
"""Stands in a column where a row has no such field."""


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
