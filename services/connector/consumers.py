"""The consumers of one Vault's queues, kept in step with the queues that the Vault says it has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from services.connector.concurrency import concurrently
from services.connector.configuration import text
from services.connector.faults import Patience
from services.connector.vaults import ConnectedVault
from shared.runtime.logging import get_logger
from shared.spark.consumer import Consumer

_log = get_logger(__name__)

Build = Callable[[str, str], Consumer]
"""A consumer for (queue name, "inbound" or "outbound")."""


class QueueConsumers:
    """Consumes every Spark queue of a Vault, outbound ones only while their delivery is enabled."""

    def __init__(self, vault: ConnectedVault, build: Build, patience: Patience, interval: float, grace: float) -> None:
        """``interval`` is how often the Vault is asked for its queues, ``grace`` bounds a stop; in seconds."""
        self._vault = vault
        self._build = build
        self._patience = patience
        self._interval = interval
        self._grace = grace
        self._running: dict[str, Consumer] = {}
        self._known = False

    async def run(self) -> None:
        """Keep the consumers in step until cancelled; what runs then is stopped by ``stop``."""
        while True:
            wanted = await self._patience.wait_for(f"queues of {self._vault.name}", self._wanted)
            for name in self._running.keys() - wanted.keys():
                await self._running.pop(name).stop(self._grace)
                _log.info("queue no longer consumed", vault=self._vault.name, queue=name)
            for name, direction in wanted.items():
                if name not in self._running:
                    consumer = self._running[name] = self._build(name, direction)
                    await consumer.start()
                    _log.info("queue consumed", vault=self._vault.name, queue=name, direction=direction)
            self._known = True
            await asyncio.sleep(self._interval)

    async def stop(self) -> None:
        """Stop all consumers at once, their handlers finished or their deliveries returned."""
        consumers, self._running = list(self._running.values()), {}
        async with concurrently() as group:
            for consumer in consumers:
                group.create_task(consumer.stop(self._grace))

    async def check(self) -> str | None:
        """Readiness: why messages of this Vault cannot arrive yet, or no longer."""
        if not self._known:
            return f"the queues of {self._vault.name} are not known yet"
        waiting = [name for name, consumer in self._running.items() if not consumer.is_subscribed]
        return f"not subscribed to {', '.join(waiting)}" if waiting else None

    async def _wanted(self) -> Mapping[str, str]:
        """Queues to consume, by name, with their direction; an inactive queue still gives what it holds."""
        listed = {text(row, "name"): text(row, "type") for row in await self._vault.client.queues()}
        outbound = [name for name, direction in listed.items() if direction == "outbound"]
        async with concurrently() as group:
            reads = {name: group.create_task(self._vault.client.queue(name)) for name in outbound}
        held = {name for name, read in reads.items() if text(read.result(), "delivery") == "disabled"}
        return {
            name: direction
            for name, direction in listed.items()
            if direction in ("inbound", "outbound") and name not in held
        }
