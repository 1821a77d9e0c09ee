"""The queue log: removals always, every delivery of chosen queues for 20 minutes; a log a day, kept 30 days."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, authorize
from shared.vault.audit import audit_entries as entries
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.queues.delivery import Delivery
    from shared.vault.storage.database import Connection, Database

KEPT = timedelta(days=30)
TRACED = timedelta(minutes=20)
PAGE = 1000

TRACE = """
INSERT INTO platform.queue_trace (queue, ends) VALUES ($1, now() + $2)
ON CONFLICT (queue) DO UPDATE SET ends = excluded.ends RETURNING ends
"""
IS_TRACED = (
    "SELECT EXISTS (SELECT FROM platform.queue_trace WHERE queue = $1 AND ends > now())"
)
LOG = """
INSERT INTO platform.queue_log (queue, connection, message_id, entry_type, queue_time, send_time, attempts, error)
SELECT $1, u.* FROM
unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::int[], $8::text[]) AS u
"""
# Several connectors report on one connection: in key order, so that none waits for another in a circle.
LATEST = """
INSERT INTO platform.queue_connection AS q (queue, connection, delivered, message_id, date_time, error)
SELECT DISTINCT ON (u.connection) $1, u.connection, u.error IS NULL, u.message_id, u.send_time, u.error FROM
unnest($2::text[], $3::text[], $4::timestamptz[], $5::text[]) AS u(connection, message_id, send_time, error)
ORDER BY u.connection, u.send_time DESC
ON CONFLICT (queue, connection) DO UPDATE SET delivered = excluded.delivered, message_id = excluded.message_id,
    date_time = excluded.date_time, error = excluded.error WHERE q.date_time <= excluded.date_time
"""
DAYS = """
SELECT (logged AT TIME ZONE 'UTC')::date AS day, count(*) FILTER (WHERE entry_type = 'REMOVAL') AS removals,
    count(*) FILTER (WHERE entry_type = 'TRACE') AS traces
FROM platform.queue_log GROUP BY 1 ORDER BY 1 DESC
"""
EXPIRE = "DELETE FROM platform.queue_log WHERE logged < now() - $1::interval"
ROWS = """
SELECT entry, logged, queue, connection, message_id, entry_type, queue_time, send_time, attempts, error
FROM platform.queue_log
WHERE logged >= $1 AND logged < $2 AND entry > $3 AND ($4::text IS NULL OR queue = $4) ORDER BY entry LIMIT $5
"""


@dataclass(frozen=True, slots=True)
class LogDay:
    """How many entries of each type a day has."""

    day: date
    removals: int
    traces: int


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line; ``entry`` is what a further page continues after."""

    entry: int
    timestamp: datetime
    queue_name: str
    connection_name: str
    message_id: str
    entry_type: str
    queue_time: datetime
    send_time: datetime
    attempts: int
    error: str | None


class QueueLog:
    """Written with each report of a connector, read by those who may."""

    def __init__(self, database: Database, components: ComponentService) -> None:
        self._database = database
        self._components = components

    async def write(
        self, connection: Connection, queue: str, deliveries: Sequence[Delivery]
    ) -> None:
        """Note the latest delivery over each connection, and log what is to be logged."""
        named = [d for d in deliveries if d.connection]
        if named:
            columns = [
                (d.connection, d.message_id, d.send_time, d.error) for d in named
            ]
            await connection.execute(
                LATEST, queue, *map(list, zip(*columns, strict=True))
            )
        traced = await connection.fetchval(IS_TRACED, queue)
        lines = [
            (
                d.connection,
                d.message_id,
                entry_type,
                d.queue_time,
                d.send_time,
                d.attempts,
                d.error,
            )
            for d in deliveries
            for entry_type, wanted in (("TRACE", traced), ("REMOVAL", d.removed))
            if wanted
        ]
        if lines:
            await connection.execute(LOG, queue, *map(list, zip(*lines, strict=True)))

    async def trace(self, caller: Caller, queue: str) -> datetime:
        """*Trace Queue Delivery*: log every delivery of an outbound queue for 20 minutes; returns until when.

        Raises VaultFault.
        """
        authorize(caller, Grant.MANAGE_QUEUES)
        found = self._components.registry.queues.get(queue)
        if found is None:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"There is no queue [{queue[:100]}]"
            )
        if found.type != "outbound":
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED, f"[{queue}] is no outbound queue"
            )
        async with self._database.transaction() as connection:
            ends: datetime = await connection.fetchval(TRACE, queue, TRACED)
            await entries.noted(
                connection,
                caller,
                entries.SYSTEM,
                entries.AuditAction.TRACE_DELIVERY,
                f"Queue.{queue}",
            )
        return ends

    async def days(self, caller: Caller) -> list[LogDay]:
        """The days that have entries, the latest first; raises VaultFault."""
        authorize(caller, Grant.READ_QUEUE_LOG)
        async with self._database.connection() as connection:
            return [
                LogDay(row["day"], row["removals"], row["traces"])
                for row in await connection.fetch(DAYS)
            ]

    async def page(
        self,
        caller: Caller,
        day: date,
        *,
        queue: str | None = None,
        after: int = 0,
        limit: int = PAGE,
    ) -> list[LogEntry]:
        """Up to ``limit`` lines of a day (UTC), those after the entry ``after``, in order; raises VaultFault."""
        authorize(caller, Grant.READ_QUEUE_LOG)
        begin = datetime.combine(day, time.min, UTC)
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                ROWS, begin, begin + timedelta(days=1), after, queue, limit
            )
        return [LogEntry(*row) for row in rows]

    async def whole_day(
        self, caller: Caller, day: date, *, queue: str | None = None
    ) -> AsyncIterator[list[LogEntry]]:
        """All lines of a day, a page at a time."""
        page = await self.page(caller, day, queue=queue)
        while page:
            yield page
            page = await self.page(caller, day, queue=queue, after=page[-1].entry)

    async def purge(self) -> int:
        """Remove what is older than 30 days; how many entries that were."""
        async with self._database.connection() as connection:
            done: str = await connection.execute(EXPIRE, KEPT)
            await connection.execute(
                "DELETE FROM platform.queue_trace WHERE ends < now()"
            )
        return int(done.rpartition(" ")[2])
