"""The relay: takes committed messages out of the outbox and publishes them, in order, with confirms."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import asyncpg
import orjson
import structlog

from shared.runtime.process import end, run_until_cancelled
from shared.runtime.telemetry import metrics
from shared.runtime.waiting import delays
from shared.spark.broker_errors import BrokerUnavailable, Unroutable
from shared.spark.envelope import Envelope, Message
from shared.spark.publisher import Outgoing, Publisher
from shared.spark.topology import (
    Direction,
    declare_exchanges,
    declare_queue,
    queue_state,
    sequential_queue,
    unbind_sequential,
)
from shared.vault.storage.database import DatabaseUnavailable

if TYPE_CHECKING:
    from shared.spark.connection import BrokerConnection
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.storage.database import Connection, Database

log = structlog.get_logger(__name__)

BATCH = 200
MAX_PAUSE = 3.0  # seconds between attempts while the database or the broker is away
IDLE_SECONDS = (
    2.0  # the poll beneath the notifications, for one that was lost with its connection
)
FAULTS = (
    BrokerUnavailable,
    Unroutable,
    DatabaseUnavailable,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
)

# Rows another relay holds are skipped, and so are queues that are not declared here, and those whose delivery an
# administrator has disabled.
TAKE = """
SELECT position, queue, direction, message_id, message, enter_queue_timestamp FROM platform.outbox o
WHERE o.queue = ANY ($2::text[])
AND NOT EXISTS (SELECT FROM platform.queue_delivery d WHERE d.queue = o.queue AND NOT d.enabled)
ORDER BY position LIMIT $1 FOR UPDATE SKIP LOCKED
"""
# Held to the end of the transaction, so that one process at a time relays a sequential queue.
ALONE = "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 1))"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who the envelopes say they come from."""

    vault_id: int
    vault_name: str
    vault_host_name: str


@dataclass(frozen=True, slots=True, order=True)
class DeclaredQueue:
    """A Spark queue as the broker has it."""

    name: str
    direction: str
    sequential: bool


class Relay:
    """Publishes the outbox of one Vault; any number of processes may run one."""

    def __init__(
        self,
        database: Database,
        broker: BrokerConnection,
        components: ComponentService,
        sender: Sender,
    ) -> None:
        self._database = database
        self._broker = broker
        self._components = components
        self._sender = sender
        self._publishers: dict[str, Publisher] = {}
        self._declared: set[DeclaredQueue] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.last_fault: str | None = None

    def wake(self) -> None:
        """Look into the outbox now."""
        self._wake.set()

    async def start(self) -> None:
        """Relay until ``stop``."""
        self._task = asyncio.create_task(
            run_until_cancelled("relay", self._run), name="relay"
        )

    async def stop(self) -> None:
        """End; a batch under way is confirmed and deleted, or stays in the outbox."""
        await end(self._task)
        for publisher in self._publishers.values():
            await publisher.close()

    async def _run(self) -> None:
        pauses = delays(ceiling=MAX_PAUSE)
        while True:
            self._wake.clear()
            try:
                await self.declare_queues()
                while await self._publish_batch():
                    pass
                for queue in self._declared:
                    while queue.sequential and await self._publish_in_sequence(queue):
                        pass
                await self._count_waiting()
            except FAULTS as error:
                self._declared.clear()
                if self.last_fault is None:
                    log.warning("relay.waiting", reason=type(error).__name__)
                self.last_fault = type(error).__name__
                await asyncio.sleep(next(pauses))
                continue
            if self.last_fault is not None:
                log.info("relay.resumed")
            self.last_fault, pauses = None, delays(ceiling=MAX_PAUSE)
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def declare_queues(self) -> None:
        """Make the broker's queues those of the Queue components; what is there already stays."""
        queues = self._components.registry.queues.values()
        wanted = {
            DeclaredQueue(q.name, q.type, q.sequential)
            for q in queues
            if q.type != "job"
        }
        if wanted == self._declared:
            return
        async with self._broker.short_channel() as channel:
            await declare_exchanges(channel)
            for queue in sorted(wanted - self._declared):
                await declare_queue(
                    channel, queue.name, queue.direction, sequential=queue.sequential
                )
        for queue in sorted(wanted - self._declared):
            if (
                not queue.sequential
                and await queue_state(self._broker, sequential_queue(queue.name))
                is not None
            ):
                async with self._broker.short_channel() as channel:
                    await unbind_sequential(channel, queue.name, queue.direction)
        self._declared = wanted

    async def _publish_batch(self) -> bool:
        """Publish up to a batch; whether there may be more. Raises Unroutable when all but some were published."""
        lost: Unroutable | None = None
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                TAKE, BATCH, [q.name for q in self._declared if not q.sequential]
            )
            kept: set[str] = set()
            for direction in Direction:
                outgoing = [
                    self._outgoing(row) for row in rows if row["direction"] == direction
                ]
                try:
                    await self._publisher(direction.exchange).publish_all(outgoing)
                except Unroutable as error:
                    lost = error
                    kept.update(error.message_ids)
            await self._delete(
                connection,
                [row["position"] for row in rows if row["message_id"] not in kept],
            )
        if lost is not None:
            raise lost
        return len(rows) == BATCH

    async def _publish_in_sequence(self, queue: DeclaredQueue) -> bool:
        """Publish up to a batch of a sequential queue, each message confirmed before the next; whether there is more.

        What was confirmed before a fault is deleted all the same: to publish it again would put it behind its
        followers. Raises what stopped it.
        """
        stopped: BrokerUnavailable | Unroutable | None = None
        async with self._database.transaction() as connection:
            if not await connection.fetchval(ALONE, queue.name):
                return False
            rows = await connection.fetch(TAKE, BATCH, [queue.name])
            publisher = self._publisher(Direction(queue.direction).exchange)
            confirmed: list[int] = []
            for row in rows:
                try:
                    await publisher.publish(self._outgoing(row))
                except (BrokerUnavailable, Unroutable) as error:
                    stopped = error
                    break
                confirmed.append(row["position"])
            await self._delete(connection, confirmed)
        if stopped is not None:
            raise stopped
        return len(rows) == BATCH

    async def _count_waiting(self) -> None:
        async with self._database.connection() as connection:
            metrics.outbox_waiting.set(
                await connection.fetchval("SELECT count(*) FROM platform.outbox")
            )

    @staticmethod
    async def _delete(connection: Connection, positions: list[int]) -> None:
        if positions:
            await connection.execute(
                "DELETE FROM platform.outbox WHERE position = ANY($1::bigint[])",
                positions,
            )

    def _publisher(self, exchange: str) -> Publisher:
        if exchange not in self._publishers:
            self._publishers[exchange] = Publisher(self._broker, exchange)
        return self._publishers[exchange]

    def _outgoing(self, row: asyncpg.Record) -> Outgoing:
        message = orjson.loads(row["message"])
        envelope = Envelope(
            vault_name=self._sender.vault_name,
            vault_host_name=self._sender.vault_host_name,
            queue_name=row["queue"],
            enter_queue_timestamp=row["enter_queue_timestamp"],
            send_message_timestamp=datetime.now(UTC),
            send_attempt=1,
            message_id=row["message_id"],
            message=Message(
                attributes=message["attributes"], items=tuple(message["items"])
            ),
        )
        return Outgoing(
            queue=row["queue"],
            body=envelope.encode(),
            message_id=envelope.message_id,
            headers={"vault_id": self._sender.vault_id},
        )
