"""Keeps the consumers of one Vault's queues in step with the list of queues that the Vault returns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from services.connector.vaults.vaults import ConnectedVault, Patience
from shared.client.results import Row, text
from shared.runtime.logging import get_logger
from shared.runtime.waiting import concurrently
from shared.spark.consumer import Consumer
from shared.spark.topology import Direction, queue_state, sequential_queue

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ConsumedQueue:
    """A Spark queue to consume; a ``sequential`` one is consumed one message at a time."""

    name: str
    direction: Direction
    sequential: bool


Build = Callable[[ConsumedQueue, str], Consumer]
"""Makes a consumer for a Spark queue and the broker's queue that has its messages."""


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
        """Set how often the Vault is asked for its queues, and the time limit of a stop; both in seconds."""
        self._vault = vault
        self._build = build
        self._patience = patience
        self._interval = interval
        self._grace = grace
        self._running: dict[ConsumedQueue, list[Consumer]] = {}
        self._known = False

    async def run(self) -> None:
        """Keep the consumers in step until cancelled; call ``stop`` for those that still run then."""
        name = self._vault.name
        while True:
            wanted = await self._patience.wait_for(f"queues of {name}", self._required)
            # A queue that has become sequential is another one here, so it is stopped before it is started again.
            for queue in self._running.keys() - wanted:
                await self._stop_queue(queue)
            for queue in wanted - self._running.keys():
                await self._start_queue(queue)
            # From now on readiness can say which queues are subscribed to.
            self._known = True
            await asyncio.sleep(self._interval)

    async def _stop_queue(self, queue: ConsumedQueue) -> None:
        for consumer in self._running.pop(queue):
            await consumer.stop(self._grace)
        _log.info(
            "queue no longer consumed",
            vault=self._vault.name,
            queue=queue.name,
        )

    async def _start_queue(self, queue: ConsumedQueue) -> None:
        broker = f"broker of {self._vault.name}"
        names = await self._patience.wait_for(broker, partial(self._holders, queue))
        consumers = [self._build(queue, name) for name in names]
        # Known before they start: a stop that comes in between stops them, too.
        self._running[queue] = consumers
        for consumer in consumers:
            await consumer.start()
        _log.info(
            "queue consumed",
            vault=self._vault.name,
            queue=queue.name,
            direction=queue.direction.value,
        )

    async def stop(self) -> None:
        """Stop all consumers at once; their handlers finish, or their deliveries return to the queue."""
        running = self._running.values()
        consumers = [consumer for each in running for consumer in each]
        self._running = {}
        async with concurrently() as group:
            for consumer in consumers:
                group.create_task(consumer.stop(self._grace))

    async def check(self) -> str | None:
        """Return why messages of this Vault cannot arrive at present; None when they can."""
        if not self._known:
            return f"the queues of {self._vault.name} are not known yet"
        waiting = [
            queue.name
            for queue, running in self._running.items()
            if not all(consumer.is_subscribed for consumer in running)
        ]
        if waiting:
            return f"not subscribed to {', '.join(waiting)}"
        return None

    async def _holders(self, queue: ConsumedQueue) -> tuple[str, ...]:
        """Return the broker's queues that may have messages of a Spark queue."""
        ordered = sequential_queue(queue.name)
        # A queue that is no longer sequential, or was not before, may still have messages in the other one.
        if queue.sequential:
            return queue.name, ordered
        if await queue_state(self._vault.consuming, ordered) is not None:
            return queue.name, ordered
        return (queue.name,)

    async def _required(self) -> set[ConsumedQueue]:
        """Return the queues to consume, inactive ones included: they may still have messages."""
        client = self._vault.client
        async with concurrently() as group:
            listing = group.create_task(client.queues())
            components = group.create_task(client.configuration("Queue"))
        sequential = {
            text(row, "name")
            for row in components.result()
            if row.get("sequential") is True
        }
        queues = []
        for row in listing.result():
            name = text(row, "name")
            direction = _direction(row)
            if direction is not None:
                queue = ConsumedQueue(name, direction, name in sequential)
                queues.append(queue)
        disabled = await self._disabled(queues)
        return {queue for queue in queues if queue.name not in disabled}

    async def _disabled(self, queues: list[ConsumedQueue]) -> set[str]:
        """Return the names of outbound queues whose delivery is disabled."""
        client = self._vault.client
        async with concurrently() as group:
            reads = {
                queue.name: group.create_task(client.queue(queue.name))
                for queue in queues
                if queue.direction is Direction.OUTBOUND
            }
        return {
            name
            for name, read in reads.items()
            if text(read.result(), "delivery") == "disabled"
        }


def _direction(row: Row) -> Direction | None:
    # A Vault may list queues of kinds that are none of this connector's.
    try:
        return Direction(text(row, "type"))
    except ValueError:
        return None
