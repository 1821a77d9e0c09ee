"""User Exception Messages that the Vault itself records: what could not be queued, delivered, or kept on a queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.records.named_actions import RecordChanges
    from shared.vault.records.rows import RowResult
    from shared.vault.storage.database import Connection

OBJECT = "exception_message__sys"
ITEM = "exception_item__sys"
KEY = "message_id__sys"
MAX_TEXT = 1500

KNOWN = "SELECT message_id__sys FROM records.exception_message__sys WHERE message_id__sys = ANY($1::text[])"

RETRIED_ITEMS = """
SELECT id FROM records.exception_item__sys
WHERE exception_message__sys = ANY($1::text[]) AND error_status__sys = 'retrying__sys' ORDER BY id
"""
OPEN = {"error_status__sys": "open__sys"}


class MessageErrorType(StrEnum):
    """Error types of a User Exception Message that no connector records."""

    PROCESSING = "message_processing_error__sys"
    DELIVERY = "message_delivery_error__sys"
    MALFORMED = "malformed_message__sys"


@dataclass(frozen=True, slots=True)
class MessageFailure:
    """A message that failed as a whole; ``body`` is what a retry sends, ``items`` how many records it names."""

    message_id: str
    queue: str
    error_type: MessageErrorType
    text: str
    body: str
    items: int


async def record(
    connection: Connection,
    records: RecordChanges,
    registry: Registry,
    caller: Caller,
    failures: Sequence[MessageFailure],
) -> list[RowResult]:
    """Create or reopen one exception for each message id, in a transaction that ``RecordService.carry_out`` runs.

    A message that has an exception keeps the body that came first: a retry names only what was left of it.
    Raises VaultFault when a record is refused.
    """
    by_id = {failure.message_id: failure for failure in failures}
    known = {row[KEY] for row in await connection.fetch(KNOWN, list(by_id))}
    new = [
        _row(failure) | _origin(failure)
        for failure in by_id.values()
        if failure.message_id not in known
    ]
    again = [_row(failure) for failure in by_id.values() if failure.message_id in known]
    written: list[RowResult] = []
    for rows in (new, again):
        if rows:
            written += await records.upsert_in(
                connection, caller, registry.objects[OBJECT], rows, KEY
            )
    await _open_again(
        connection, records, registry, caller, [str(row.id) for row in written]
    )
    for row in written:
        for error in row.errors:
            raise VaultFault(
                error.type, f"The exception record was refused: {error.message}"
            )
    return written


async def _open_again(
    connection: Connection,
    records: RecordChanges,
    registry: Registry,
    caller: Caller,
    messages: Sequence[str],
) -> None:
    """Items that were being retried did not even come to be tried."""
    retried = [row["id"] for row in await connection.fetch(RETRIED_ITEMS, messages)]
    await records.change_in(
        connection, caller, registry.objects[ITEM], retried, {}, OPEN
    )


def _row(failure: MessageFailure) -> dict[str, object]:
    return {
        KEY: failure.message_id,
        "queue__sys": failure.queue,
        "error_type__sys": failure.error_type.value,
        "error_message__sys": failure.text[:MAX_TEXT],
        "error_status__sys": "open__sys",
        "message_items_failed__sys": failure.items,
    }


def _origin(failure: MessageFailure) -> dict[str, object]:
    return {
        "message_body_json__sys": failure.body,
        "message_items_received__sys": failure.items,
    }
