"""Types of queues: which of them carry messages, and in which direction."""

from __future__ import annotations

import pytest

from shared.spark.topology import Direction
from shared.vault.exceptions.exception_model import SETTLED, ErrorStatus
from shared.vault.model.component_model import Queue, QueueType
from shared.vault.queues.outbox import direction_of


@pytest.mark.parametrize(
    ("queue_type", "direction"),
    [
        (QueueType.INBOUND, Direction.INBOUND),
        (QueueType.OUTBOUND, Direction.OUTBOUND),
        (QueueType.JOB, None),
    ],
)
def test_the_direction_of_a_queue(
    queue_type: QueueType, direction: Direction | None
) -> None:
    assert direction_of(Queue("q__c", "Queue", queue_type)) == direction


@pytest.mark.parametrize(
    ("queue_type", "takes_deliveries", "delivers", "has_delivery_switch"),
    [
        (QueueType.INBOUND, True, False, False),
        (QueueType.OUTBOUND, False, True, True),
        (QueueType.JOB, False, False, True),
    ],
)
def test_the_deliveries_of_a_queue(
    queue_type: QueueType,
    takes_deliveries: bool,
    delivers: bool,
    has_delivery_switch: bool,
) -> None:
    assert queue_type.takes_deliveries is takes_deliveries
    assert queue_type.delivers is delivers
    assert queue_type.has_delivery_switch is has_delivery_switch


def test_nothing_is_left_to_retry_of_settled_exceptions() -> None:
    assert {ErrorStatus.IGNORED, ErrorStatus.RESOLVED} == SETTLED
