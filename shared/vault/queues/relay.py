"""Publishes the committed messages of the outbox, in order, with confirms."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import asyncpg
import orjson
import structlog

from shared.runtime.retry_policies import VAULT_LOOP
from shared.runtime.telemetry import metrics
from shared.runtime.waiting import end, run_until_cancelled
from shared.spark.broker_errors import BrokerUnavailable, Unroutable
from shared.spark.envelope import Envelope, Message
from shared.spark.publisher import Outgoing, Publisher
from shared.spark.topology import (
    REVISION_HEADER,
    Direction,
    declare_exchanges,
    declare_queue,
    unbind_sequential,
)
from shared.vault.queues.outbox import direction_of
from shared.vault.rehearsal.delivery_faults import DeliveryFaults, Waiting
from shared.vault.storage.database import DatabaseUnavailable

if TYPE_CHECKING:
    from shared.spark.connection import BrokerConnection
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.storage.database import Connection, Database

log = structlog.get_logger(__name__)

BATCH = 200
# Between looks at the outbox: a notification may be lost with its connection.
IDLE_SECONDS = 2.0
FAULTS = (
    BrokerUnavailable,
    Unroutable,
    DatabaseUnavailable,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
)

# SKIP LOCKED: another relay publishes those rows. Queues that are not declared yet, and those whose
# delivery is disabled, keep their messages.
TAKE = """
SELECT position, queue, direction, message_id, message, enter_queue_timestamp, revision FROM platform.outbox o
WHERE o.queue = ANY ($2::text[]) AND o.position <> ALL ($3::bigint[])
AND NOT EXISTS (SELECT FROM platform.queue_delivery d WHERE d.queue = o.queue AND NOT d.enabled)
ORDER BY position LIMIT $1 FOR UPDATE SKIP LOCKED
"""
# Published messages move from the outbox to the sent messages.
SENT = """
WITH gone AS (
    DELETE FROM platform.outbox WHERE position = ANY($1::bigint[])
    RETURNING position, message_id, queue, message, enter_queue_timestamp
)
INSERT INTO platform.sent_message (message_id, queue, object, record_id, records, entered)
SELECT message_id, queue, message -> 'attributes' ->> 'object', message -> 'items' ->> 0,
    jsonb_array_length(message -> 'items'), enter_queue_timestamp
