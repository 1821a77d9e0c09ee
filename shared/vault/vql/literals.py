"""Turns the literals of a condition into parameters of the field's SQL type, or says what the field takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

from shared.vault.model.component_model import Field, FieldType
from shared.vault.vql.syntax_tree import Scalar

TEXT = frozenset(
    (
        FieldType.ID,
        FieldType.STRING,
        FieldType.LONG_TEXT,
        FieldType.RICH_TEXT,
        FieldType.PICKLIST,
        FieldType.OBJECT,
        FieldType.ATTACHMENT,
    )
)
"""Fields whose values are text, also where the text is a name or an id."""

_INT64 = 2**63
_DIGITS = re.compile(r"\d{1,18}", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?)?",
    re.ASCII,
)


class UnsuitableLiteral(Exception):
    """A literal that is no value of the field's type; the text says what would be."""


def parameters(field: Field, values: Sequence[Scalar]) -> tuple[str, list[object]]:
    """The SQL type and the values to bind; raises UnsuitableLiteral (null is never suitable here)."""
    if field.type in TEXT:
        return "text", _all_of(values, str, "text in single quotes")
    if field.type is FieldType.NUMBER:
        return _numbers(field, values)
    if field.type is FieldType.BOOLEAN:
        return "boolean", _all_of(values, bool, "true or false")
    if field.type is FieldType.DATE:
        return "date", _dates(values, _date, "a date, 'YYYY-MM-DD'")
    return "timestamptz", _dates(
        values, _date_time, "a date and time, 'YYYY-MM-DDTHH:MM:SS.mmmZ'"
    )


def is_integer(field: Field) -> bool:
    """Whether a Number field is stored as a whole number."""
    return not field.scale


def _all_of(values: Sequence[Scalar], kind: type, expected: str) -> list[object]:
    if set(map(type, values)) != {kind}:
        raise UnsuitableLiteral(expected)
    return list(values)


def _numbers(field: Field, values: Sequence[Scalar]) -> tuple[str, list[object]]:
    numbers: list[object] = []
    whole = is_integer(field)
    for given in values:
        value = given
        if (
            field.shown_type == "id"
            and isinstance(given, str)
            and _DIGITS.fullmatch(given)
        ):
            value = int(
                given
            )  # a document's id is a number; who knows ids as text writes it in quotes
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            message = "a number"
            raise UnsuitableLiteral(message)
        whole = whole and isinstance(value, int) and -_INT64 <= value < _INT64
        numbers.append(value)
    if whole:
        return "bigint", numbers
    # A fraction compared with a whole-number column: PostgreSQL compares both as numeric.
    return "numeric", [Decimal(str(number)) for number in numbers]


def _dates(
    values: Sequence[Scalar], read: Callable[[str], date], expected: str
) -> list[object]:
    try:
        return [
            read(value) if isinstance(value, str) else _refuse() for value in values
        ]
    except (ValueError, OverflowError):
        raise UnsuitableLiteral(expected) from None


def _refuse() -> date:
    raise ValueError


def _date(text: str) -> date:
    return date.fromisoformat(text) if _DATE.fullmatch(text) else _refuse()


def _date_time(text: str) -> date:
    if not _DATE_TIME.fullmatch(text):
        return _refuse()
    moment = datetime.fromisoformat(text)
    # Vault's date-times are UTC, also where the statement leaves the zone out.
    return (
        moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    )
