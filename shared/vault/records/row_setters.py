"""Sets the values of rows: one setter for each key, which sets a value of one row, or a column of all rows at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from shared.protocol.error_types import ErrorType
from shared.vault.errors import ApiError
from shared.vault.records.field_values import Coercion, converted
from shared.vault.records.invalid_values import InvalidValue
from shared.vault.records.lineage_entries import FIELD as LINEAGE
from shared.vault.records.lineage_entries import RowLineage, read_row
from shared.vault.records.rows import Guard, ReadRow

Setter = Callable[[ReadRow, object], None]


@dataclass(frozen=True, slots=True)
class ColumnSetter:
    """Sets the value of a ``field``, an ``attribute`` of the row, or both.

    The value may be empty unless it is ``required``.
    """

    coerce: Coercion
    field: str | None = None
    attribute: str | None = None
    required: bool = False

    def __call__(self, row: ReadRow, value: object) -> None:
        """Set the value of one row.

        :raises InvalidValue: when it is not valid, or set already.
        """
        stored = self.coerce(value)
        if self.attribute is not None:
            setattr(row, self.attribute, stored)
        if self.field is None:
            return
        if stored is None and self.required:
            fail_missing(row, self.field)
        set_once(row, self.field, stored)

    def stored(self, column: Sequence[object]) -> Sequence[object]:
        """Return the values of all rows as they are stored.

        :raises InvalidValue: when a value is not valid, or missing.
        """
        stored = converted(self.coerce, column)
        if self.required and None in stored:
            raise InvalidValue(_missing(self.field or ""))
        return stored


def by_columns(
    sources: Sequence[Mapping[str, object]],
    first: int,
    names: Sequence[str],
    setters: Sequence[Setter | None],
) -> list[ReadRow] | None:
    """Return rows of the same keys, read key by key; None when a row has an error."""
    columns = zip(*(source.values() for source in sources), strict=True)
    changed: dict[str, Sequence[object]] = {}
    attributes: dict[str, Sequence[object]] = {}
    others: list[tuple[Setter, Sequence[object]]] = []
    omitted: set[str] = set()
    try:
        for name, setter, column in zip(names, setters, columns, strict=True):
            if setter is None:
                return None
            if not isinstance(setter, ColumnSetter):
                others.append((setter, column))
                omitted.add(name)
                continue
            stored = setter.stored(column)
            if setter.attribute is not None:
                attributes[setter.attribute] = stored
            if setter.field is None:
                omitted.add(name)
            elif stored is not column:
                changed[name] = stored
        rows = _copied(sources, first, omitted, changed)
        _set_attributes(rows, attributes)
        for other, sent in others:
            for row, value in zip(rows, sent, strict=True):
                other(row, value)
    except InvalidValue:
        return None
    return None if any(row.errors for row in rows) else rows


def _copied(
    sources: Sequence[Mapping[str, object]],
    first: int,
    omitted: Collection[str],
    changed: Mapping[str, Sequence[object]],
) -> list[ReadRow]:
    """Return rows with the values that were sent, without the ``omitted`` keys, and with ``changed`` columns.

    Most values are stored as they are sent, and a copy takes a fraction of what setting each value does.
    """
    rows: list[ReadRow] = []
    for index, source in enumerate(sources, first):
        values = dict(source)
        for name in omitted:
            del values[name]
        rows.append(ReadRow(index=index, values=values))
    if changed:
        for row, stored in zip(rows, zip(*changed.values(), strict=True), strict=True):
            row.values.update(zip(changed, stored, strict=True))
    return rows


def _set_attributes(
    rows: Sequence[ReadRow], attributes: Mapping[str, Sequence[object]]
) -> None:
    """Set attributes of rows, each of which has a value for each row."""
    for name, values in attributes.items():
        for row, value in zip(rows, values, strict=True):
            setattr(row, name, value)


def set_unless_null(name: str, coerce: Coercion) -> Setter:
    """Return the setter of a field that an empty value leaves as it is."""

    def set_value(row: ReadRow, value: object) -> None:
        stored = coerce(value)
        if stored is not None:
            set_once(row, name, stored)

    return set_value


def unchanged(name: str, coerce: Coercion) -> Setter:
    """Return the setter of a field that callers may name with the stored value only."""

    def guard(row: ReadRow, value: object) -> None:
        # Whether it is the stored value is known when the record is.
        row.guarded[name] = Guard(coerce(value), _set_by_vault(name))

    return guard


def refuse(name: str) -> Setter:
    """Return the setter of a field that callers may not set."""

    def fail(row: ReadRow, value: object) -> None:
        del value
        row.errors.append(_set_by_vault(name))

    return fail


def _set_by_vault(name: str) -> ApiError:
    return ApiError(ErrorType.INVALID_DATA, f"Field [{name}] is set by the Vault")


def lineage(value: object) -> RowLineage:
    """Return the lineage of a row.

    :raises InvalidValue: when it has another shape.
    """
    found = read_row(value)
    if found is None:
        raise InvalidValue(
            f"[{LINEAGE}] takes the number of an origin, a message id, and a source record's id or null"
        )
    return found


def set_once(
    row: ReadRow,
    name: str,
    value: object,
) -> None:
    """Set a field's value.

    :raises InvalidValue: when the field is set already: a row may name a reference or a type in one of two ways, not in
        both.
    """
    refuse_twice(row, name)
    row.values[name] = value


def refuse_twice(row: ReadRow, name: str) -> None:
    """Check that a field is not set yet.

    :raises InvalidValue: when it is.
    """
    if name in row.values or name in row.lookups:
        raise InvalidValue(f"Field [{name}] is set twice")


def fail_missing(row: ReadRow, name: str) -> None:
    """Add the error of a row without a required value."""
    row.fail(ErrorType.PARAMETER_REQUIRED, _missing(name))


def _missing(name: str) -> str:
    return f"Missing required parameter [{name}]"
