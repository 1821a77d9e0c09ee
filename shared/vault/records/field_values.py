"""Converts the values that callers send for fields to those that columns store: one function for each field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import TYPE_CHECKING, assert_never, cast

from shared.vault.components.platform import AUDIT
from shared.vault.files.attachment_model import Handle, UnstoredFile
from shared.vault.model.component_model import (
    Field,
    FieldType,
    Picklist,
    VaultObject,
    state_type_name,
)
from shared.vault.records.invalid_values import InactiveValue, InvalidValue

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry

Coercion = Callable[[object], object]

STATE = "state__v"
STATE_LABEL = "state_label"
STATE_LABEL_PREFIX = "base:object_lifecycle:"
INITIAL = "initial_state__sys"
AUDIT_NAMES = frozenset(field.name for field in AUDIT)

BIGINT = 2**63
MARKS = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
"""Characters without width, which come with texts that were copied from pages."""
UNSEEN = MARKS + "".join(filter(str.isspace, map(chr, range(0x3001))))
"""White space, all of which is below U+3001, and ``MARKS``."""
_NOTHING = frozenset(UNSEEN) | {""}
NUMBER = re.compile(
    r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?[0-9]{1,4})?"
)
MAX_NUMBER_TEXT = 100  # characters
EXACT = Context(prec=100)  # digits; more than a number of this size and scale can have
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)


def coercion(field: Field, registry: Registry) -> Coercion:
    """Return the function that converts a caller's value for ``field`` to the value of its column.

    The function raises ``InvalidValue`` for a value that the field cannot store.

    JSON types and their text forms (CSV, form) are both accepted; ``None`` and ``""`` are null.
    """
    match field.type:
        case FieldType.PICKLIST:
            # A picklist has a further form of null, the empty list.
            return _picklist(field, registry.picklists[field.picklist or ""])
        case (
            FieldType.ID
            | FieldType.STRING
            | FieldType.LONG_TEXT
            | FieldType.RICH_TEXT
            | FieldType.OBJECT
        ):
            return _Text(field.name, field.max_length)
        case FieldType.NUMBER:
            convert = _number(field)
        case FieldType.BOOLEAN:
            convert = _boolean(field)
        case FieldType.DATE:
            convert = _date(field)
        case FieldType.DATE_TIME:
            convert = _date_time(field)
        case FieldType.ATTACHMENT:
            convert = _file(field)
        case _:
            assert_never(field.type)
    return _or_null(convert)


def column_type(field: Field) -> str:
    """Return the PostgreSQL type in which a batch passes the values of this field.

    Multi-value picklists are passed as text, since PostgreSQL's arrays of arrays have rows of one length.
    """
    match field.type:
        case FieldType.NUMBER:
            return "numeric" if field.scale else "bigint"
        case FieldType.BOOLEAN:
            return "boolean"
        case FieldType.DATE:
            return "date"
        case FieldType.DATE_TIME:
            return "timestamptz"
        case (
            FieldType.ID
            | FieldType.STRING
            | FieldType.LONG_TEXT
            | FieldType.RICH_TEXT
            | FieldType.PICKLIST
            | FieldType.OBJECT
            | FieldType.ATTACHMENT
        ):
            return "text"
        case _:
            assert_never(field.type)


def converted(coerce: Coercion, column: Sequence[object]) -> Sequence[object]:
    """Return the values that rows have for one field, converted by ``coerce``; the column itself if none changes.

    :raises InvalidValue: when a value is not valid.
    """
    first = column[0]
    alike = type(first) is str and column[-1] == first
    # One text in all rows, as of a type or a country, is converted once.
    if alike and column.count(first) == len(column):
        value = coerce(first)
        return column if value is first else [value] * len(column)
    if isinstance(coerce, _Text) and coerce.takes(column):
        return column
    return list(map(coerce, column))


def _or_null(convert: Coercion) -> Coercion:
    def coerce(value: object) -> object:
        # Only in texts has white space at the ends a meaning; the handle of a file is no text of a caller.
        sent = value.strip() if type(value) is str else value
        if sent is None or sent == "":
            return None
        return convert(sent)

    return coerce


@dataclass(frozen=True, slots=True)
class _Text:
    """Converts values of a field of text."""

    name: str
    limit: int | None

    def __call__(self, value: object) -> str | None:
        if isinstance(value, str):
            # What nobody sees says nothing, and would pass for an answer where a value is required.
            if not value.strip(UNSEEN):
                return None
            text = value
        elif value is None:
            return None
        elif isinstance(value, bool | list | dict):
            raise InvalidValue(f"Field [{self.name}] takes text")
        else:
            text = str(value)
        if self.limit is not None and len(text) > self.limit:
            raise InvalidValue(
                f"Field [{self.name}] takes at most {self.limit} characters; {len(text)} were sent"
            )
        # PostgreSQL stores no text with this character.
        if "\x00" in text:
            raise InvalidValue(
                f"Field [{self.name}] takes neither NUL nor half of a surrogate pair"
            )
        return text

    def takes(self, column: Sequence[object]) -> bool:
        """Return whether these values are obviously stored as they are, which is found out for all of them together."""
        kinds = set(map(type, column))
        if kinds - {str, type(None)}:
            return False
        if str not in kinds:
            return True
        texts = cast("Sequence[str]", column)
        if type(None) in kinds:
            texts = [value for value in column if type(value) is str]
        if self.limit is not None and max(map(len, texts)) > self.limit:
            return False
        together = "".join(texts)
        if "\x00" in together:
            return False
        # A text that begins with something visible is not empty; what is invisible in ASCII sorts before "!".
        if together.isascii():
            return min(texts) >= "!"
        return _NOTHING.isdisjoint({text[:1] for text in texts})


def _number(field: Field) -> Coercion:
    low = None if field.min_value is None else Decimal(str(field.min_value))
    high = None if field.max_value is None else Decimal(str(field.max_value))
    limits = " and ".join(_limits(low, high))
    scale = field.scale or 0
    step = Decimal(1).scaleb(-scale)

    def convert(value: object) -> int | Decimal:
        number = _decimal(field, value)
        rounded = number.quantize(step, context=EXACT)
        # More decimals are refused, not rounded: the caller would read another number than was sent.
        if number != rounded:
            raise InvalidValue(f"Field [{field.name}] takes at most {scale} decimals")
        below = low is not None and number < low
        above = high is not None and number > high
        if below or above:
            raise InvalidValue(f"Field [{field.name}] takes a number {limits}")
        return rounded if scale else int(rounded)

    return convert


def _limits(low: Decimal | None, high: Decimal | None) -> Iterator[str]:
    """Yield what bounds a number, in words."""
    if low is not None:
        yield f"of at least {low.normalize():f}"
    if high is not None:
        yield f"of at most {high.normalize():f}"


def _decimal(field: Field, value: object) -> Decimal:
    """Return a value as a number of any scale.

    :raises InvalidValue: when it is not a number, or too large.
    """
    if type(value) is int and -BIGINT < value < BIGINT:
        return Decimal(value)
    text = str(value)
    # The length is checked first: an exponent or a long number could take seconds to convert.
    readable = len(text) <= MAX_NUMBER_TEXT and NUMBER.fullmatch(text)
    if isinstance(value, bool) or not readable:
        raise InvalidValue(f"Field [{field.name}] takes a number")
    number = Decimal(text)
    if abs(number) >= BIGINT:
        raise InvalidValue(
            f"Field [{field.name}] takes a number between -{BIGINT} and {BIGINT}, both excluded"
        )
    return number


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
            pass  # a date that no month has; reported below, with the form that is wanted
        raise InvalidValue(f"Field [{field.name}] takes a date as YYYY-MM-DD")

    return convert


def _date_time(field: Field) -> Coercion:
    def convert(value: object) -> datetime:
        try:
            if isinstance(value, str) and DATE_TIME.fullmatch(value):
                return in_milliseconds(datetime.fromisoformat(value))
        except (ValueError, OverflowError):
            pass  # reported below, with the form that is wanted
        raise InvalidValue(
            f"Field [{field.name}] takes a date and time as YYYY-MM-DDTHH:MM:SS.sssZ"
        )

    return convert


def in_milliseconds(moment: datetime) -> datetime:
    """Return the time in UTC, cut to milliseconds as the API shows it; a time without a zone is read as UTC.

    Cut this way, a value that is read back and sent again compares equal to the one stored.
    """
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    in_utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    beyond = in_utc.microsecond % 1000
    return in_utc.replace(microsecond=in_utc.microsecond - beyond) if beyond else in_utc


def _picklist(field: Field, picklist: Picklist) -> Coercion:
    entries = picklist.entries
    inactive = frozenset(name for name in entries if not entries[name].active)

    refusal = f"Field [{field.name}] takes values of picklist [{picklist.name}]"

    def coerce(value: object) -> object:
        sent = value.strip() if isinstance(value, str) else value
        if sent is None or sent in ("", []):
            return None
        names = _names(sent, multi_value=field.multi_value)
        known = [each for each in names if isinstance(each, str) and each in entries]
        if len(known) != len(names):
            raise InvalidValue(refusal)
        if len(known) != 1 and not field.multi_value:
            raise InvalidValue(f"Field [{field.name}] takes one value")
        chosen = ",".join(dict.fromkeys(known))
        if inactive.isdisjoint(known):
            return chosen
        raise InactiveValue(refusal, chosen, inactive.intersection(known))

    return coerce


def _names(value: object, *, multi_value: bool) -> list[object]:
    """Return the names in a picklist's value, which is a list or text with commas between names."""
    if isinstance(value, list):
        return value
    if multi_value:
        return [name.strip() for name in str(value).split(",")]
    return [value]


