"""Stores the queue log for 30 days: all removals, and every delivery of a queue while it is traced."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, authorize
from shared.vault.audit import audit_entries as entries
from shared.vault.errors import VaultFault
from shared.vault.queues.log_columns import (
    STORED,
    VAULT_ID,
    EntryType,
    LogEntry,
    LoggedDelivery,
    insert_statement,
    insert_values,
    selected_columns,
)
from shared.vault.queues.message_steps import note_delivered

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.queues.log_columns import Delivery
    from shared.vault.storage.database import Connection, Database

RETENTION = timedelta(days=30)
TRACED = timedelta(minutes=20)
PAGE = 1000

TRACE = """
INSERT INTO platform.queue_trace (queue, ends) VALUES ($1, now() + $2)
ON CONFLICT (queue) DO UPDATE SET ends = excluded.ends RETURNING ends
"""
IS_TRACED = (
    "SELECT EXISTS (SELECT FROM platform.queue_trace WHERE queue = $1 AND ends > now())"
)
# Several connectors report on one connection. Rows are locked in the order of the key, so that
# no two of their transactions wait for each other.
LATEST = """
INSERT INTO platform.queue_connection AS q (queue, connection, delivered, message_id, date_time, error)
SELECT DISTINCT ON (u.connection) $1, u.connection, u.error IS NULL, u.message_id, u.send_time, u.error FROM
unnest($2::text[], $3::text[], $4::timestamptz[], $5::text[]) AS u(connection, message_id, send_time, error)
ORDER BY u.connection, u.send_time DESC
ON CONFLICT (queue, connection) DO UPDATE SET delivered = excluded.delivered, message_id = excluded.message_id,
    date_time = excluded.date_time, error = excluded.error WHERE q.date_time <= excluded.date_time
"""
INSERT = insert_statement()
DAYS = """
SELECT (logged AT TIME ZONE 'UTC')::date AS day, count(*) FILTER (WHERE entry_type = 'REMOVAL') AS removals,
    count(*) FILTER (WHERE entry_type = 'TRACE') AS traces
FROM platform.queue_log GROUP BY 1 ORDER BY 1 DESC
"""
EXPIRE = "DELETE FROM platform.queue_log WHERE logged < now() - $1::interval"
EXPIRE_TRACES = "DELETE FROM platform.queue_trace WHERE ends < now()"
ENTRIES = f"""
SELECT {selected_columns()} FROM platform.queue_log
WHERE logged >= $1 AND logged < $1 + interval '1 day' AND entry > $2 AND ($3::text IS NULL OR queue = $3)
ORDER BY entry LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class LogDay:
    """The number of a day's entries of each type."""

    day: date
    removals: int
    traces: int


class QueueLog:
    """Writes and reads the queue log of one Vault, whose entries come from connectors' reports."""

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        vault_id: int,
    ) -> None:
        self._database = database
        self._components = components
        self._vault_id = vault_id

    async def write(
        self,
        connection: Connection,
        queue: str,
        deliveries: Sequence[Delivery],
    ) -> None:
        """Store the latest delivery over each connection, and log the deliveries that are traced or removed."""
        await self._store_latest(connection, queue, deliveries)
        await note_delivered(connection, queue, deliveries)
        traced = await connection.fetchval(IS_TRACED, queue)
        logged: list[LoggedDelivery] = []
        for delivery in deliveries:
            if traced:
                logged.append(LoggedDelivery(queue, EntryType.TRACE, delivery))
            if delivery.removed:
                logged.append(LoggedDelivery(queue, EntryType.REMOVAL, delivery))
        if logged:
            await connection.execute(INSERT, *insert_values(logged))

    async def _store_latest(
        self,
        connection: Connection,
        queue: str,
        deliveries: Sequence[Delivery],
    ) -> None:
        # A message may fail before its connections are known.
        named = [delivery for delivery in deliveries if delivery.connection]
        if not named:
            return
        await connection.execute(
            LATEST,
            queue,
            [delivery.connection for delivery in named],
            [delivery.message_id for delivery in named],
            [delivery.send_time for delivery in named],
            [delivery.error for delivery in named],
        )

    async def trace(self, caller: Caller, queue: str) -> datetime:
        """Log every delivery of an outbound queue for 20 minutes (*Trace Queue Delivery*); return the time of the end.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA for an unknown queue,
            OPERATION_NOT_ALLOWED for one that is not outbound.
        """
        authorize(caller, Grant.MANAGE_QUEUES)
        found = self._components.registry.queues.get(queue)
        if found is None:
            message = f"There is no queue [{queue[:100]}]"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        if not found.type.delivers:
            message = f"[{queue}] is not an outbound queue"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
        async with self._database.transaction() as connection:
            ends: datetime = await connection.fetchval(TRACE, queue, TRACED)
            await entries.write_entry(
                connection,
                caller,
                entries.SYSTEM,
                entries.AuditAction.TRACE_DELIVERY,
                f"Queue.{queue}",
            )
        return ends

    async def days(self, caller: Caller) -> list[LogDay]:
        """Return the days that have entries, the latest first.

        :raises VaultFault: INSUFFICIENT_ACCESS
        """
        authorize(caller, Grant.READ_QUEUE_LOG)
        async with self._database.query_connection(caller.user_id) as connection:
            rows = await connection.fetch(DAYS)
        return [LogDay(row["day"], row["removals"], row["traces"]) for row in rows]

    async def page(
        self,
        caller: Caller,
        day: date,
        *,
        queue: str | None = None,
        after: int = 0,
        limit: int = PAGE,
    ) -> list[LogEntry]:
        """Return up to ``limit`` entries of a day (UTC) in order, beginning after the entry number ``after``.

        :raises VaultFault: INSUFFICIENT_ACCESS
        """
        authorize(caller, Grant.READ_QUEUE_LOG)
        begin = datetime.combine(day, time.min, UTC)
        async with self._database.query_connection(caller.user_id) as connection:
            rows = await connection.fetch(ENTRIES, begin, after, queue, limit)
        return [self._entry(row) for row in rows]

    def _entry(self, row: Record) -> LogEntry:
        values = {column.name: row[column.name] for column in STORED}
        values[VAULT_ID.name] = self._vault_id
        return LogEntry(row["entry"], values)

    async def whole_day(
        self,
        caller: Caller,
        day: date,
        *,
        queue: str | None = None,
    ) -> AsyncIterator[list[LogEntry]]:
        """Yield all entries of a day, a page at a time.

        :raises VaultFault: INSUFFICIENT_ACCESS
        """
        page = await self.page(caller, day, queue=queue)
        while page:
            yield page
            # By number and not by offset: entries may be removed while the day is read.
            last = page[-1].number
            page = await self.page(caller, day, queue=queue, after=last)

    async def purge(self) -> int:
        """Remove entries that are older than 30 days, and return their number."""
        async with self._database.connection() as connection:
            status: str = await connection.execute(EXPIRE, RETENTION)
            await connection.execute(EXPIRE_TRACES)
        # asyncpg returns the command tag: "DELETE" and the number of rows.
        return int(status.rpartition(" ")[2])
