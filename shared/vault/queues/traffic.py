"""Reads the traffic of a Vault's queues, once for all callers within a few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.spark.broker_errors import BrokerUnavailable
from shared.spark.topology import queue_state, sequential_queue
from shared.vault.access.permissions import Grant, authorize
from shared.vault.queues.outbox import direction_of

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.spark.connection import BrokerConnection
    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.model.component_model import Queue
    from shared.vault.storage.database import Database

CACHE_SECONDS = 3.0
BROKER_TIMEOUT = 5.0  # seconds, for all queues together
WINDOW_SECONDS = 60  # of the rates

# Of outbound queues; what has left the outbox and is not reported yet is at the broker or with the connector.
SENDING = f"""
SELECT queue, count(*) FILTER (WHERE sent > now() - interval '{WINDOW_SECONDS} seconds') AS sent,
    count(*) FILTER (WHERE delivered > now() - interval '{WINDOW_SECONDS} seconds' AND error IS NULL) AS delivered,
    count(*) FILTER (WHERE delivered > now() - interval '{WINDOW_SECONDS} seconds' AND error IS NOT NULL) AS removed
FROM platform.sent_message WHERE sent > now() - interval '1 hour' GROUP BY queue
"""
IN_OUTBOX = """
SELECT queue, count(*) AS waiting, min(enter_queue_timestamp) AS oldest FROM platform.outbox GROUP BY queue
"""
UNDER_WAY = """
SELECT queue, min(entered) AS oldest FROM platform.sent_message
WHERE delivered IS NULL AND sent > now() - interval '1 day' GROUP BY queue
"""
SWITCHED_OFF = "SELECT queue FROM platform.queue_delivery WHERE NOT enabled"
FAILING = "SELECT DISTINCT queue FROM platform.queue_connection WHERE NOT delivered"
WRITTEN = f"""
SELECT coalesce(sum(coalesce(cardinality(l.record_ids), 1)), 0) AS records, count(DISTINCT k.message_id) AS messages
FROM platform.lineage_call k JOIN platform.lineage l ON l.call = k.id
WHERE k.written > now() - interval '{WINDOW_SECONDS} seconds'
"""
OPEN_EXCEPTIONS = """
SELECT count(*) FROM (
    SELECT FROM records.exception_message__sys WHERE error_status__sys = 'open__sys' LIMIT 1000
) e
"""


@dataclass(frozen=True, slots=True)
class QueueTraffic:
    """The present state of one queue.

    ``waiting`` counts the messages in the outbox and at the broker, and ``consumers`` its consumers; both are None
    while the broker does not answer. ``oldest`` is when the oldest message was queued, if known; ``sent``,
    ``delivered`` and ``removed`` count messages of the last minute.
    """

    queue: Queue
    waiting: int | None
    consumers: int | None
    oldest: datetime | None
    sent: int
    delivered: int
    removed: int
    delivering: bool
    failing: bool

    @property
    def fault(self) -> str:
        """Return the fault of the queue, in words; empty when there is none."""
        if not self.queue.active:
            return "inactive"
        if not self.delivering:
            return "delivery is disabled"
        if self.waiting is None:
            return "the broker does not answer"
        # A queue that sends has consumers while delivery is on; an empty one may wait for its first message.
        if self.waiting and not self.consumers:
            return "no consumer takes its messages"
        return "its latest message was not delivered" if self.failing else ""


@dataclass(frozen=True, slots=True)
class Traffic:
    """The traffic of the Vault at a moment; numbers of written records are those of the last minute."""

    taken: datetime
    queues: tuple[QueueTraffic, ...]
    records_written: int
    messages_written: int
    open_exceptions: int

    def of(self, name: str) -> QueueTraffic | None:
        """Return the traffic of one queue."""
        return next((each for each in self.queues if each.queue.name == name), None)


class TrafficCache:
    """Caches the traffic for all callers, and reads it again when it is older than 3 seconds."""

    def __init__(
        self,
        database: Database,
        broker: BrokerConnection,
        components: ComponentService,
    ) -> None:
        self._database = database
        self._broker = broker
        self._components = components
        self._lock = asyncio.Lock()
        self._latest: Traffic | None = None

    async def read(self, caller: Caller) -> Traffic:
        """Return the traffic, at most 3 seconds old.

        :raises VaultFault: INSUFFICIENT_ACCESS
        """
        authorize(caller, Grant.READ_QUEUES)
        # Whoever looks meanwhile waits for the same picture.
        async with self._lock:
            latest = self._latest
            if latest is None or _age(latest) >= CACHE_SECONDS:
                latest = self._latest = await self._take()
        return latest

    async def _take(self) -> Traffic:
        async with self._database.connection() as connection:
            sending = _by_queue(await connection.fetch(SENDING))
            outbox = _by_queue(await connection.fetch(IN_OUTBOX))
            under_way = _by_queue(await connection.fetch(UNDER_WAY))
            off = {row["queue"] for row in await connection.fetch(SWITCHED_OFF)}
            failing = {row["queue"] for row in await connection.fetch(FAILING)}
            (written,) = await connection.fetch(WRITTEN)
            exceptions: int = await connection.fetchval(OPEN_EXCEPTIONS)
        at_broker = await self._at_broker()
        queues = []
        for queue in self._spark_queues():
            name = queue.name
            counts, stored = sending.get(name), outbox.get(name)
            states = at_broker.get(name)
            messages, consumers = states or (None, None)
            waiting = stored["waiting"] if stored else 0
            # What arrives is taken without a report.
            unreported = under_way.get(name) if queue.type.delivers else None
            moments = [each["oldest"] for each in (stored, unreported) if each]
            queues.append(
                QueueTraffic(
                    queue,
                    waiting=None if messages is None else messages + waiting,
                    consumers=consumers,
                    oldest=min(moments, default=None),
                    sent=counts["sent"] if counts else 0,
                    delivered=counts["delivered"] if counts else 0,
                    removed=counts["removed"] if counts else 0,
                    delivering=name not in off,
                    failing=name in failing,
                )
            )
        return Traffic(
            taken=datetime.now(UTC),
            queues=tuple(queues),
            records_written=written["records"],
            messages_written=written["messages"],
            open_exceptions=exceptions,
        )

    def _spark_queues(self) -> list[Queue]:
        """Return the queues of messages; those of jobs exist in the database only."""
        queues = self._components.registry.queues.values()
        return [queue for queue in queues if direction_of(queue) is not None]

    async def _at_broker(self) -> dict[str, tuple[int, int]]:
        """Return messages and consumers of each queue at the broker; queues after a missing answer are omitted."""
        found: dict[str, tuple[int, int]] = {}
        try:
            # For all of them together: with many queues, who looks would wait for each.
            async with asyncio.timeout(BROKER_TIMEOUT):
                for queue in self._spark_queues():
                    found[queue.name] = await self._queue_at_broker(queue)
        except (BrokerUnavailable, TimeoutError):
            return found
        return found

    async def _queue_at_broker(self, queue: Queue) -> tuple[int, int]:
        """Return messages and consumers of one queue at the broker, including those of its sequential queue.

        :raises BrokerUnavailable: when RabbitMQ does not reply.
        """
        names = [queue.name]
        if queue.sequential:
            names.append(sequential_queue(queue.name))
        states = [
            await queue_state(self._broker, name, BROKER_TIMEOUT) for name in names
        ]
        known = [state for state in states if state is not None]
        messages = sum(state.messages for state in known)
        return messages, sum(state.consumers for state in known)


def _age(traffic: Traffic) -> float:
    return (datetime.now(UTC) - traffic.taken).total_seconds()


def _by_queue(rows: list[Record]) -> Mapping[str, Record]:
    return {row["queue"]: row for row in rows}
