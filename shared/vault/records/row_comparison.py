"""Compares the values of rows with those that their records store, all fields of a row at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from shared.protocol.error_types import ErrorType
from shared.vault.records.rows import Change, named_fields

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.records.rows import ResolvedRow


NOTHING: frozenset[str] = frozenset()


class Comparison:
    """Compares rows of one call with their records, which all have the same columns.

    With ``again``, values that are stored already are written again.
    """

    def __init__(self, *, again: bool) -> None:
        self._again = again
        self._fields = _Fields((), ())

    def change(self, row: ResolvedRow, record: Record) -> Change:
        """Return the changes that a row makes to its record; fail the row when it would change a guarded field."""
        for name, value in row.guarded.items():
            if name not in record or record[name] != value:
                row.fail(ErrorType.INVALID_DATA, f"Field [{name}] is set by the Vault")
        # Nearly all rows of a call have the same fields.
        names = tuple(row.values)
        if names != self._fields.names:
            self._fields = _Fields(names, list(record.keys()))
        fields = self._fields
        sent, stored = fields.sent(row.values), fields.stored(record)
        if sent == stored and not self._again:
            return Change(row, record, {}, NOTHING)
        pairs = zip(fields.compared, sent, stored, strict=True)
        changed = [name for name, new, old in pairs if new != old]
        written = fields.compared if self._again else changed
        values = {name: row.values[name] for name in written}
        return Change(row, record, values, named_fields(tuple(changed)))


class _Fields:
    """The fields of a row, and those of them that its record has as columns.

    The key by which records were found is no column under its own name, and is not compared.
    """

    def __init__(self, names: Sequence[str], columns: Sequence[str]) -> None:
        self.names = names
        # The driver finds a value by its place much faster than by its name.
        places = {column: place for place, column in enumerate(columns)}
        self.compared = [name for name in names if name in places]
        self.sent = _values_at(self.compared)
        self.stored = _values_at([places[name] for name in self.compared])


def _values_at(keys: Sequence[Any]) -> Callable[[Any], tuple[object, ...]]:
    """Return the function that reads the values at ``keys`` of a dictionary or record."""
    if len(keys) > 1:
        return itemgetter(*keys)
    return lambda values: tuple(values[key] for key in keys)
