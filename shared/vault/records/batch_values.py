"""Makes the values of a batch the parameters of one statement, and compares them with the values that are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from itertools import repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from shared.vault.components.platform import AUDIT
from shared.vault.model.component_model import Field
from shared.vault.model.field_types import array_text
from shared.vault.records.field_values import column_type
from shared.vault.records.rows import NOTHING, Change, check_guarded, named_fields

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.records.rows import ResolvedRow
    from shared.vault.records.type_fields import TypeFields

# Fields that mostly have one value in all rows of a call: it is sent once then.
COMMON = frozenset(
    {"status__v", "lifecycle__v", "state__v", "object_type__v"}
    | {field.name for field in AUDIT}
)
TEXT = "text"
FEW = 5  # up to this many text fields, an array for each of them is faster
SIZES = (8, 16, 24, 32)
"""The numbers of text columns for which there is a type, such as ``platform.texts_8``."""

_WRITERS: Mapping[str, Callable[[Any], str]] = {
    "bigint": str,
    "numeric": str,
    "boolean": str,
    "date": date.isoformat,
    "timestamptz": datetime.isoformat,
}
"""The functions that write values of PostgreSQL's types as PostgreSQL reads them."""

Part = tuple[Field, ...]
"""The fields of one parameter: a field alone, or several text fields."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The values of a batch by field, as parameters: an array for each part, or the one value of a ``shared`` field.

    An array of one field is a text, as of ``array_of``.
    """

    fields: Sequence[Field]
    values: Sequence[object]
    shared: frozenset[str]

    @classmethod
    def of(
        cls, fields: Sequence[Field], rows: Sequence[Mapping[str, object]]
    ) -> Columns:
        """Return the values of rows by field, None for a value that a row lacks."""
        names = [field.name for field in fields]
        columns = dict(zip(names, _by_field(names, rows), strict=True))
        shared = {
            name
            for name in COMMON.intersection(columns)
            if columns[name].count(columns[name][0]) == len(rows)
        }
        values: list[object] = []
        for part in parts(fields, shared):
            if len(part) > 1:
                values.append(_together([columns[field.name] for field in part]))
                continue
            (name,) = (field.name for field in part)
            column = columns[name]
            value = column[0] if name in shared else array_of(part[0], column)
            values.append(value)
        return cls(fields, values, frozenset(shared))


def _by_field(
    names: Sequence[str], rows: Sequence[Mapping[str, object]]
) -> Iterable[Sequence[object]]:
    """Return the values of rows for each field, None for a value that a row lacks."""
    with suppress(KeyError):
        # Mostly the rows have the same fields, and more than one: then all values of a row are read at once.
        if len(names) > 1:
            return zip(*map(itemgetter(*names), rows), strict=True)
    return ([row.get(name) for row in rows] for name in names)


def array_of(field: Field, values: Iterable[Any]) -> str:
    """Return values of a field as one parameter, which a statement reads by ``array_sql``."""
    write = _WRITERS.get(column_type(field))
    if write is None:
        return array_text(values)
    return array_text([None if value is None else write(value) for value in values])


def array_sql(field: Field, number: int) -> str:
    """Return the SQL that reads a parameter of ``array_of``."""
    return f"${number}::text::{column_type(field)}[]"


def _together(columns: Sequence[Sequence[object]]) -> list[tuple[object, ...]]:
    """Return the values of text columns row by row, each row padded with None to the size of its type."""
    padding = [repeat(None)] * (_size(len(columns)) - len(columns))
    return list(zip(*columns, *padding, strict=False))


def parts(fields: Sequence[Field], shared: frozenset[str] | set[str]) -> list[Part]:
    """Return the fields of each parameter of a batch, in the order of the parameters.

    Text fields go together, as an array of rows: the driver looks at each element of an array, which takes longer than
    encoding it.
    """
    texts = [
        field
        for field in fields
        if field.name not in shared and column_type(field) == TEXT
    ]
    if len(texts) <= FEW:
        return [(field,) for field in fields]
    names = {field.name for field in texts}
    alone: list[Part] = [(field,) for field in fields if field.name not in names]
    most = SIZES[-1]
    starts = range(0, len(texts), most)
    return [*alone, *(tuple(texts[start : start + most]) for start in starts)]


def _size(count: int) -> int:
    return next(size for size in SIZES if size >= count)


class Parameters:
    """The SQL of a batch's parameters, numbered from ``first`` on.

    ``arrays`` are to be unnested as a table ``u`` with the columns ``aliases``; ``values`` are those of the fields.
    """

    def __init__(
        self, fields: Sequence[Field], first: int, shared: frozenset[str]
    ) -> None:
        self.arrays: list[str] = []
        self.aliases: list[str] = []
        self.last = first - 1
        sql: dict[str, str] = {}
        for number, part in enumerate(parts(fields, shared), first):
            self.last = number
            if part[0].name in shared:
                sql[part[0].name] = f"${number}::{column_type(part[0])}"
                continue
            aliases = self._add(number, part)
            for field, alias in zip(part, aliases, strict=False):
                sql[field.name] = stored_value_sql(field, f"u.{alias}")
        self.values = [sql[field.name] for field in fields]

    def _add(self, number: int, part: Part) -> list[str]:
        """Add the array of a part, and return the aliases of its columns."""
        if len(part) == 1:
            array, aliases = array_sql(part[0], number), [f"c{number}"]
        else:
            size = _size(len(part))
            array = f"${number}::platform.texts_{size}[]"
            aliases = [f"c{number}_{place}" for place in range(1, size + 1)]
        self.arrays.append(array)
        self.aliases += aliases
        return aliases


def stored_value_sql(field: Field, alias: str) -> str:
    """Return the SQL of a value to store; multi-value picklists are passed as comma-separated names."""
    if field.multi_value:
        return f"string_to_array({alias}, ',')"
    return alias


class Comparison:
    """Compares rows of one call with their records, which all have the same columns.

    With ``types``, rows fail that change a field which the type of their record does not have.

    With ``again``, values that are stored already are written again.
    """

    def __init__(self, *, again: bool, types: TypeFields | None = None) -> None:
        self._again = again
        self._types = types
        self._fields = _Fields((), ())

    def change(self, row: ResolvedRow, record: Record) -> Change:
        """Return the changes that a row makes to its record; fail the row when it would change a guarded field."""
        check_guarded(row, record)
        # Nearly all rows of a call have the same fields.
        names = tuple(row.values)
        if names != self._fields.names:
            self._fields = _Fields(names, list(record.keys()))
        fields = self._fields
        sent, before = fields.sent(row.values), fields.stored(record)
        if sent == before and not self._again:
            return Change(row, record, {}, NOTHING)
        pairs = zip(fields.compared, sent, before, strict=True)
        changed = [name for name, new, old in pairs if new != old]
        if self._types is not None:
            self._types.refuse(row, changed, record)
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
