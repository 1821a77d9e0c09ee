"""What the pages keep of a person's last visit, by which they mark what is new."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.vault.admin.last_visit import ONE_VISIT, LastVisit

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
BEFORE = NOW - timedelta(days=3)
JUST_NOW = NOW - ONE_VISIT


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        # Who has never looked has missed nothing.
        (LastVisit(None, None), None),
        (LastVisit(None, JUST_NOW), None),
        (LastVisit(BEFORE, JUST_NOW), BEFORE),
        (LastVisit(None, BEFORE), BEFORE),
        (LastVisit(BEFORE - timedelta(days=1), BEFORE), BEFORE),
    ],
)
def test_a_visit_begins_when_nobody_has_looked_for_a_while(
    kept: LastVisit, expected: datetime | None
) -> None:
    assert kept.at(NOW) == LastVisit(expected, NOW)


@pytest.mark.parametrize("kept", [LastVisit(None, NOW), LastVisit(BEFORE, NOW)])
def test_the_cookie_is_read_as_it_was_written_by_its_user_alone(
    kept: LastVisit,
) -> None:
    assert LastVisit.read(7, kept.written(7)) == kept
    assert LastVisit.read(70, kept.written(7)) == LastVisit(None, None)


@pytest.mark.parametrize("value", ["", "7", "7|-|-", "7|x|y", "7|2026-01-31T12:00:00"])
def test_a_cookie_that_is_none_says_nothing(value: str) -> None:
    assert LastVisit.read(7, value) == LastVisit(None, None)
