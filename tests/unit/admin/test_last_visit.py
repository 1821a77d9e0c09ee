"""The times of a user's visits to the home page, by which new records are marked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.vault.admin.last_visit import SAME_VISIT, VisitTimes

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
BEFORE = NOW - timedelta(days=3)
JUST_NOW = NOW - SAME_VISIT


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        # Who has never looked has missed nothing.
        (VisitTimes(None, None), None),
        (VisitTimes(None, JUST_NOW), None),
        (VisitTimes(BEFORE, JUST_NOW), BEFORE),
        (VisitTimes(None, BEFORE), BEFORE),
        (VisitTimes(BEFORE - timedelta(days=1), BEFORE), BEFORE),
    ],
)
def test_a_visit_begins_when_nobody_has_looked_for_a_while(
    times: VisitTimes, expected: datetime | None
) -> None:
    assert times.opened_at(NOW) == VisitTimes(expected, NOW)


@pytest.mark.parametrize("times", [VisitTimes(None, NOW), VisitTimes(BEFORE, NOW)])
def test_the_cookie_is_read_as_it_was_written_by_its_user_alone(
    times: VisitTimes,
) -> None:
    assert VisitTimes.from_cookie(7, times.cookie_value(7)) == times
    assert VisitTimes.from_cookie(70, times.cookie_value(7)) == VisitTimes(None, None)


@pytest.mark.parametrize("value", ["", "7", "7|-|-", "7|x|y", "7|2026-01-31T12:00:00"])
def test_a_cookie_that_is_none_says_nothing(value: str) -> None:
    assert VisitTimes.from_cookie(7, value) == VisitTimes(None, None)
