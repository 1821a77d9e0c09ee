"""Moments and whole numbers in texts: at the ends of their ranges, beyond them, and in other notations."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.protocol.json_values import LAST, next_moment, read_moment
from shared.protocol.whole_numbers import LARGEST, whole_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("007", 7),
        ("0" * 5000 + "7", 7),
        (str(LARGEST), LARGEST),
        (str(LARGEST + 1), None),
        ("9" * 5000, None),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1.0", None),
        ("1_0", None),
        (" 1", None),
        ("²", None),
        ("٣", None),
    ],
)
def test_whole_numbers(text: str, number: int | None) -> None:
    assert whole_number(text) == number


def test_a_number_above_the_most_is_none() -> None:
    assert whole_number("10", 10) == 10
    assert whole_number("11", 10) is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T01:00:00", datetime(2026, 1, 31, 1, tzinfo=UTC)),
        ("2026-01-31T01:00:00+02:00", datetime(2026, 1, 30, 23, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999Z", LAST),
    ],
)
def test_moments(text: str, moment: datetime) -> None:
    assert read_moment(text) == moment
    assert read_moment(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "10000-01-01",
        "0000-01-01",
        "2026-02-30",
        "",
    ],
)
def test_what_is_no_moment_of_the_calendar(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_moment(text)


def test_the_last_moment_has_none_behind_it() -> None:
    before = datetime(9999, 12, 31, 23, 59, 59, 998_000, tzinfo=UTC)
    assert next_moment(before) == LAST
    assert next_moment(LAST) == LAST
    assert next_moment(datetime.max.replace(tzinfo=UTC)) == LAST
