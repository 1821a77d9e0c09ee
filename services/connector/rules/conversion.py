"""Converts values to the type of a target field or to keys, checks the limits of the field, and provides defaults."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, assert_never, cast

from services.connector.rules.object_metadata import FieldMetadata, FieldType
from services.connector.rules.rows import Read, Row, Selection, nothing

Convert = Callable[[object], object]
Unchanged = Callable[[Sequence[object]], bool]

_DATE_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:?\d{2})"
)
_NUMBER = re.compile(r"[+-]?(?:\d++(?:\.\d*+)?+|\.\d++)(?:[eE][+-]?\d{1,2})?", re.ASCII)
_NUMBER_LENGTH = 100
"""Characters of a text that is read as a number."""
_JOINER = "\N{ZERO WIDTH JOINER}"
_EMOJI_MODIFIERS = "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
"""The colours of skin, each behind the emoji that it is of."""
_DATE_LENGTH = len("2026-01-31")


class Unfit(Exception):
    """Raised for a value that its target field cannot take; the text names the limit and never the value."""


class LengthCheck(StrEnum):
    """The treatments of a text that is longer than its target field allows."""

    ERROR = "error"
    TRUNCATE = "truncate"


class EmptySource(StrEnum):
    """The effect of an empty source field on its target field."""

    CLEAR = "clear"
    KEEP = "keep"


class DefaultType(StrEnum):
    """The kinds of ``field_default``: a value, the key of a record, or the name of a computed value."""

    TEXT = "text"
    REFERENCE = "reference"
    CODE = "code"


def converter(
    field: FieldMetadata,
    *,
    length: LengthCheck = LengthCheck.ERROR,
) -> Convert:
    """Return the function that converts a non-empty value for ``field``, or raises ``Unfit`` when it does not fit."""
    match field.type:
        case FieldType.NUMBER:
            return _number(field)
        case FieldType.PICKLIST:
            return _multi if field.multi_value else _single
        case FieldType.BOOLEAN:
            return _boolean
        case FieldType.DATE:
            return _date
        case FieldType.DATE_TIME:
            return _date_time
        case (
            FieldType.ID
            | FieldType.STRING
            | FieldType.LONG_TEXT
            | FieldType.RICH_TEXT
            | FieldType.OBJECT
            | FieldType.ATTACHMENT
            | FieldType.OTHER
        ):
            # A Vault may have types that this connector does not know; it sends their values as text and
            # lets the Vault judge them.
            return _text(field.max_length, length)
        case _:
            assert_never(field.type)


def unchanged(
    field: FieldMetadata,
    *,
    empty: bool,
) -> Unchanged:
    """Return whether ``field`` takes all values of a column as they are; with ``empty`` also None, as no value.

    The function may return False of values that the field would take.
    """
    match field.type:
        case (
            FieldType.ID
            | FieldType.STRING
            | FieldType.LONG_TEXT
            | FieldType.RICH_TEXT
            | FieldType.OBJECT
        ):
            kinds: frozenset[type] = frozenset({str, type(None)} if empty else {str})
            return _texts(kinds, field.max_length)
        case _:
            return never


def never(_values: Sequence[object]) -> bool:
    """Return False: values have to be converted one by one."""
    return False


def _texts(
    kinds: frozenset[type],
    limit: int | None,
) -> Unchanged:
    """Return whether all values are non-empty texts of at most ``limit`` characters, or of another of these kinds."""

    def fit(values: Sequence[object]) -> bool:
        # The types first: only texts can be measured. Each check is fast, as it takes the whole column at once.
        if not kinds.issuperset(map(type, values)) or "" in values:
            return False
        texts = cast("Iterable[str]", filter(None, values))
        return limit is None or max(map(len, texts), default=0) <= limit

    return fit


def is_empty(value: object) -> bool:
    """Return whether a source value counts as no value."""
    return value is None or value in ("", [])


def _text(
    limit: int | None,
    check: LengthCheck,
) -> Convert:
    def convert(value: object) -> object:
        text = value if type(value) is str else _plain(value)
        if limit is None or len(text) <= limit:
            return text
        match check:
            case LengthCheck.TRUNCATE:
                return _cut(text, limit)
            case LengthCheck.ERROR:
                raise Unfit(
                    f"the value has {len(text):,} characters and the field takes {limit:,}; "
                    "shorten it in the source record or raise the field's maximum length"
                )
            case _:
                assert_never(check)

    return convert


def _cut(text: str, limit: int) -> str:
    """Return the first ``limit`` characters of a text; fewer where the cut would divide one visible character."""
    end = limit
    while end > 0 and _is_joined(text[end - 1], text[end]):
        end -= 1
    return text[: end or limit]


def _is_joined(before: str, after: str) -> bool:
    """Return whether two code points form one visible character: a letter and its accent, or the parts of an emoji."""
    is_mark = unicodedata.category(after).startswith("M")
    return is_mark or after in _EMOJI_MODIFIERS or _JOINER in (before, after)


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
    low = field.min_value
    high = field.max_value
    # A scale of 0 or none is that of a whole number.
    whole = not field.scale

    def convert(value: object) -> object:
        number = _parse_number(value)
        if whole and not isinstance(number, int):
            if not _is_whole(number):
                raise Unfit(
                    "the value is not a whole number, and the field allows only whole numbers"
                )
            number = int(number)
        if (low is not None and number < low) or (high is not None and number > high):
            raise Unfit(f"the number is outside the field's limits ({low} to {high})")
        # As a text, for JSON has no decimal; the Vault reads it exactly.
        return f"{number:f}" if isinstance(number, Decimal) else number

    return convert


def _is_whole(number: float | Decimal) -> bool:
    if isinstance(number, float):
        return number.is_integer()
    # Not the rest of a division by 1, which a Decimal of many digits refuses.
    return number == number.to_integral_value()


def _parse_number(value: object) -> int | float | Decimal:
    # bool is an int in Python, and no number in a Vault.
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if (
        isinstance(value, str)
        # Reading the digits of an endless text would take ever longer.
        and len(value) <= _NUMBER_LENGTH
        and _NUMBER.fullmatch(value)
    ):
        # A Decimal keeps every digit of a fraction, which a float would not.
        return int(value) if value.lstrip("+-").isdigit() else Decimal(value)
    raise Unfit("the value is not a number; map a source field that contains one")


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
        day = value[:_DATE_LENGTH]
        whole = len(value) == _DATE_LENGTH or _DATE_TIME.fullmatch(value)
        if whole and _is_date(day):
            return day
    raise Unfit(
        "the value is not a date (YYYY-MM-DD); map a source field that contains one"
    )


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _date_time(value: object) -> object:
    if isinstance(value, str):
        is_date = len(value) == _DATE_LENGTH
        text = f"{value}T00:00:00.000Z" if is_date else value
        # The pattern alone would take the 31st of February, and fromisoformat alone a moment without a zone.
        if _DATE_TIME.fullmatch(text) and _is_moment(text):
            return text
    raise Unfit(
        "the value is not a date and time (UTC, YYYY-MM-DDTHH:MM:SS.mmmZ); map a source field that contains one"
    )


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _single(value: object) -> object:
    if type(value) is str:
        return value
    # A Vault answers a picklist with a list, also where it takes one value.
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        return value[0]
    if isinstance(value, list):
        raise Unfit("the source has several picklist values, and the field takes one")
    return _plain(value)


def _multi(value: object) -> object:
    if isinstance(value, list):
        return [_plain(element) for element in value]
    parts = [part.strip() for part in _plain(value).split(",")]
    return [part for part in parts if part]


def _source_vault_id(row: Row) -> object:
    # A Global ID is {Vault id}_{record id}.
    global_id = str(row.get("global_id__sys") or "")
    prefix, separator, _ = global_id.partition("_")
    return prefix if separator else None


# Only what the record itself says: a value that changed from one evaluation to the next, such as the time of
# day, would make a message that comes twice write twice.
CODES: Mapping[str, Read] = {
    "source_id": lambda row: row.get("id"),
    "source_global_id": lambda row: row.get("global_id__sys"),
    "source_modified_date": lambda row: row.get("modified_date__v"),
    "source_vault_id": _source_vault_id,
}
"""The values that a default of type code may name."""


def constant(value: object) -> Read:
    """Return a function with the same value for every row."""
    return nothing if value is None else lambda _row: value


def computed(
    code: str,
    fit: Convert,
) -> Read:
    """Return the function from a row to the computed value ``code``, converted for the target field.

    :raises KeyError: the code is not one of CODES.
    """
    take = CODES[code]

    def default(row: Row) -> object:
        value = take(row)
        if value is None:
            return None
        return fit(value)

    return default


class Reference(NamedTuple):
    """The object that a target field refers to, and the key field that identifies its records."""

    object: str
    field: str


class PendingReference(NamedTuple):
    """A reference by a unique key of a record, whose id is found later, for all rows at once."""

    object: str
    field: str
    key: str


def by_key(reference: Reference) -> Convert:
    """Return the function that converts a value to the key of a reference; it raises ``Unfit`` for an invalid key."""

    # Many rows refer to few records.
    @lru_cache(maxsize=256)
    def pending(key: str) -> PendingReference:
        return PendingReference(reference.object, reference.field, key)

    def convert(value: object) -> object:
        # A key may be a picklist value, which comes as a list.
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Unfit(
                "the value cannot be the key of a record; map a source field that contains one key"
            )
        return pending(str(value))

    return convert


class BlankKey(Unfit):
    """Raised for a related record that has no value in the field that identifies its target record."""

    def __init__(self, selection: Selection | None) -> None:
        field = selection.key if selection else "the query field"
        super().__init__(
            f"the related record exists and has no {field}, by which the target record is found; fill that field"
        )