def _file(field: Field) -> Coercion:
    def convert(value: object) -> str:
        if isinstance(value, UnstoredFile):
            raise InvalidValue(f"Field [{field.name}]: {value.reason}")
        if not isinstance(value, Handle):
            raise InvalidValue(
                f"Field [{field.name}] has a file, which this call cannot set"
            )
        return str(value)

    return convert


def migrated_field(
    name: str,
    target: VaultObject,
    registry: Registry,
) -> tuple[str, Coercion] | None:
    """Return the field and the conversion of a key that only migration mode accepts; None for every other key.

    The conversion raises ``InvalidValue``, and returns None for an empty value, so that the Vault sets the field.
    """
    if name in AUDIT_NAMES:
        return name, coercion(target.fields[name], registry)
    if target.lifecycle and name == STATE:
        return STATE, lambda value: _state(target, registry, value)
    if target.lifecycle and name == STATE_LABEL:
        return STATE, lambda value: _state_of_type(target, registry, value)
    return None


def _state(
    target: VaultObject,
    registry: Registry,
    value: object,
) -> str | None:
    # Callers may send a state as they get it, in a list of one.
    name = value[0] if isinstance(value, list) and len(value) == 1 else value
    if name is None or name == "":
        return None
    states = registry.lifecycles[target.lifecycle or ""].states
    if not isinstance(name, str) or name not in states or not states[name].active:
        raise InvalidValue(
            f"Field [{STATE}] takes a state of lifecycle [{target.lifecycle}]"
        )
    return name


def _state_of_type(
    target: VaultObject,
    registry: Registry,
    value: object,
) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not value.startswith(STATE_LABEL_PREFIX):
        raise InvalidValue(f"[{STATE_LABEL}] takes {STATE_LABEL_PREFIX}{{state type}}")
    wanted = state_type_name(value)
    lifecycle = registry.lifecycles[target.lifecycle or ""]
    for state in lifecycle.states.values():
        if state.active and state.state_type == wanted:
            return state.name
    # A lifecycle without a state of this type begins in its starting state all the same.
    if wanted == INITIAL:
        return lifecycle.starting_state
    raise InvalidValue(f"Lifecycle [{target.lifecycle}] has no state of this type")
