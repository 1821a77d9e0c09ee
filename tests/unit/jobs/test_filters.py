"""Filters of job lists: statuses in lower case, moments with and without zone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.vault.api.jobs import _statuses
from shared.vault.api.request_context import parse_moment
from shared.vault.errors import VaultFault
from shared.vault.jobs.job_model import (
    FINISHED,
    UNFINISHED,
    JobStatus,
    TaskState,
    ended_state,
)


def test_a_job_has_ended_or_not() -> None:
    assert set(JobStatus) == FINISHED | UNFINISHED
    assert not FINISHED & UNFINISHED
    # A task ends as its job does where it has no end of its own.
    assert {TaskState.CANCELLED, TaskState.ERRORS_ENCOUNTERED} <= set(TaskState)


@pytest.mark.parametrize(
    ("failed", "state"),
    [(True, TaskState.ERRORS_ENCOUNTERED), (False, TaskState.SUCCESS)],
)
def test_a_task_that_has_ended_has_succeeded_unless_a_part_failed(
    failed: bool, state: TaskState
) -> None:
    assert ended_state(failed=failed) is state
    assert state.succeeded is not failed


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, set()),
        ("", set()),
        ("success", {"SUCCESS"}),
        ("SUCCESS", {"SUCCESS"}),
        ("timeout, errors_encountered", {"TIMEOUT", "ERRORS_ENCOUNTERED"}),
    ],
)
def test_statuses(text: str | None, found: set[str]) -> None:
    assert _statuses(text, FINISHED) == found


@pytest.mark.parametrize("text", ["running", "success,", "nothing", "success;timeout"])
def test_statuses_that_no_job_of_the_list_has(text: str) -> None:
    with pytest.raises(VaultFault):
        _statuses(text, FINISHED)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2025-01-15T07:00:00Z", datetime(2025, 1, 15, 7, tzinfo=UTC)),
        (
            "2025-01-15T07:00:00.250Z",
            datetime(2025, 1, 15, 7, 0, 0, 250_000, tzinfo=UTC),
        ),
        ("2025-01-15T07:00:00", datetime(2025, 1, 15, 7, tzinfo=UTC)),
        ("2025-01-15T09:00:00+02:00", datetime(2025, 1, 15, 7, tzinfo=UTC)),
        ("2025-01-15", datetime(2025, 1, 15, tzinfo=UTC)),
        (None, None),
    ],
)
def test_moments(text: str | None, found: datetime | None) -> None:
    assert parse_moment("start_date", text) == found


@pytest.mark.parametrize("text", ["now", "2025-02-30", "2025-01-15T25:00:00Z", "0"])
def test_no_moments(text: str) -> None:
    with pytest.raises(VaultFault):
        parse_moment("start_date", text)
