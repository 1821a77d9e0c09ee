"""Protects the recorded data of user exceptions from changes, and counts the items of messages.

Retry Transfer sends the stored message again with the rights of a connection's user: a user who could change it could
transfer records that were never submitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, granted
from shared.vault.errors import ApiError
from shared.vault.exceptions.exception_model import (
    ERROR_STATUS,
    ITEMS_FAILED,
    MESSAGE,
    SETTLED,
)
from shared.vault.records.row_rules import PLATFORM

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.records.rows import NewRow
    from shared.vault.storage.database import Connection


# Locked in a statement of its own: the statement that counts then begins after the lock, and
# sees the items that another connector has just committed.
LOCK_MESSAGES = """
SELECT id FROM records.exception_message__sys WHERE id = ANY($2::text[]) OR id IN
(SELECT exception_message__sys FROM records.exception_item__sys WHERE id = ANY($1::text[])) ORDER BY id FOR UPDATE
"""
# A message whose items have all gone to another one counts none of each, and is resolved.
COUNT = """
WITH counted AS (
    SELECT message.id,
        count(*) FILTER (WHERE error_status__sys = 'open__sys') AS open,
        count(*) FILTER (WHERE error_status__sys = 'retrying__sys') AS retrying,
        bool_or(error_status__sys = 'warning__sys') AS warning,
        bool_or(error_status__sys = 'ignored__sys') AS ignored
    FROM unnest($1::text[]) AS message(id)
    LEFT JOIN records.exception_item__sys i ON i.exception_message__sys = message.id GROUP BY 1
), summed AS (
    SELECT id, open + retrying AS failed, CASE WHEN open > 0 THEN 'open__sys' WHEN retrying > 0 THEN 'retrying__sys'
        WHEN warning THEN 'warning__sys' WHEN ignored THEN 'ignored__sys' ELSE 'resolved__sys' END AS status
    FROM counted
)
UPDATE records.exception_message__sys m
SET message_items_failed__sys = summed.failed, error_status__sys = summed.status,
    modified_by__v = $2, modified_date__v = greatest(platform.change_date(), m.modified_date__v)
FROM summed WHERE m.id = summed.id
AND (m.message_items_failed__sys, m.error_status__sys) IS DISTINCT FROM (summed.failed, summed.status)
"""


class ItemTrigger:
    """Counts the items of a message after every write; open and retried items count as failed.

    The recorded data of an item may be written only by callers who record failures.
    """

    columns = (MESSAGE,)

    async def before_create(
        self,
        connection: Connection,
        caller: Caller,
        rows: Sequence[NewRow],
    ) -> None:
        """Fail new items of callers who do not record failures."""
        del connection
        fail_new(caller, rows)

    def before_update(
        self, caller: Caller, stored: Record, changes: dict[str, object]
    ) -> ApiError | None:
        """Return an error if the recorded data are changed by a caller who may not record failures; else None."""
        return refusal(caller, stored, changes)

    def before_delete(self, caller: Caller, stored: Record) -> ApiError | None:
        """Allow the deletion."""
        del caller, stored
        return None

    async def after_create(
        self, connection: Connection, caller: Caller, ids: Sequence[str]
    ) -> None:
        """Count the items of the messages of these items."""
        await _count(connection, caller, ids, ())

    async def after_update(
        self,
        connection: Connection,
        caller: Caller,
        updated: Sequence[tuple[Record, Mapping[str, object]]],
    ) -> None:
        """Count the items of the messages of these items, and of the messages that they belonged to before."""
        ids = [stored["id"] for stored, _ in updated]
        former = [stored[MESSAGE] for stored, _ in updated]
        await _count(connection, caller, ids, former)


async def _count(
    connection: Connection,
    caller: Caller,
    items: Sequence[str],
    messages: Sequence[str],
) -> None:
    rows = await connection.fetch(LOCK_MESSAGES, items, messages)
    found = [row["id"] for row in rows]
    await connection.execute(COUNT, found, caller.user_id)


_RECORDING = (Grant.REPORT_DELIVERIES, Grant.COPY_RECORDS)
_WHO = f"callers who record failures, with the grant [{_RECORDING[0]}] or [{_RECORDING[1]}]"


def records_failures(caller: Caller) -> bool:
    """Return whether the caller may record failures: the Vault itself, a connector or an administrator."""
    return any(granted(caller, grant) for grant in _RECORDING)


def fail_new(caller: Caller, rows: Sequence[NewRow]) -> None:
    """Fail every new row unless the caller may record failures."""
    if records_failures(caller):
        return
    for row in rows:
        message = f"User exceptions are created only by {_WHO}"
        row.fail(ErrorType.INSUFFICIENT_ACCESS, message)


def refusal(
    caller: Caller,
    stored: Mapping[str, object] | Record,
    changes: Mapping[str, object],
) -> ApiError | None:
    """Return an error if the recorded data are changed by a caller who may not record failures; else None.

    The error status, and custom fields, may be changed by every caller who may edit the record.
    """
    if records_failures(caller):
        return None
    for name, value in changes.items():
        if _is_recorded(name) and stored[name] != value:
            message = f"Field [{name}] is written only by {_WHO}"
            return ApiError(ErrorType.INSUFFICIENT_ACCESS, message)
    return None


def _is_recorded(name: str) -> bool:
    return name.endswith(PLATFORM) and name != ERROR_STATUS


class MessageTrigger:
    """Protects the recorded data of messages; a settled message counts no failed items."""

    columns = (ITEMS_FAILED,)

    async def before_create(
        self,
        connection: Connection,
        caller: Caller,
        rows: Sequence[NewRow],
    ) -> None:
        """Fail new messages of callers who do not record failures."""
        del connection
        fail_new(caller, rows)

    def before_update(
        self, caller: Caller, stored: Record, changes: dict[str, object]
    ) -> ApiError | None:
        """Return an error if the recorded data are changed by a caller who may not record failures; else None.

        The count of failed items of a message that becomes ignored or resolved is set to 0.
        """
        error = refusal(caller, stored, changes)
        settles = changes.get(ERROR_STATUS) in SETTLED
        if error is None and settles and stored[ITEMS_FAILED] != 0:
            changes[ITEMS_FAILED] = 0
        return error

    def before_delete(self, caller: Caller, stored: Record) -> ApiError | None:
        """Allow the deletion."""
        del caller, stored
        return None
