"""Stores when each message was queued, sent and delivered, and finds the steps of one message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from shared.protocol.json_values import date_time_text
from shared.vault.access.permissions import Grant, authorize

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.queues.log_columns import Delivery
    from shared.vault.storage.database import Connection, Database

RETENTION = timedelta(days=30)
MAX_ROWS = 50

# Locked in the order of the key, so that no two reports wait for each other. A message over several connections keeps
# the moment of the first report, and an error of any.
DELIVERED = """
WITH reported AS (
    SELECT message_id, max(attempts) AS attempts, max(error) AS error
    FROM unnest($2::text[], $3::integer[], $4::text[]) AS u(message_id, attempts, error) GROUP BY message_id
), mine AS MATERIALIZED (
    SELECT w.id, r.attempts, r.error FROM platform.sent_message w JOIN reported r USING (message_id)
    WHERE w.queue = $1 AND w.delivered IS NULL ORDER BY w.id FOR UPDATE OF w
)
UPDATE platform.sent_message w SET delivered = clock_timestamp(), attempts = m.attempts, error = m.error
FROM mine m WHERE w.id = m.id
"""
WAITING = """
SELECT queue, message -> 'attributes' ->> 'object' AS object, jsonb_array_length(message -> 'items') AS records,
    enter_queue_timestamp AS entered FROM platform.outbox WHERE message_id = $1 ORDER BY position LIMIT $2
"""
SENT = """
SELECT queue, object, records, entered, sent, delivered, attempts, error FROM platform.sent_message
WHERE message_id = $1 ORDER BY id LIMIT $2
"""
LOGGED = """
SELECT logged, queue, connection, entry_type, attempts, error FROM platform.queue_log
WHERE message_id = $1 ORDER BY entry LIMIT $2
"""
OF_RECORD = """
SELECT message_id, queue, entered, delivered, error FROM platform.sent_message
WHERE record_id = $1 ORDER BY id DESC LIMIT $2
"""
# Among the latest messages of all queues, so that a queue without recent ones costs no more than others.
OF_QUEUE = """
SELECT message_id, queue, entered, delivered, error FROM
    (SELECT * FROM platform.sent_message ORDER BY id DESC LIMIT 1000) latest
WHERE queue = $1 ORDER BY id DESC LIMIT $2
"""
# The messages of a queue that was reset went no further.
RESET = """
UPDATE platform.sent_message SET delivered = clock_timestamp(), attempts = 0, error = 'The queue was reset'
WHERE queue = $1 AND delivered IS NULL
"""
EXPIRE = "DELETE FROM platform.sent_message WHERE sent < now() - $1::interval"


class MessageStepKind(StrEnum):
    """The kinds of steps of a message in the Vault that sends it."""

    ENTERED = "entered"
    SENT = "sent"
    DELIVERED = "delivered"
    REMOVED = "removed"
    LOGGED = "logged"


@dataclass(frozen=True, slots=True)
class MessageStep:
    """One step of a message: its time, its queue, and its description."""

    step: MessageStepKind
    date: datetime
    queue: str
    detail: str = ""
    attempts: int | None = None
    error: str | None = None

    def to_json(self) -> dict[str, object]:
        """Return the step as JSON."""
        return {**asdict(self), "date": date_time_text(self.date)}

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Self:
        """Read a step from the JSON of another Vault; a step of an unknown, later kind is read as logged."""
        known = {each.value: each for each in MessageStepKind}
        return cls(
            known.get(row["step"], MessageStepKind.LOGGED),
            datetime.fromisoformat(row["date"]),
            str(row["queue"]),
            str(row["detail"]),
            row["attempts"],
            row["error"],
        )


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message about a record: its id, its queue, and its result."""

    message_id: str
    queue: str
    entered: datetime
    delivered: datetime | None
    error: str | None


async def note_delivered(
    connection: Connection, queue: str, deliveries: Sequence[Delivery]
) -> None:
    """Store connectors' reports on messages of a queue."""
    await connection.execute(
        DELIVERED,
        queue,
        [each.message_id for each in deliveries],
        [each.attempts for each in deliveries],
        [each.error for each in deliveries],
    )


async def note_reset(connection: Connection, queue: str) -> None:
    """Store that the undelivered messages of a queue were deleted."""
    await connection.execute(RESET, queue)


class MessageSteps:
    """Finds the steps of messages in this Vault."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def steps(self, caller: Caller, message_id: str) -> list[MessageStep]:
        """Return the steps of a message in this Vault, which has sent it; the earliest first.

        :raises VaultFault: INSUFFICIENT_ACCESS
        """
        authorize(caller, Grant.READ_QUEUE_LOG)
        # PostgreSQL takes NUL in no text.
        text = message_id.replace("\x00", "")
        async with self._database.query_connection(caller.user_id) as connection:
            waiting = await connection.fetch(WAITING, text, MAX_ROWS)
            sent = await connection.fetch(SENT, text, MAX_ROWS)
            logged = await connection.fetch(LOGGED, text, MAX_ROWS)
        found = [_entered(row) for row in waiting]
        for row in sent:
            found += _of_sent(row)
        found += [_logged(row) for row in logged]
        return sorted(found, key=lambda each: each.date)

    async def of_record(
        self, caller: Caller, record_id: str, limit: int
    ) -> list[SentMessage]:
        """Return the latest messages whose only or first item is this record.

        :raises VaultFault: INSUFFICIENT_ACCESS
        """
        authorize(caller, Grant.READ_QUEUE_LOG)
        async with self._database.query_connection(caller.user_id) as connection:
            rows = await connection.fetch(OF_RECORD, record_id, limit)
        return [SentMessage(**row) for row in rows]

    async def of_queue(
        self, caller: Caller, queue: str, limit: int
    ) -> list[SentMessage]:
        """Return the messages of a queue among those that this Vault has sent last.

        :raises VaultFault: INSUFFICIENT_ACCESS
        """
        authorize(caller, Grant.READ_QUEUE_LOG)
        async with self._database.query_connection(caller.user_id) as connection:
            rows = await connection.fetch(OF_QUEUE, queue, limit)
        return [SentMessage(**row) for row in rows]

    async def purge(self) -> None:
        """Delete the steps of messages that were sent more than 30 days ago."""
        async with self._database.connection() as connection:
            await connection.execute(EXPIRE, RETENTION)


def _entered(row: Record) -> MessageStep:
    about = f"{row['records']} record" + ("s" if row["records"] != 1 else "")
    object_name = f" of {row['object']}" if row["object"] else ""
    return MessageStep(
        MessageStepKind.ENTERED, row["entered"], row["queue"], about + object_name
    )


def _of_sent(row: Record) -> list[MessageStep]:
    queue = row["queue"]
    found = [_entered(row), MessageStep(MessageStepKind.SENT, row["sent"], queue)]
    if row["delivered"] is not None:
        step = MessageStepKind.REMOVED if row["error"] else MessageStepKind.DELIVERED
        found.append(
            MessageStep(
                step,
                row["delivered"],
                queue,
                attempts=row["attempts"],
                error=row["error"],
            )
        )
    return found


def _logged(row: Record) -> MessageStep:
    detail = f"{row['entry_type']} over {row['connection'] or 'no connection'}"
    return MessageStep(
        MessageStepKind.LOGGED,
        row["logged"],
        row["queue"],
        detail,
        attempts=row["attempts"],
        error=row["error"],
    )
