"""The counts of a batch add up, whatever the results of its records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.connector.messages.units import RunBatch, requested_run, run_of
from services.connector.points.transfer import Outcome
from services.connector.rules.item_failures import ItemErrorType, ItemFailure
from services.connector.runs.run_reports import counts
from shared.spark.envelope import JsonValue, Message
from shared.vault.integrations.run_model import Counts

fates = st.one_of(st.sampled_from(["done", "skipped"]), st.sampled_from(ItemErrorType))


@given(st.lists(fates, max_size=30), st.sets(st.integers(0, 29)))
def test_counts_of_any_outcome_add_up(
    story: list[str | ItemErrorType], ignored: set[int]
) -> None:
    outcome = Outcome()
    for number, fate in enumerate(story):
        if isinstance(fate, ItemErrorType):
            outcome.fail(str(number), ItemFailure(fate, "a reason"))
        else:
            (outcome.done if fate == "done" else outcome.skipped).add(str(number))
    # An item that only warns may be ignored, too, although its record is written.
    named = {str(number) for number in ignored if number < len(story)}
    # Also of a record that failed, some rows may have been written.
    outcome.changed = {str(number) for number in range(0, len(story), 2)}
    made = Counts(**counts(outcome, len(story), named))
    made.check()
    assert made.unchanged == len(outcome.done - outcome.changed)
    assert made.read == len(story)
    assert made.failed == len(outcome.failures.keys() - named)
    assert made.written == len(outcome.done)


def test_a_unit_that_failed_as_a_whole_has_failed_in_each_record() -> None:
    made = Counts(**counts(None, 7))
    made.check()
    assert (made.read, made.failed, made.mapped) == (7, 7, 0)
    made = Counts(**counts(None, 7, {"a", "b"}))
    made.check()
    assert (made.read, made.failed, made.skipped) == (7, 5, 2)


@pytest.mark.parametrize(
    ("attributes", "batch", "asks"),
    [
        (
            {"event": "run", "integration": "i__v", "run": 1001},
            RunBatch("i__v", 1001),
            True,
        ),
        (
            {"event": "run_batch", "integration": "i__v", "run": 1001, "batch": 3},
            RunBatch("i__v", 1001, 3),
            False,
        ),
        ({"event": "transfer", "integration": "i__v", "run": 1001}, None, False),
        ({"event": "run", "run": 1001}, None, False),
        ({"event": "run", "integration": "i__v", "run": True}, None, False),
        (
            {"event": "run_batch", "integration": "i__v", "run": 1001, "batch": "3"},
            None,
            False,
        ),
    ],
    ids=[
        "request",
        "batch",
        "other event",
        "no integration",
        "no number",
        "batch as text",
    ],
)
def test_runs_in_messages(
    attributes: dict[str, JsonValue], batch: RunBatch | None, *, asks: bool
) -> None:
    message = Message(attributes, ())
    assert run_of(message) == batch
    assert (requested_run(message) is not None) == asks
