"""Keeps values exact on their way through JSON: numbers that a float would not keep, and moments."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import orjson

# Every digit and point becomes a zero: a run of sixteen may be a number of which a float would lose digits, and a
# shorter one is not. To look so costs a third of the decoding; a regular expression costs three times that.
_DIGITS = bytes.maketrans(b"0123456789.", b"0" * 11)
_LONG = b"0" * 16


def loads(text: bytes) -> object:
    """Return the JSON document; numbers that a float would not keep exactly are text, with the digits as they came.

    :raises orjson.JSONDecodeError: it is not JSON; the message quotes the text.
    :raises RecursionError: it is nested too deeply.
    """
    # Always decoded by the fast and strict decoder, which says whether it is JSON at all.
    document: object = orjson.loads(text)
    zeros = text.translate(_DIGITS)
    if _LONG not in zeros:
        return document
    return json.loads(text, parse_float=_exact, parse_int=_exact)


def date_time_text(value: datetime | None) -> str | None:
    """Return an aware datetime as text like ``2012-04-25T21:49:27.719Z``, or None for None."""
    if value is None:
        return None
    utc = value.astimezone(UTC)
    text = utc.isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def _exact(text: str) -> float | str:
    number: float = orjson.loads(text)
    # With an exponent a number is approximate by how it is written; a whole number of 64 bits is exact.
    if isinstance(number, int) or "e" in text or "E" in text:
        return number
    # ``repr`` is the shortest text of the float: where it is another number, digits were lost.
    is_kept = Decimal(repr(number)) == Decimal(text)
    return number if is_kept else text
