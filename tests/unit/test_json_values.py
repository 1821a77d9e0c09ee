"""Numbers in JSON: those that a float would round are text, at a cost that grows only with the text."""

from __future__ import annotations

import json
import math
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.json_values import loads

DIGITS = st.text("0123456789", min_size=1, max_size=25)
WHOLE = st.integers(0, 10**25).map(str) | st.integers(1, 9).map(
    "{}000000000000000000000".format
)
FRACTION = st.just("") | DIGITS.map(".{}".format)
EXPONENT = st.sampled_from(
    ["", "", "", "e5", "E-7", "e+12", "e400", "E-400", "e-123456789012345678"]
)
LONG_EXPONENT = 3  # digits, with which a float may be infinite, or zero
NUMBERS = st.tuples(st.sampled_from(["", "-"]), WHOLE, FRACTION, EXPONENT).map("".join)
VALUES = NUMBERS | NUMBERS.map('"{}"'.format) | NUMBERS.map('"\\\\\\"{}"'.format)


def exact(number: str) -> float | str:
    """The value of a single number: text when a float would round it."""
    _, _, exponent = number.lower().partition("e")
    is_long = len(exponent.lstrip("+-")) >= LONG_EXPONENT
    if is_long and abs(float(number)) in (0, math.inf):
        return number
    value: float = orjson.loads(number)
    if isinstance(value, int) or "e" in number.lower():
        return value
    return value if Decimal(repr(value)) == Decimal(number) else number


@given(st.lists(VALUES, max_size=6), st.sampled_from([",", " , "]))
def test_each_number_is_read_as_it_is_alone(values: list[str], comma: str) -> None:
    text = f"[{comma.join(values)}]"
    expected = json.loads(text, parse_float=exact, parse_int=exact)
    assert repr(loads(text.encode())) == repr(expected)


@given(st.dictionaries(NUMBERS, VALUES, max_size=4))
def test_keys_stay_what_they_are(members: dict[str, str]) -> None:
    text = ",".join(f'"{name}":{value}' for name, value in members.items())
    expected = json.loads(f"{{{text}}}", parse_float=exact, parse_int=exact)
    assert repr(loads(f"{{{text}}}".encode())) == repr(expected)


@pytest.mark.parametrize(
    "text",
    [b"[1", b"", b'{"a":12345678901234567.5', b"[01]", b"[01e400]", b"{1e400 :1}"],
)
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(orjson.JSONDecodeError):
        loads(text)
