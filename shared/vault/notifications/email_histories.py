"""Lists the e-mail of notifications: recipient, record and delivery status."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.protocol.json_values import date_time_text
from shared.vault import vql
from shared.vault.access.caller import SYSTEM
from shared.vault.access.permissions import (
    Grant,
    Operation,
    authorize,
    readable,
    require,
)

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.storage.database import Database

USERS = "user__sys"
# A subject may tell of its record: those of objects that the caller may not read are left out.
MATCHING = """
FROM platform.notification_recipient r JOIN platform.notification n ON n.id = r.notification_id
LEFT JOIN records.user__sys u ON u.id = r.user_id::text
WHERE r.email IS NOT NULL AND n.created_date >= $1 AND n.created_date < $2 AND n.object {operator}($3::text[])
"""
COUNT = f"SELECT count(*) {MATCHING}"
PAGE = f"""
SELECT n.id, n.object, n.record_id, n.subject, n.created_date, r.user_id, r.email, r.email_date,
    concat_ws(' ', u.first_name__sys, u.last_name__sys) AS name,
    coalesce(nullif(u.email__sys, ''), u.username__sys) AS address
{MATCHING} ORDER BY n.created_date DESC, n.id DESC, r.user_id LIMIT $4 OFFSET $5
"""
STATUSES = {
    "queued": "queued__sys",
    "sent": "delivered__sys",
    "failed": "failed__sys",
}
"""The statuses of e-mail in the API, by those in the table of recipients."""
REFUSED = "The mail server did not accept the e-mail"


@dataclass(frozen=True, slots=True)
class Histories:
    """A page of histories, the latest first, and the number of all in the period."""

    rows: list[dict[str, object]]
    total: int


class EmailHistories:
    """Returns the histories to callers who may read audit trails and users; ``registry`` returns the components."""

    def __init__(self, database: Database, registry: Callable[[], Registry]) -> None:
        self._database = database
        self._registry = registry

    async def page(
        self,
        caller: Caller,
        start: datetime,
        end: datetime,
        *,
        limit: int,
        offset: int,
    ) -> Histories:
        """Return a page of the histories of a period.

        :raises VaultFault: INSUFFICIENT_ACCESS.
        """
        authorize(caller, Grant.READ_AUDIT)
        require(caller, USERS, Operation.READ)
        objects = self._registry().objects
        operator, names = vql.readable_objects(objects, readable(caller))
        listed = (start, end, list(names))
        count, page = COUNT.format(operator=operator), PAGE.format(operator=operator)
        async with self._database.query_connection(caller.user_id) as connection:
            total = await connection.fetchval(count, *listed)
            rows = await connection.fetch(page, *listed, limit, offset)
        return Histories([_history(row) for row in rows], total)


def _history(row: Record) -> dict[str, object]:
    """Return a history in the format of the API: members that do not apply are null, as in the public API."""
    sent = row["email_date"] or row["created_date"]
    return {
        "send_date": date_time_text(sent),
        "recipient_name": row["name"],
        "recipient_id": row["user_id"],
        "recipient_email": row["address"],
        "status": STATUSES[row["email"]],
        "error_message": REFUSED if row["email"] == "failed" else None,
        "subject": row["subject"],
        "workflow_id": None,
        "task_id": None,
        "document_id": None,
        "major_version": None,
        "minor_version": None,
        "object_name": row["object"],
        "object_record_id": row["record_id"],
        "sender_name": "System",
        "sender_id": SYSTEM.user_id,
        "notification_id": row["id"],
        "included_notification_ids": None,
        "status_date": date_time_text(sent),
        "template_name": None,
    }
