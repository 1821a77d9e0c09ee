"""The speed and remaining time of a run, and the bars of the latest runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.vault.admin.run_progress import (
    HEIGHT,
    chart_of,
    duration_words,
    progress_of,
    took_words,
)
from shared.vault.integrations.run_model import Counts, Run
from shared.vault.jobs.job_model import JobStatus

BEGAN = datetime(2026, 1, 31, 12, tzinfo=UTC)
NOW = BEGAN + timedelta(seconds=10)
RUN = Run(
    job_id=7,
    status=JobStatus.RUNNING,
    created_by=1,
    created_date=BEGAN,
    run_start_date=BEGAN,
    run_end_date=None,
    found_time=None,
    changed_since=None,
    read_since=None,
    continues=False,
    source_time=None,
    complete_until=None,
    stage=0,
    position="",
    batches=10,
    reported=4,
    paged=True,
    more_stages=False,
    error=None,
    stalled=False,
    by_point={"one__v": Counts(200, 200, 0, 200, 0)},
)


@pytest.mark.parametrize(
    ("changes", "rate", "left"),
    [
        # 4 batches in 10 seconds, and 6 to go.
        ({}, 20.0, 15.0),
        ({"paged": False}, 20.0, None),
        ({"more_stages": True}, 20.0, None),
        ({"reported": 0}, 20.0, None),
        ({"reported": 10}, 20.0, 0.0),
        # Late reports of an earlier connector are no negative time.
        ({"reported": 11}, 20.0, 0.0),
        ({"run_start_date": None}, None, None),
        ({"run_start_date": NOW}, None, None),
        ({"by_point": {}}, None, None),
        ({"run_end_date": BEGAN + timedelta(seconds=5)}, 40.0, None),
    ],
)
def test_rate_and_time_left(
    changes: dict[str, Any], rate: float | None, left: float | None
) -> None:
    found = progress_of(replace(RUN, **changes), NOW)
    assert found.rate == rate
    assert (None if found.left is None else found.left.total_seconds()) == left


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s"), (0.4, "0 s"), (59, "59 s"), (61, "1 min"), (3900, "1 h 5 min")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration_words(timedelta(seconds=seconds)) == words


def test_bars_stand_on_the_ground_in_the_order_of_time_and_none_leaves_the_drawing() -> (
    None
):
    counts = [Counts(1000, 999, 0, 999, 1), Counts(), Counts(500, 100, 400, 100, 0)]
    runs = [
        replace(RUN, job_id=10 - n, by_point={"one__v": each})
        for n, each in enumerate(counts)
    ]
    chart = chart_of(runs)
    assert [bar.run.job_id for bar in chart.bars] == [8, 9, 10]
    assert chart.most == 1000
    for bar in chart.bars:
        bottom = HEIGHT * 1.0
        for part in bar.parts:
            assert part.y + part.height == pytest.approx(bottom, abs=0.02)
            assert part.height >= 2
            bottom = part.y
        assert bottom >= -0.02
    # One of a thousand is seen.
    assert [part.name for part in chart.bars[2].parts] == ["written", "failed"]
    assert [part.name for part in chart.bars[1].parts] == ["nothing"]
    assert "1 had failures" in chart.words


def test_no_runs_are_no_bars() -> None:
    assert chart_of([]).bars == ()


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        (BEGAN, BEGAN + timedelta(seconds=75), "1 min"),
        (BEGAN, BEGAN, "under 1 s"),
        (BEGAN, None, ""),
        (None, None, ""),
    ],
)
def test_how_long_a_run_took_is_known_at_its_end(
    start: datetime | None, end: datetime | None, words: str
) -> None:
    assert took_words(start, end) == words
