"""Keeps values exact in JSON: numbers that a float would round, and moments."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import orjson

# Every digit and point becomes a zero, E and + become e and -: a run of sixteen zeros may be a number of which a float
# would lose digits, and a shorter one is not. To look so costs a third of the decoding; a regular expression costs
# three times that.
_DIGITS = bytes.maketrans(b"0123456789.E+", b"0" * 11 + b"e-")
_LONG = b"0" * 16
_LONG_RUN = re.compile(rb"0{16,}")
# An exponent of three digits may be more than a float has: the decoder would refuse 1e400, and read 1e-400 as 0.
_EXPONENTS = (b"0e000", b"0e-000")
_STRING_OR_LONG_EXPONENT = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+'
    rb"|(?<![^\s\[:,])(-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+[eE][-+]?[0-9]{3,}+)"
    rb"(?=\s*+(?:[],}]|\Z))",
    re.DOTALL,
)
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)

EXACT_DIGITS = 15
"""So many digits a float keeps of any number, and two more of some."""
MAX_EXACT_DIGITS = 17
WHOLE_NUMBERS = range(-(2**63), 2**64)
"""Whole numbers that the decoder reads as such; larger ones become floats."""


def loads(text: bytes) -> object:
    """Return the JSON document; numbers that a float would not represent exactly are returned as text, digit by digit.

    The time that it takes grows with the text's length, whatever its numbers are.

    :raises orjson.JSONDecodeError: the text is not JSON; the message quotes it.
    """
    zeros = text.translate(_DIGITS)
    if any(mark in zeros for mark in _EXPONENTS):
        text = _STRING_OR_LONG_EXPONENT.sub(_in_quotes, text)
        zeros = text.translate(_DIGITS)
    # Always decoded by the fast and strict decoder, which says whether it is JSON at all.
    document: object = orjson.loads(text)
    if _LONG not in zeros:
        return document
    quoted = _quoted(text, zeros)
    # With a short exponent a number is approximate by how it is written, and stays a float.
    return document if quoted is None else orjson.loads(quoted)


def date_time_text(value: datetime | None) -> str | None:
    """Return an aware datetime as text like ``2012-04-25T21:49:27.719Z``, or None for None."""
    if value is None:
        return None
    utc = value.astimezone(UTC)
    text = utc.isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def _in_quotes(token: re.Match[bytes]) -> bytes:
    """Return a number that would be infinite or zero as a float in quotes, and any other token as it is."""
    number: bytes | None = token[1]
    if number is None or abs(float(number)) not in (0, math.inf):
        return token[0]
    return b'"' + number + b'"'


def _quoted(text: bytes, zeros: bytes) -> bytes | None:
    """Return a JSON text with quotes around the numbers that a float would round; None when there are none."""
    parts: list[bytes] = []
    end = outside = 0
    for run in _LONG_RUN.finditer(zeros):
        outside = _past_strings(text, outside, run.start())
        is_in_string = outside > run.start()
        if is_in_string:
            continue
        start = _number_start(text, run.start())
        number = text[start : run.end()]
        is_approximate = start < 0 or text[run.end() : run.end() + 1] in (b"e", b"E")
        if is_approximate or _is_exact(number):
            continue
        parts += (text[end:start], b'"', number, b'"')
        end = run.end()
    if not parts:
        return None
    parts.append(text[end:])
    return b"".join(parts)


def _past_strings(text: bytes, at: int, goal: int) -> int:
    """Return ``goal``, or the end of the string that contains it.

    ``at`` is a position before ``goal``, outside of strings.
    """
    while (quote := text.find(b'"', at, goal)) >= 0:
        string = _STRING.match(text, quote)
        at = goal if string is None else string.end()
    return max(at, goal)


def _number_start(text: bytes, digits: int) -> int:
    """Return the position at which a number begins, by its first digit; -1 when the digits are an exponent."""
    start = digits - 1 if text[digits - 1 : digits] == b"-" else digits
    before = text[max(0, start - 1) : start]
    is_exponent = before != b"" and before in b"eE+"
    return -1 if is_exponent else start


def _is_exact(number: bytes) -> bool:
    """Return whether decoding represents a number without exponent exactly."""
    whole, _, fraction = number.removeprefix(b"-").partition(b".")
    # Zeros at the end of a whole number need no digits of a float.
    digits = (whole + fraction).strip(b"0")
    if len(digits) <= EXACT_DIGITS:
        return True
    # Converted only when it is short: longer digits take time with the square of their number.
    is_short = not fraction and len(whole) <= len(str(WHOLE_NUMBERS.stop))
    if is_short and int(number) in WHOLE_NUMBERS:
        return True
    if len(digits) > MAX_EXACT_DIGITS:
        return False
    # ``repr`` is the shortest text of the float: where it is another number, digits were lost.
    shortest = repr(float(number))
    return Decimal(shortest) == Decimal(number.decode())


# Moments that clients write

STEP = timedelta(milliseconds=1)
"""The API's resolution."""
LAST = datetime.max.replace(microsecond=999_000, tzinfo=UTC)
"""The last moment of the calendar that the API can write."""


def read_moment(text: str) -> datetime:
    """Return the moment in a text as UTC; a text without a zone is taken as UTC.

    :raises ValueError: the text is no moment, or the moment in UTC is outside of the calendar.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        # In the first and the last hours of the calendar, changing the zone may leave it.
        message = "the moment is not in the calendar"
        raise ValueError(message) from error


def next_moment(moment: datetime) -> datetime:
    """Return the next moment that the API can write; of the calendar's last moment, that moment itself."""
    return moment + STEP if moment < LAST else LAST
