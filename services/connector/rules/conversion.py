"""Values made fit for a target field: converted to its type, checked against its limits."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from services.connector.rules.object_metadata import FieldMetadata
from services.connector.rules.rows import Read, Row

Convert = Callable[[object], object]

_DATE_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:?\d{2})"
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
_NUMBER_LENGTH = 100


class Unfit(Exception):
    """A value that its target field cannot take; the text names the limit and never the value."""


def converter(field: FieldMetadata, *, truncate: bool = False) -> Convert:
    """The function that makes a non-empty value fit for ``field``; it raises Unfit.

    With ``truncate`` a text longer than the field takes is cut to its length.
    """
    if field.type == "Number":
        return _number(field)
    if field.type == "Picklist":
        return _multi if field.multi_value else _single
    return (
        _BY_TYPE[field.type]
        if field.type in _BY_TYPE
        else _text(field.max_length, truncate)
    )


def is_empty(value: object) -> bool:
    """Whether a source value counts as no value."""
    return value is None or value in ("", [])


def _text(limit: int | None, truncate: bool) -> Convert:
    ceiling = limit if limit is not None else 1 << 30

    def convert(value: object) -> object:
        if type(value) is not str:
            value = _plain(value)
        if len(value) > ceiling:
            if truncate:
                return value[:ceiling]
            raise Unfit(
                f"the value has {len(value):,} characters and the field takes {ceiling:,}; "
                "shorten it in the source record or raise the field's maximum length"
            )
        return value

    return convert


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ",".join(_plain(element) for element in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise Unfit(
        "the source value is not of a kind that text can hold; map another source field"
    )


def _number(field: FieldMetadata) -> Convert:
    low, high, whole = field.min_value, field.max_value, not field.scale

    def convert(value: object) -> object:
        number = _parse_number(value)
        if whole and not isinstance(number, int):
            if number % 1:
                raise Unfit(
                    "the value is not a whole number, which the field takes only"
                )
            number = int(number)
        if (low is not None and number < low) or (high is not None and number > high):
            raise Unfit(f"the number is outside the field's limits ({low} to {high})")
        return f"{number:f}" if isinstance(number, Decimal) else number

    return convert


def _parse_number(value: object) -> int | float | Decimal:
    """The number; a Decimal for a text with a fraction, so that no digit is lost."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if (
        isinstance(value, str)
        and len(value) <= _NUMBER_LENGTH
        and _NUMBER.fullmatch(value)
    ):
        return int(value) if value.lstrip("+-").isdigit() else Decimal(value)
    raise Unfit("the value is not a number; map a source field that holds one")


def _boolean(value: object) -> object:
    if value is True or value is False:
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise Unfit(
        "the value is neither true nor false; map a source field that holds a yes or no"
    )


def _date(value: object) -> object:
    if isinstance(value, str):
        try:
            date.fromisoformat(value[:10])
        except ValueError:
            pass
        else:
            if len(value) == 10 or _DATE_TIME.fullmatch(value):
                return value[:10]
    raise Unfit(
        "the value is not a date (YYYY-MM-DD); map a source field that holds one"
    )


def _date_time(value: object) -> object:
    if isinstance(value, str):
        text = f"{value}T00:00:00.000Z" if len(value) == 10 else value
        try:
            datetime.fromisoformat(text)
        except ValueError:
            pass
        else:
            if _DATE_TIME.fullmatch(text):
                return text
    raise Unfit(
        "the value is not a date and time (UTC, YYYY-MM-DDTHH:MM:SS.mmmZ); map a source field that holds one"
    )


def _single(value: object) -> object:
    if type(value) is str:
        return value
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        return value[0]
    if isinstance(value, list):
        raise Unfit("the source holds several picklist values and the field takes one")
    return _plain(value)


def _multi(value: object) -> object:
    if isinstance(value, list):
        return [_plain(element) for element in value]
    return [part.strip() for part in _plain(value).split(",") if part.strip()]


_BY_TYPE: dict[str, Convert] = {
    "Boolean": _boolean,
    "Date": _date,
    "DateTime": _date_time,
}


class DefaultType(StrEnum):
    """How ``field_default`` is meant."""

    TEXT = "text"
    REFERENCE = "reference"
    CODE = "code"


def _vault_id(row: Row) -> object:
    prefix, separator, _ = str(row.get("global_id__sys") or "").partition("_")
    return prefix if separator else None


# Only what the record itself says: a value that changed from one evaluation to the next, such as the time of
# day, would make a message that comes twice write twice.
CODES: Mapping[str, Read] = {
    "source_id": lambda row: row.get("id"),
    "source_global_id": lambda row: row.get("global_id__sys"),
    "source_modified_date": lambda row: row.get("modified_date__v"),
    "source_vault_id": _vault_id,
}
"""The values that a default of type code may name."""


def constant(value: object) -> Read:
    """The same value for every row."""
    return lambda _row: value


def computed(code: str, fit: Convert) -> Read:
    """A named value of the row, made fit for the target field; raises KeyError for a name that is none of CODES."""
    take = CODES[code]

    def default(row: Row) -> object:
        value = take(row)
        return None if value is None else fit(value)

    return default
