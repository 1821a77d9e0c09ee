"""Retry Transfer: sends the failed items of a User Exception Message again, under the message's own id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.spark.broker_errors import MalformedMessage
from shared.spark.envelope import Envelope, Message
from shared.vault.access.permissions import Operation, require
from shared.vault.errors import ApiError, VaultFault
from shared.vault.queues.outbox import open_queue, put

if TYPE_CHECKING:
    import asyncpg

    from shared.vault.records.named_actions import ActionContext

OBJECT = "exception_message__sys"
ITEM = "exception_item__sys"

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
RETRYING = {"error_status__sys": "retrying__sys"}


async def retry_transfer(context: ActionContext) -> Mapping[str, ApiError]:
    """Queue each message again with its unresolved items, all of its items when it has none of its own.

    The message keeps its id, so that what comes of it is written to the same exception.

    :raises VaultFault: INSUFFICIENT_ACCESS for a caller who may not see the items.
    """
    require(context.caller, ITEM, Operation.READ)
    items = {
        row["message"]: row["items"]
        for row in await context.connection.fetch(ITEMS, list(context.ids))
    }
    errors: dict[str, ApiError] = {}
    for row in await context.connection.fetch(MESSAGES, list(context.ids)):
        try:
            await _send_again(context, row, items.get(row["id"]))
        except VaultFault as fault:
            errors[row["id"]] = fault.error
    if not errors:
        open_items = [
            row["id"]
            for row in await context.connection.fetch(OPEN_ITEMS, list(context.ids))
        ]
        for target, ids in (
            (context.object, context.ids),
            (context.registry.objects[ITEM], open_items),
        ):
            await context.records.change_in(
                context.connection, context.caller, target, ids, {}, RETRYING
            )
    return errors


async def _send_again(
    context: ActionContext, row: asyncpg.Record, items: list[str] | None
) -> None:
    if row["error_status__sys"] in ("resolved__sys", "ignored__sys"):
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


def _original(row: asyncpg.Record) -> Message:
    """The message as it was received; raises VaultFault when it was not readable."""
    try:
        return Envelope.parse((row["message_body_json__sys"] or "").encode()).message
    except MalformedMessage as error:
        text = f"The message could not be read when it arrived and cannot be sent again: {error}"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, text) from error
