"""Outcomes: an id has one result, the first failure stays, and each result is counted."""

from __future__ import annotations

import pytest

from services.connector.points.transfer import Outcome, Result
from services.connector.rules.item_failures import ItemErrorType, ItemFailure

FIRST = ItemFailure(ItemErrorType.FIELD_VALUE, "first")
SECOND = ItemFailure(ItemErrorType.SAVE, "second")


def test_the_first_failure_of_a_record_stays() -> None:
    outcome = Outcome()
    outcome.fail("A", FIRST)
    outcome.fail("A", SECOND)
    assert outcome.failures == {"A": FIRST}


@pytest.mark.parametrize(
    "before",
    [Outcome(done={"A"}), Outcome(skipped={"A"}), Outcome(warnings={"A": FIRST})],
)
def test_a_failure_takes_every_other_result_back(before: Outcome) -> None:
    before.fail("A", SECOND)
    assert before == Outcome(failures={"A": SECOND})


def test_a_failed_record_neither_succeeds_nor_warns() -> None:
    outcome = Outcome(failures={"A": FIRST})
    outcome.succeed(["A", "B"])
    outcome.warn({"A": SECOND, "B": SECOND})
    assert outcome.done == {"B"}
    assert outcome.warnings == {"B": SECOND}


def test_a_record_with_a_warning_is_not_settled() -> None:
    outcome = Outcome(done={"A", "B"}, skipped={"C"}, warnings={"B": FIRST})
    assert outcome.settled == {"A", "C"}


@pytest.mark.parametrize(
    ("result", "count"),
    [
        (Result.TRANSFERRED, 3),
        (Result.SKIPPED, 2),
        (Result.FAILED, 1),
        (Result.WARNED, 1),
    ],
)
def test_each_result_is_counted(result: Result, count: int) -> None:
    outcome = Outcome(
        done={"A", "B", "C"},
        skipped={"D", "E"},
        failures={"F": FIRST},
        warnings={"A": SECOND},
    )
    assert outcome.count(result) == count
