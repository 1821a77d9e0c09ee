"""Retries of many exceptions: the next run continues from the stored checkpoint."""

from __future__ import annotations

from shared.vault.exceptions.bulk_retry import RetryProgress


def test_nothing_is_done_at_first() -> None:
    assert RetryProgress.read({}) == RetryProgress(ids=[])


def test_a_checkpoint_is_read_as_it_was_saved() -> None:
    progress = RetryProgress(["A", "B"], refused=1, after="C", queued=True)
    assert RetryProgress.read(progress.to_json()) == progress


def test_the_first_task_counts_messages() -> None:
    progress = RetryProgress(["A", "B"], refused=1)
    assert progress.counts == {"messages": 2, "refused": 1}
