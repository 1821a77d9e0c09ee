"""Carries out *Retry Transfer*: sends the unresolved items of a User Exception Message again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.spark.broker_errors import MalformedMessage
from shared.spark.envelope import Envelope, Message
from shared.vault.access.permissions import Operation, require
from shared.vault.errors import ApiError, VaultFault
from shared.vault.exceptions.exception_model import (
    ERROR_STATUS,
    ITEM,
    SETTLED,
    ErrorStatus,
)
from shared.vault.queues.outbox import open_queue, put

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.records.named_actions import ActionContext

MESSAGES = """
SELECT id, message_id__sys, queue__sys, message_body_json__sys, error_status__sys
FROM records.exception_message__sys WHERE id = ANY($1::text[]) ORDER BY id
"""
ITEMS = """
SELECT exception_message__sys AS message, array_agg(item__sys ORDER BY id) AS items
FROM records.exception_item__sys
WHERE exception_message__sys = ANY($1::text[]) AND error_status__sys IN ('open__sys', 'retrying__sys', 'warning__sys')
GROUP BY exception_message__sys
"""
OPEN_ITEMS = """
SELECT id FROM records.exception_item__sys
WHERE exception_message__sys = ANY($1::text[]) AND error_status__sys IN ('open__sys', 'warning__sys') ORDER BY id
"""
RETRYING = {ERROR_STATUS: ErrorStatus.RETRYING.value}


async def retry_transfer(context: ActionContext) -> Mapping[str, ApiError]:
    """Queue each message again with its unresolved items; return an error for each message that cannot be sent.

    A message without item records is sent with all its items.

    :raises VaultFault: INSUFFICIENT_ACCESS for a caller who may not see the items.
    """
    require(context.caller, ITEM, Operation.READ)
    ids = list(context.ids)
    rows = await context.connection.fetch(ITEMS, ids)
    items = {row["message"]: row["items"] for row in rows}
    errors: dict[str, ApiError] = {}
    for row in await context.connection.fetch(MESSAGES, ids):
        try:
            await _send_again(context, row, items.get(row["id"]))
        except VaultFault as fault:
            errors[row["id"]] = fault.error
    if not errors:
        # With errors the caller undoes the whole action, and runs it without those messages.
        await _set_retrying(context, ids)
    return errors


async def _set_retrying(context: ActionContext, ids: Sequence[str]) -> None:
    """Set the messages and their open items to Retrying."""
    connection, caller = context.connection, context.caller
    rows = await connection.fetch(OPEN_ITEMS, ids)
    items = [row["id"] for row in rows]
    records, item = context.records, context.registry.objects[ITEM]
    await records.change_in(connection, caller, context.object, ids, {}, RETRYING)
    await records.change_in(connection, caller, item, items, {}, RETRYING)


async def _send_again(
    context: ActionContext,
    row: Record,
    items: list[str] | None,
) -> None:
    """Queue a message under its first id, so that its outcome is written to the same exception.

    :raises VaultFault: OPERATION_NOT_ALLOWED when the message is resolved, ignored or unreadable,
        or its queue takes no messages.
    """
    if row[ERROR_STATUS] in SETTLED:
        raise VaultFault(
            ErrorType.OPERATION_NOT_ALLOWED,
            "The exception is resolved or ignored already",
        )
    message = _original(row)
    queue = open_queue(context.registry, row["queue__sys"] or "")
    await put(
        context.connection,
        queue,
        message.attributes,
        items or message.items,
        row["message_id__sys"],
    )


def _original(row: Record) -> Message:
    """Return the message as it was received.

    :raises VaultFault: OPERATION_NOT_ALLOWED when the message was unreadable.
    """
    body = row["message_body_json__sys"] or ""
    try:
        envelope = Envelope.parse(body.encode())
    except MalformedMessage as error:
        text = f"The message could not be read when it arrived and cannot be sent again: {error}"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, text) from error
    return envelope.message
