"""Ignore: what an administrator decides to leave as it is, a whole User Exception Message or single items of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.errors import ApiError
from shared.vault.exceptions import items, recording

if TYPE_CHECKING:
    from shared.vault.records.named_actions import ActionContext

IGNORED = {"error_status__sys": "ignored__sys"}

UNRESOLVED_ITEMS = """
SELECT id FROM records.exception_item__sys WHERE error_status__sys IN ('open__sys', 'retrying__sys', 'warning__sys')
AND (exception_message__sys = ANY($1::text[]) OR id = ANY($1::text[])) ORDER BY id
"""
RESOLVED = "SELECT id FROM records.{} WHERE id = ANY($1::text[]) AND error_status__sys = 'resolved__sys'"


async def ignore(context: ActionContext) -> Mapping[str, ApiError]:
    """Set the records to Ignored, of messages with all of their items that are not resolved; refuse resolved ones."""
    settled = await context.connection.fetch(
        RESOLVED.format(context.object.name), list(context.ids)
    )
    if settled:
        error = ApiError(
            ErrorType.OPERATION_NOT_ALLOWED, "The exception is resolved already"
        )
        return {row["id"]: error for row in settled}
    if context.object.name == recording.OBJECT:
        change = {**IGNORED, "message_items_failed__sys": 0}
        await context.records.change_in(
            context.connection, context.caller, context.object, context.ids, {}, change
        )
    left = [
        row["id"]
        for row in await context.connection.fetch(UNRESOLVED_ITEMS, list(context.ids))
    ]
    target = context.registry.objects[items.OBJECT]
    await context.records.change_in(
        context.connection, context.caller, target, left, {}, IGNORED
    )
    return {}
