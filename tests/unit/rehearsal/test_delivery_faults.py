"""The messages that the relay publishes of a batch, in order, under faults of queues."""

from __future__ import annotations

from collections.abc import Sequence

from shared.vault.rehearsal.delivery_faults import DeliveryFaults, Waiting
from tests.unit.rehearsal.switching import Rehearsed


def messages(*positions: int, queue: str = "out__c") -> list[Waiting]:
    return [Waiting(position, queue) for position in positions]


def taken(faults: DeliveryFaults, outbox: Sequence[Waiting]) -> list[int]:
    """The published messages of an outbox, as the relay takes them."""
    delayed = faults.delayed()
    return faults.arranged([each for each in outbox if each.position not in delayed])


def test_without_a_switch_all_in_order() -> None:
    faults = DeliveryFaults(Rehearsed().switches)
    assert taken(faults, messages(1, 2, 3)) == [1, 2, 3]
    assert faults.in_sequence(messages(1, 2, 3)) == [1, 2, 3]


def test_twice() -> None:
    rehearsed = Rehearsed()
    rehearsed.on("delivered_twice", share="50")
    faults = DeliveryFaults(rehearsed.switches)
    assert taken(faults, messages(1, 2, 3, 4)) == [1, 2, 2, 3, 4, 4]


def test_only_the_queue_that_is_named() -> None:
    rehearsed = Rehearsed()
    rehearsed.on("delivered_twice", share="100", queue="out*")
    faults = DeliveryFaults(rehearsed.switches)
    assert taken(faults, [*messages(1), *messages(2, queue="in__c")]) == [1, 1, 2]


def test_late_until_its_time_has_come() -> None:
    rehearsed = Rehearsed()
    rehearsed.on("delivery_delayed", calls="1", seconds="10")
    faults = DeliveryFaults(rehearsed.switches)
    assert taken(faults, messages(1, 2)) == [2]
    assert taken(faults, messages(1)) == []
    rehearsed.later(seconds=10)
    assert taken(faults, messages(1, 3)) == [1, 3]
    assert faults.delayed() == []


def test_late_until_its_switch_ends() -> None:
    rehearsed = Rehearsed()
    switch = rehearsed.on("delivery_delayed", share="100")
    faults = DeliveryFaults(rehearsed.switches)
    assert taken(faults, messages(1, 2)) == []
    rehearsed.switches.remove(switch.switch_id)
    assert taken(faults, messages(1, 2)) == [1, 2]


def test_every_other_message_is_overtaken() -> None:
    rehearsed = Rehearsed()
    rehearsed.on("out_of_order", share="100", seconds="10")
    faults = DeliveryFaults(rehearsed.switches)
    assert taken(faults, messages(1, 2, 3, 4, 5)) == [2, 1, 4, 3]
    assert faults.again()
    assert not faults.again()
    # The last one has nobody to be overtaken by until a further one comes.
    assert taken(faults, messages(5)) == []
    assert taken(faults, messages(5, 6)) == [6]
    assert faults.again()
    assert taken(faults, messages(5)) == [5]


def test_nobody_overtakes_for_ever() -> None:
    rehearsed = Rehearsed()
    rehearsed.on("out_of_order", share="100", seconds="10")
    faults = DeliveryFaults(rehearsed.switches)
    assert taken(faults, messages(1)) == []
    rehearsed.later(seconds=10)
    assert taken(faults, messages(1)) == [1]


def test_messages_of_another_queue_overtake_nothing() -> None:
    rehearsed = Rehearsed()
    rehearsed.on("out_of_order", calls="1")
    faults = DeliveryFaults(rehearsed.switches)
    assert taken(faults, [*messages(1), *messages(2, queue="in__c")]) == [2]
    assert faults.delayed() == [1]


def test_a_sequence_keeps_its_order() -> None:
    rehearsed = Rehearsed()
    rehearsed.on("out_of_order", share="100")
    rehearsed.on("delivery_delayed", calls="1", seconds="10")
    faults = DeliveryFaults(rehearsed.switches)
    assert faults.in_sequence(messages(1, 2, 3)) == []
    rehearsed.on("delivered_twice", calls="1")
    rehearsed.later(seconds=10)
    assert faults.in_sequence(messages(1, 2, 3)) == [1, 2, 2, 3]
