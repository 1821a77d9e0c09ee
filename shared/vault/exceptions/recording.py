"""Records User Exception Messages for messages that could not be queued or delivered, or were removed from a queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.vault.errors import VaultFault
from shared.vault.exceptions.exception_model import (
    ERROR_STATUS,
    ITEM,
    ITEMS_FAILED,
    MESSAGE,
    ErrorStatus,
    MessageFailure,
)

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.records.named_actions import RecordChanges
    from shared.vault.records.rows import RowResult
    from shared.vault.storage.database import Connection

KEY = "message_id__sys"
MAX_TEXT = 1500  # characters of the field Error Message

KNOWN = """
SELECT message_id__sys, error_status__sys FROM records.exception_message__sys WHERE message_id__sys = ANY($1::text[])
"""

RETRIED_ITEMS = """
SELECT id FROM records.exception_item__sys
WHERE exception_message__sys = ANY($1::text[]) AND error_status__sys = 'retrying__sys' ORDER BY id
"""


async def record(
    connection: Connection,
    records: RecordChanges,
    registry: Registry,
    caller: Caller,
    failures: Sequence[MessageFailure],
) -> list[RowResult]:
    """Create or reopen one exception for each message id, in a transaction that ``RecordService.carry_out`` runs.

    An ignored exception stays ignored, and has no result.

    :raises VaultFault: when a record is refused.
    """
    by_id = {failure.message_id: failure for failure in failures}
    rows = await connection.fetch(KNOWN, list(by_id))
    known = {row[KEY]: row[ERROR_STATUS] for row in rows}
    for message_id, status in known.items():
        if status == ErrorStatus.IGNORED:
            del by_id[message_id]
    new = [
        _row(failure) | _origin(failure)
        for message_id, failure in by_id.items()
        if message_id not in known
    ]
    # The first body stays: a message that is sent again names only the items that were left.
    again = [_row(by_id[message_id]) for message_id in by_id if message_id in known]
    target = registry.objects[MESSAGE]
    written: list[RowResult] = []
    for part in (new, again):
        if part:
            written += await records.upsert_in(connection, caller, target, part, KEY)
    messages = [str(row.id) for row in written]
    await _reopen_items(connection, records, registry, caller, messages)
    _raise_first(written)
    return written


async def _reopen_items(
    connection: Connection,
    records: RecordChanges,
    registry: Registry,
    caller: Caller,
    messages: Sequence[str],
) -> None:
    """Set the items that were being retried back to open: their message was not processed."""
    rows = await connection.fetch(RETRIED_ITEMS, messages)
    retried = [row["id"] for row in rows]
    change = {ERROR_STATUS: ErrorStatus.OPEN.value}
    target = registry.objects[ITEM]
    await records.change_in(connection, caller, target, retried, {}, change)


def _raise_first(written: Sequence[RowResult]) -> None:
    for row in written:
        for error in row.errors:
            message = f"The exception record was refused: {error.message}"
            raise VaultFault(error.type, message)


def _row(failure: MessageFailure) -> dict[str, object]:
    """Return the fields that each failure of a message sets."""
    return {
        KEY: failure.message_id,
        "queue__sys": failure.queue,
        "error_type__sys": failure.error_type.value,
        "error_message__sys": failure.text[:MAX_TEXT],
        ERROR_STATUS: ErrorStatus.OPEN.value,
        ITEMS_FAILED: failure.items,
    }


def _origin(failure: MessageFailure) -> dict[str, object]:
    """Return the fields that only the first failure of a message sets."""
    return {
        "message_body_json__sys": failure.body,
        "message_items_received__sys": failure.items,
    }
