"""Counts of a run: every record that was read was skipped, written or failed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.vault.errors import VaultFault
from shared.vault.integrations.run_model import Counts, Run
from shared.vault.jobs.job_model import JobStatus

BEGUN = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "counts",
    [
        Counts(),
        Counts(read=10, mapped=6, skipped=3, written=5, failed=2),
        Counts(read=2, mapped=0, failed=2),
        Counts(read=2, mapped=2, failed=2),
    ],
)
def test_counts_that_add_up(counts: Counts) -> None:
    counts.check()


@pytest.mark.parametrize(
    "counts",
    [
        Counts(read=1),
        Counts(read=1, mapped=1, skipped=-1, written=2),
        Counts(read=1, mapped=0, written=1),
        Counts(read=1, mapped=2, written=1),
    ],
    ids=["not whole", "negative", "written unmapped", "mapped too many"],
)
def test_counts_that_do_not_add_up(counts: Counts) -> None:
    with pytest.raises(VaultFault):
        counts.check()


def run(*, batches: int, reported: int, paged: bool) -> Run:
    return Run(
        job_id=1,
        status=JobStatus.RUNNING,
        created_by=1,
        created_date=BEGUN,
        run_start_date=None,
        run_end_date=None,
        found_time=None,
        changed_since=None,
        read_since=None,
        continues=False,
        source_time=None,
        complete_until=None,
        stage=1,
        position="",
        batches=batches,
        reported=reported,
        paged=paged,
        more_stages=False,
        error=None,
        stalled=False,
        by_point={
            "a": Counts(read=1, mapped=1, written=1),
            "b": Counts(read=2, skipped=2),
        },
    )


def test_a_run_counts_all_of_its_points() -> None:
    counts = run(batches=0, reported=0, paged=True).counts
    assert counts == Counts(read=3, mapped=1, skipped=2, written=1)


@pytest.mark.parametrize(
    ("batches", "reported", "paged", "done"),
    [(2, 2, True, True), (2, 1, True, False), (2, 2, False, False), (0, 0, True, True)],
)
def test_a_stage_is_done_when_it_is_read_and_reported(
    batches: int, reported: int, paged: bool, done: bool
) -> None:
    assert run(batches=batches, reported=reported, paged=paged).stage_done is done