FROM gone ORDER BY position
"""
# Locked until the transaction ends, so that one process at a time relays a sequential queue.
ALONE = "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 1))"


@dataclass(frozen=True, slots=True)
class Sender:
    """The Vault that envelopes name as their sender."""

    vault_id: int
    vault_name: str
    vault_host_name: str


@dataclass(frozen=True, slots=True, order=True)
class DeclaredQueue:
    """A Spark queue as it is declared at RabbitMQ."""

    name: str
    direction: Direction
    sequential: bool


class Relay:
    """Publishes the outbox of one Vault, in any number of processes."""

    def __init__(
        self,
        database: Database,
        broker: BrokerConnection,
        components: ComponentService,
        sender: Sender,
        faults: DeliveryFaults,
    ) -> None:
        self._database = database
        self._broker = broker
        self._components = components
        self._sender = sender
        self._faults = faults
        self._publishers: dict[Direction, Publisher] = {}
        self._declared: set[DeclaredQueue] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.last_fault: str | None = None

    def wake(self) -> None:
        """Publish the outbox at once, without waiting for the next poll."""
        self._wake.set()

    async def start(self) -> None:
        """Start publishing the outbox, until ``stop``."""
        self._task = asyncio.create_task(
            run_until_cancelled("relay", self._run), name="relay"
        )

    async def stop(self) -> None:
        """Stop publishing; a batch that is not confirmed stays in the outbox."""
        await end(self._task)
        for publisher in self._publishers.values():
            await publisher.close()

    async def _run(self) -> None:
        pauses = VAULT_LOOP.pauses()
        while True:
            self._wake.clear()
            try:
                await self._publish_all()
            except FAULTS as error:
                self._suspend(error)
                await asyncio.sleep(next(pauses))
                continue
            if self.last_fault is not None:
                log.info("relay.resumed")
                self.last_fault, pauses = None, VAULT_LOOP.pauses()
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _publish_all(self) -> None:
        """Publish all messages in the outbox.

        :raises Exception: one of ``FAULTS``.
        """
        await self.declare_queues()
        while await self._publish_batch():
            pass
        for queue in self._declared:
            while queue.sequential and await self._publish_in_sequence(queue):
                pass
        await self._count_waiting()

    def _suspend(self, error: Exception) -> None:
        """Note why publishing is suspended, and log it the first time."""
        # A broker that comes back may have lost its queues: they are declared again.
        self._declared.clear()
        reason = type(error).__name__
        if self.last_fault is None:
            log.warning("relay.waiting", reason=reason)
        self.last_fault = reason

    async def declare_queues(self) -> None:
        """Declare the queues of the Queue components that are not declared yet.

        :raises BrokerUnavailable: when RabbitMQ does not reply.
        """
        wanted = set(self._spark_queues())
        if wanted == self._declared:
            return
        new = sorted(wanted - self._declared)
        async with self._broker.short_channel() as channel:
            await declare_exchanges(channel)
            for queue in new:
                await declare_queue(
                    channel,
                    queue.name,
                    queue.direction,
                    sequential=queue.sequential,
                )
        for queue in new:
            if not queue.sequential:
                await self._unbind_sequential(queue)
        self._declared = wanted

    def _spark_queues(self) -> Iterator[DeclaredQueue]:
        for queue in self._components.registry.queues.values():
            direction = direction_of(queue)
            if direction is not None:
                yield DeclaredQueue(queue.name, direction, queue.sequential)

    async def _unbind_sequential(self, queue: DeclaredQueue) -> None:
        """Unbind the sequential queue of a queue that is no longer sequential; its messages stay on it."""
        async with self._broker.short_channel() as channel:
            await unbind_sequential(channel, queue.name, queue.direction)

    async def _publish_batch(self) -> bool:
        """Publish up to a batch of messages of the queues that are not sequential; return whether there may be more.

        :raises Unroutable: when RabbitMQ returned some of them; the others are published.
        :raises BrokerUnavailable: when RabbitMQ does not reply; nothing is deleted then.
        """
        returned: Unroutable | None = None
        queues = [queue.name for queue in self._declared if not queue.sequential]
        faults = self._faults
        # Mostly no fault is switched on, and none has left anything to be done.
        rehearsed = bool(
            faults.switches.known_by_id or faults.delayed_by_position or faults.released
        )
        async with self._database.transaction() as connection:
            delayed = faults.delayed() if rehearsed else []
            rows = await connection.fetch(TAKE, BATCH, queues, delayed)
            due: Sequence[asyncpg.Record] = rows
            if rehearsed:
                due = _by_position(rows, faults.arranged(_waiting(rows)))
            unroutable: set[str] = set()
            for direction in Direction:
                of_direction = [row for row in due if row["direction"] == direction]
                outgoing = [self._outgoing(row) for row in of_direction]
                try:
                    await self._publisher(direction).publish_all(outgoing)
                except Unroutable as error:
                    returned = error
                    unroutable.update(error.message_ids)
            published = [row for row in due if row["message_id"] not in unroutable]
            await self._delete(connection, [row["position"] for row in published])
        # After the commit: what was published must not be published again.
        if returned is not None:
            raise returned
        return len(rows) == BATCH or (rehearsed and faults.again())

    async def _publish_in_sequence(self, queue: DeclaredQueue) -> bool:
        """Publish up to a batch of a sequential queue, each message confirmed before the next.

        The result says whether there may be more messages.

        :raises BrokerUnavailable: when RabbitMQ does not reply.
        :raises Unroutable: when RabbitMQ returned a message.
        """
        stopped: BrokerUnavailable | Unroutable | None = None
        publisher = self._publisher(queue.direction)
        async with self._database.transaction() as connection:
            if not await connection.fetchval(ALONE, queue.name):
                return False
            # All of them: behind what is held nothing of a sequence is published.
            rows = await connection.fetch(TAKE, BATCH, [queue.name], [])
            due = _by_position(rows, self._faults.in_sequence(_waiting(rows)))
            confirmed: list[int] = []
            for row in due:
                try:
                    await publisher.publish(self._outgoing(row))
                except (BrokerUnavailable, Unroutable) as error:
                    stopped = error
                    break
                confirmed.append(row["position"])
            # Also after a fault: published again they would stand behind their followers.
            await self._delete(connection, confirmed)
        if stopped is not None:
            raise stopped
        return len(rows) == BATCH and bool(confirmed)

    async def _count_waiting(self) -> None:
        async with self._database.connection() as connection:
            waiting = await connection.fetchval("SELECT count(*) FROM platform.outbox")
        metrics.outbox_waiting.set(waiting)

    @staticmethod
    async def _delete(connection: Connection, positions: list[int]) -> None:
        if positions:
            await connection.execute(SENT, positions)

    def _publisher(self, direction: Direction) -> Publisher:
        if direction not in self._publishers:
            publisher = Publisher(self._broker, direction.exchange)
            self._publishers[direction] = publisher
        return self._publishers[direction]

    def _outgoing(self, row: asyncpg.Record) -> Outgoing:
        stored = orjson.loads(row["message"])
        message = Message(stored["attributes"], tuple(stored["items"]))
        envelope = Envelope(
            vault_name=self._sender.vault_name,
            vault_host_name=self._sender.vault_host_name,
            queue_name=row["queue"],
            enter_queue_timestamp=row["enter_queue_timestamp"],
            send_message_timestamp=datetime.now(UTC),
            send_attempt=1,
            message_id=row["message_id"],
            message=message,
        )
        headers: dict[str, str | int] = {"vault_id": self._sender.vault_id}
        if row["revision"] is not None:
            headers[REVISION_HEADER] = row["revision"]
        return Outgoing(
            queue=row["queue"],
            body=envelope.encode(),
            message_id=envelope.message_id,
            headers=headers,
        )


def _waiting(rows: Sequence[asyncpg.Record]) -> list[Waiting]:
    """Return the messages in rows of the outbox."""
    return [Waiting(row["position"], row["queue"]) for row in rows]


def _by_position(
    rows: Sequence[asyncpg.Record],
    positions: Sequence[int],
) -> list[asyncpg.Record]:
    """Return the rows at these positions of the outbox, in the order of ``positions``."""
    known = {row["position"]: row for row in rows}
    return [known[position] for position in positions]
