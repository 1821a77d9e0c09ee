"""The consumers of one Vault's queues, kept in step with the queues that the Vault says it has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from services.connector.vaults.faults import Patience
from services.connector.vaults.vaults import ConnectedVault
from shared.client.results import text
from shared.runtime.concurrency import concurrently
from shared.runtime.logging import get_logger
from shared.spark.consumer import Consumer
from shared.spark.topology import queue_state, sequential_queue

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ConsumedQueue:
    """A Spark queue to consume: whether it is ``inbound`` or ``outbound``, and whether one message at a time."""

    name: str
    direction: str
    sequential: bool


Build = Callable[[ConsumedQueue, str], Consumer]
"""A consumer for a Spark queue and the broker's queue that holds its messages."""


class QueueConsumers:
    """Consumes every Spark queue of a Vault, outbound ones only while their delivery is enabled."""

    def __init__(
        self,
        vault: ConnectedVault,
        build: Build,
        patience: Patience,
        interval: float,
        grace: float,
    ) -> None:
        """``interval`` is how often the Vault is asked for its queues, ``grace`` bounds a stop; in seconds."""
        self._vault = vault
        self._build = build
        self._patience = patience
        self._interval = interval
        self._grace = grace
        self._running: dict[ConsumedQueue, list[Consumer]] = {}
        self._known = False

    async def run(self) -> None:
        """Keep the consumers in step until cancelled; what runs then is stopped by ``stop``."""
        while True:
            wanted = await self._patience.wait_for(
                f"queues of {self._vault.name}", self._wanted
            )
            for queue in self._running.keys() - wanted:
                for consumer in self._running.pop(queue):
                    await consumer.stop(self._grace)
                _log.info(
                    "queue no longer consumed", vault=self._vault.name, queue=queue.name
                )
            for queue in wanted - self._running.keys():
                names = await self._patience.wait_for(
                    f"broker of {self._vault.name}", partial(self._holders, queue)
                )
                self._running[queue] = [self._build(queue, name) for name in names]
                for consumer in self._running[queue]:
                    await consumer.start()
                _log.info(
                    "queue consumed",
                    vault=self._vault.name,
                    queue=queue.name,
                    direction=queue.direction,
                )
            self._known = True
            await asyncio.sleep(self._interval)

    async def stop(self) -> None:
        """Stop all consumers at once, their handlers finished or their deliveries returned."""
        consumers = [
            consumer for running in self._running.values() for consumer in running
        ]
        self._running = {}
        async with concurrently() as group:
            for consumer in consumers:
                group.create_task(consumer.stop(self._grace))

    async def check(self) -> str | None:
        """Readiness: why messages of this Vault cannot arrive yet, or no longer."""
        if not self._known:
            return f"the queues of {self._vault.name} are not known yet"
        waiting = [
            queue.name
            for queue, running in self._running.items()
            if not all(each.is_subscribed for each in running)
        ]
        return f"not subscribed to {', '.join(waiting)}" if waiting else None

    async def _holders(self, queue: ConsumedQueue) -> tuple[str, ...]:
        """The broker's queues that may hold messages of a Spark queue, also from before it became sequential or not."""
        ordered = sequential_queue(queue.name)
        if (
            queue.sequential
            or await queue_state(self._vault.consuming, ordered) is not None
        ):
            return queue.name, ordered
        return (queue.name,)

    async def _wanted(self) -> set[ConsumedQueue]:
        """Queues to consume; an inactive one still gives what it holds."""
        async with concurrently() as group:
            listing = group.create_task(self._vault.client.queues())
            components = group.create_task(self._vault.client.configuration("Queue"))
        listed = {text(row, "name"): text(row, "type") for row in listing.result()}
        sequential = {
            text(row, "name")
            for row in components.result()
            if row.get("sequential") is True
        }
        outbound = [
            name for name, direction in listed.items() if direction == "outbound"
        ]
        async with concurrently() as group:
            reads = {
                name: group.create_task(self._vault.client.queue(name))
                for name in outbound
            }
        held = {
            name
            for name, read in reads.items()
            if text(read.result(), "delivery") == "disabled"
        }
        return {
            ConsumedQueue(name, direction, name in sequential)
            for name, direction in listed.items()
            if direction in ("inbound", "outbound") and name not in held
        }
