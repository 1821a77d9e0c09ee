"""A consumer's memory of failures: pauses grow by message, and lines are written on a change only."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.runtime.retry_policies import REDELIVERY
from shared.spark.consumer import Failures
from shared.spark.subscription import Delivery
from shared.spark.topology import DELIVERY_LIMIT
from tests.captured_logs import own_logs


def delivery(message_id: str, returns: int = 0) -> Delivery:
    return Delivery(b"{}", message_id, {"x-delivery-count": returns}, returns > 0, "q")


def test_pauses_double_by_message_up_to_the_longest() -> None:
    failures = Failures("q", replace(REDELIVERY, first_pause=0.5, longest_pause=3.0))
    pauses = [failures.failed([delivery("a")], ValueError()) for _ in range(5)]
    assert pauses == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert failures.failed([delivery("b")], ValueError()) == 0.5


def test_a_batch_waits_as_long_as_its_worst_message() -> None:
    failures = Failures("q", replace(REDELIVERY, first_pause=1.0))
    failures.failed([delivery("a")], ValueError())
    assert failures.failed([delivery("a"), delivery("b")], ValueError()) == 2.0


def test_what_the_broker_counted_elsewhere_counts_here() -> None:
    failures = Failures("q", replace(REDELIVERY, first_pause=1.0))
    assert failures.failed([delivery("a", returns=3)], ValueError()) == 8.0


def test_messages_without_id_are_distinguished_by_body() -> None:
    failures = Failures("q", replace(REDELIVERY, first_pause=1.0))
    one, other = Delivery(b"1", "", {}, False, "q"), Delivery(b"2", "", {}, False, "q")
    assert [
        failures.failed([message], ValueError()) for message in (one, one, other)
    ] == [1.0, 2.0, 1.0]


def test_one_line_when_it_begins_and_one_when_all_is_well() -> None:
    failures = Failures("q", replace(REDELIVERY, first_pause=1.0))
    with own_logs() as lines:
        failures.succeeded([delivery("x")])
        failures.failed([delivery("a")], ValueError("text"))
        failures.failed([delivery("b")], ValueError("text"))
        failures.succeeded([delivery("x")])
        failures.succeeded([delivery("a")])
        failures.failed([delivery("b")], ValueError("text"))
        failures.succeeded([delivery("b")])
        failures.succeeded([delivery("c")])
    assert [line["log_level"] for line in lines] == ["error", "info"]
    assert lines[1]["failures"] == 3


@pytest.mark.parametrize("returns", [DELIVERY_LIMIT, DELIVERY_LIMIT + 5])
def test_a_message_on_its_way_to_the_dead_letters_is_forgotten(returns: int) -> None:
    failures = Failures("q", replace(REDELIVERY, first_pause=1.0))
    with own_logs() as lines:
        failures.failed([delivery("a", returns=returns)], ValueError())
        failures.failed([delivery("b", returns=returns)], ValueError())
    assert len(lines) == 2
