"""The consumed queues: those of the Vault; outbound ones only while their delivery is enabled."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from local.polling import holds_within
from services.connector.consumers import ConsumedQueue, QueueConsumers
from services.connector.vaults.vaults import ConnectedVault, Patience
from shared.client.errors import VaultUnavailable
from shared.spark.consumer import Consumer
from shared.spark.topology import Direction, sequential_queue
from tests.unit.connector.brokers import MemoryBroker, MemoryConsumer
from tests.unit.connector.memory_client import MemoryClient
from tests.unit.connector.standard_vaults import medical_vault

IN, OUT = "medical_crm_inbound_queue__v", "medical_crm_outbound_queue__v"


@dataclass
class Consumed:
    """A Vault whose queues are consumed, and every consumer that was made, by queue of the broker."""

    vault: MemoryClient = field(default_factory=medical_vault)
    broker: MemoryBroker = field(default_factory=MemoryBroker)
    patience: Patience = field(default_factory=Patience)
    made: dict[str, list[MemoryConsumer]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        end = ConnectedVault(
            "medical",
            self.vault.vault_id,
            self.vault.as_client,
            cast("Any", self.broker),
            cast("Any", None),
        )
        self.consumers = QueueConsumers(end, self._build, self.patience, 0.01, 0)

    def _build(self, _queue: ConsumedQueue, name: str) -> Consumer:
        made = MemoryConsumer(self.broker, name)
        self.made.setdefault(name, []).append(made)
        return cast("Consumer", made)

    @property
    def running(self) -> set[str]:
        """The broker's queues that are subscribed to."""
        return {
            name
            for name, made in self.made.items()
            if any(each.is_subscribed for each in made)
        }

    async def until(self, expected: set[str]) -> None:
        """Wait until these queues are subscribed to, and no others."""
        assert await holds_within(5, lambda: self.running == expected), self.running


@pytest.fixture
async def consumed() -> Any:
    made = Consumed()
    running = asyncio.create_task(made.consumers.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_every_queue_is_consumed(consumed: Consumed) -> None:
    await consumed.until({IN, OUT})
    assert await consumed.consumers.check() is None


async def test_a_queue_whose_delivery_is_disabled_is_not_consumed(
    consumed: Consumed,
) -> None:
    await consumed.until({IN, OUT})
    consumed.vault.queue_rows[OUT] = {"delivery": "disabled"}
    await consumed.until({IN})
    consumed.vault.queue_rows[OUT] = {"delivery": "enabled"}
    await consumed.until({IN, OUT})


async def test_a_queue_that_is_added_is_consumed_and_one_of_another_kind_is_not(
    consumed: Consumed,
) -> None:
    consumed.vault.components["Queue"] = [
        {"name": "new__c", "type": "inbound"},
        {"name": "jobs__c", "type": "job"},
    ]
    await consumed.until({"new__c"})


async def test_of_a_sequential_queue_both_queues_of_the_broker_are_consumed(
    consumed: Consumed,
) -> None:
    queue = {"name": "new__c", "type": "inbound", "sequential": True}
    consumed.vault.components["Queue"] = [queue]
    await consumed.until({"new__c", sequential_queue("new__c")})


async def test_of_a_queue_that_was_sequential_the_other_queue_is_emptied_too(
    consumed: Consumed,
) -> None:
    consumed.broker.queues.add(sequential_queue("new__c"))
    consumed.vault.components["Queue"] = [{"name": "new__c", "type": "inbound"}]
    await consumed.until({"new__c", sequential_queue("new__c")})


async def test_a_vault_that_is_away_is_waited_for() -> None:
    consumed = Consumed()
    consumed.vault.fail_calls("queues", VaultUnavailable("away"))
    running = asyncio.create_task(consumed.consumers.run())
    waiting = await consumed.consumers.check()
    assert waiting == "the queues of medical are not known yet"
    await consumed.until({IN, OUT})
    running.cancel()


async def test_a_consumer_that_has_lost_its_subscription_is_named(
    consumed: Consumed,
) -> None:
    await consumed.until({IN, OUT})
    consumed.made[IN][0].is_subscribed = False
    assert await consumed.consumers.check() == f"not subscribed to {IN}"


async def test_a_stop_stops_all_consumers() -> None:
    consumed = Consumed()
    running = asyncio.create_task(consumed.consumers.run())
    await consumed.until({IN, OUT})
    # As the process does it: the consumers are kept in step no more when they are stopped.
    running.cancel()
    await consumed.consumers.stop()
    assert consumed.running == set()


def test_directions_are_those_of_the_api() -> None:
    assert {each.value for each in Direction} == {"inbound", "outbound"}
