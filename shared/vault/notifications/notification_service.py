"""Lists notifications to their users, marks them as read, and removes old ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.protocol.json_values import date_time_text

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.storage.database import Database

RETENTION = timedelta(days=90)

PAGE = """
SELECT n.id, n.object, n.record_id, n.subject, n.body, n.created_date, r.read_date
FROM platform.notification_recipient r JOIN platform.notification n ON n.id = r.notification_id
WHERE r.user_id = $1 AND (NOT $2 OR r.read_date IS NULL) ORDER BY n.id DESC LIMIT $3 OFFSET $4
"""
COUNTS = """
SELECT count(*) FILTER (WHERE NOT $2 OR read_date IS NULL) AS total, count(*) FILTER (WHERE read_date IS NULL) AS unread
FROM platform.notification_recipient WHERE user_id = $1
"""
UNREAD = """
SELECT count(*) FROM platform.notification_recipient WHERE user_id = $1 AND read_date IS NULL
"""
MARK = """
UPDATE platform.notification_recipient SET read_date = CASE WHEN $2 THEN now() END
WHERE user_id = $1 AND (read_date IS NULL) = $2 AND ($3::bigint[] IS NULL OR notification_id = ANY($3::bigint[]))
"""
# The recipients go with their notification.
EXPIRE = "DELETE FROM platform.notification WHERE created_date < $1"


@dataclass(frozen=True, slots=True)
class NotificationPage:
    """A page of notifications, the latest first; ``total`` counts the whole list, ``unread`` all unread ones."""

    notifications: list[dict[str, object]]
    total: int
    unread: int


class NotificationService:
    """Lists and marks the notifications of a Vault; callers see only their own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def listed(
        self,
        caller: Caller,
        *,
        unread: bool,
        limit: int,
        offset: int,
    ) -> NotificationPage:
        """Return a page of the caller's notifications; only unread ones with ``unread``."""
        user_id = caller.user_id
        async with self._database.connection() as connection:
            (counts,) = await connection.fetch(COUNTS, user_id, unread)
            rows = await connection.fetch(PAGE, user_id, unread, limit, offset)
        notifications = [_json(row) for row in rows]
        return NotificationPage(notifications, counts["total"], counts["unread"])

    async def unread(self, caller: Caller) -> int:
        """Return the number of the caller's unread notifications."""
        async with self._database.connection() as connection:
            return int(await connection.fetchval(UNREAD, caller.user_id))

    async def mark(
        self,
        caller: Caller,
        ids: Sequence[int] | None,
        *,
        read: bool,
    ) -> int:
        """Mark the caller's notifications with these ids, or all, as read or unread; return the number changed."""
        wanted = None if ids is None else list(ids)
        async with self._database.connection() as connection:
            status = await connection.execute(MARK, caller.user_id, read, wanted)
        # asyncpg returns the command tag: "UPDATE" and the number of rows.
        return int(status.rpartition(" ")[2])

    async def purge(self) -> None:
        """Remove notifications that are older than 90 days."""
        async with self._database.connection() as connection:
            await connection.execute(EXPIRE, datetime.now(UTC) - RETENTION)


def _json(row: Record) -> dict[str, object]:
    """Return a notification as the API writes it."""
    return {
        "id": row["id"],
        "subject": row["subject"],
        "body": row["body"],
        "object": row["object"],
        "record_id": row["record_id"],
        "created_date": date_time_text(row["created_date"]),
        "read": row["read_date"] is not None,
    }
