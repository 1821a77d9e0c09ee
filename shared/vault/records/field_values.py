"""Field values on their way in: one function a field, from what a caller sent to what the column stores."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.errors import ApiError
from shared.vault.files.attachment_model import Handle, Unkept
from shared.vault.model.component_model import Field, FieldType, Picklist

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry

Coercion = Callable[[object], object]

BIGINT = 2**63
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
MAX_NUMBER_TEXT = 100  # characters
EXACT = Context(prec=100)  # digits; more than a number of this size and scale can have
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)


class InvalidValue(Exception):
    """A value that its field cannot hold; the text names the field, never the value."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.error = ApiError(ErrorType.INVALID_DATA, message)


def coercion(field: Field, registry: Registry) -> Coercion:
    """The function that turns a caller's value for ``field`` into its column's; raises InvalidValue.

    JSON types and their text forms (CSV, form) are both accepted; ``None`` and ``""`` are null.
    """
    if field.type is FieldType.PICKLIST:
        return _picklist(field, registry.picklists[field.picklist or ""])
    convert = _CONVERSIONS[field.type](field)

    def coerce(value: object) -> object:
        return None if value is None or value == "" else convert(value)

    return coerce


def _text(field: Field) -> Coercion:
    limit = field.max_length

    def convert(value: object) -> str:
        if isinstance(value, bool | list | dict):
            raise InvalidValue(f"Field [{field.name}] takes text")
        text = value if isinstance(value, str) else str(value)
        if limit is not None and len(text) > limit:
            raise InvalidValue(
                f"Field [{field.name}] holds at most {limit} characters; {len(text)} were given"
            )
        if "\x00" in text:
            raise InvalidValue(f"Field [{field.name}] cannot hold the NUL character")
        return text

    return convert


def _number(field: Field) -> Coercion:
    low, high, scale = field.min_value, field.max_value, field.scale or 0

    def convert(value: object) -> int | Decimal:
        text = str(value).strip()
        if (
            isinstance(value, bool)
            or len(text) > MAX_NUMBER_TEXT
            or not NUMBER.fullmatch(text)
        ):
            raise InvalidValue(f"Field [{field.name}] takes a number")
        number = Decimal(text)
        if abs(number) >= BIGINT:
            raise InvalidValue(
                f"Field [{field.name}] takes a number of less than {BIGINT} either way"
            )
        if number != (rounded := _rounded(number, scale)):
            raise InvalidValue(f"Field [{field.name}] takes at most {scale} decimals")
        if (low is not None and number < Decimal(str(low))) or (
            high is not None and number > Decimal(str(high))
        ):
            raise InvalidValue(
                f"Field [{field.name}] is outside its range of {low} to {high}"
            )
        return rounded if scale else int(rounded)

    return convert


def _rounded(number: Decimal, scale: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-scale), context=EXACT)


def _boolean(field: Field) -> Coercion:
    known: Mapping[object, bool] = {
        True: True,
        False: False,
        "true": True,
        "false": False,
    }

    def convert(value: object) -> bool:
        key = value.lower() if isinstance(value, str) else value
        if not isinstance(key, str | bool) or key not in known:
            raise InvalidValue(f"Field [{field.name}] takes true or false")
        return known[key]

    return convert


def _date(field: Field) -> Coercion:
    def convert(value: object) -> date:
        try:
            if isinstance(value, str) and DATE.fullmatch(value):
                return date.fromisoformat(value)
        except ValueError:
            pass  # answered below, with the form that is wanted
        raise InvalidValue(f"Field [{field.name}] takes a date as YYYY-MM-DD")

    return convert


def _date_time(field: Field) -> Coercion:
    def convert(value: object) -> datetime:
        try:
            if isinstance(value, str) and DATE_TIME.fullmatch(value):
                return in_milliseconds(datetime.fromisoformat(value))
        except (ValueError, OverflowError):
            pass  # answered below, with the form that is wanted
        raise InvalidValue(
            f"Field [{field.name}] takes a date and time as YYYY-MM-DDTHH:MM:SS.sssZ"
        )

    return convert


def in_milliseconds(moment: datetime) -> datetime:
    """The moment in UTC, cut to milliseconds as the API shows them: read back, it compares equal to the one stored."""
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _picklist(field: Field, picklist: Picklist) -> Coercion:
    names = {name for name, entry in picklist.entries.items() if entry.active}

    def coerce(value: object) -> object:
        if value is None or value in ("", []):
            return None
        given = (
            _names(value)
            if field.multi_value
            else value
            if isinstance(value, list)
            else [value]
        )
        chosen = [name for name in given if isinstance(name, str) and name in names]
        if len(chosen) != len(given):
            raise InvalidValue(
                f"Field [{field.name}] takes values of picklist [{picklist.name}]"
            )
        if field.multi_value:
            return ",".join(dict.fromkeys(chosen))
        if len(chosen) != 1:
            raise InvalidValue(f"Field [{field.name}] takes one value")
        return chosen[0]

    return coerce


def _names(value: object) -> list[object]:
    return (
        value
        if isinstance(value, list)
        else [name.strip() for name in str(value).split(",")]
    )


def _file(field: Field) -> Coercion:
    def convert(value: object) -> str:
        if isinstance(value, Unkept):
            raise InvalidValue(f"Field [{field.name}]: {value.reason}")
        if not isinstance(value, Handle):
            raise InvalidValue(
                f"Field [{field.name}] holds a file, which this call cannot take"
            )
        return str(value)

    return convert


_CONVERSIONS: Mapping[FieldType, Callable[[Field], Coercion]] = {
    FieldType.ID: _text,
    FieldType.STRING: _text,
    FieldType.LONG_TEXT: _text,
    FieldType.RICH_TEXT: _text,
    FieldType.NUMBER: _number,
    FieldType.BOOLEAN: _boolean,
    FieldType.DATE: _date,
    FieldType.DATE_TIME: _date_time,
    FieldType.OBJECT: _text,
    FieldType.ATTACHMENT: _file,
}


def column_type(field: Field) -> str:
    """The PostgreSQL type that carries a batch of this field's values (multi-value picklists travel as text)."""
    if field.type is FieldType.NUMBER:
        return "numeric" if field.scale else "bigint"
    return _COLUMN_TYPES.get(field.type, "text")


_COLUMN_TYPES: Mapping[FieldType, str] = {
    FieldType.BOOLEAN: "boolean",
    FieldType.DATE: "date",
    FieldType.DATE_TIME: "timestamptz",
}
