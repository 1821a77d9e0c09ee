"""Carries out *Ignore*, with which an administrator closes a User Exception Message, or its items, without a retry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.errors import ApiError
from shared.vault.exceptions.exception_model import (
    ERROR_STATUS,
    ITEM,
    MESSAGE,
    ErrorStatus,
)

if TYPE_CHECKING:
    from shared.vault.records.named_actions import ActionContext

IGNORED = {ERROR_STATUS: ErrorStatus.IGNORED.value}

# The ids are those of messages or of items: an id is unique among all objects of a Vault.
UNRESOLVED_ITEMS = """
SELECT id FROM records.exception_item__sys WHERE error_status__sys IN ('open__sys', 'retrying__sys', 'warning__sys')
AND (exception_message__sys = ANY($1::text[]) OR id = ANY($1::text[])) ORDER BY id
"""
RESOLVED = "SELECT id FROM records.{} WHERE id = ANY($1::text[]) AND error_status__sys = 'resolved__sys'"


async def ignore(context: ActionContext) -> Mapping[str, ApiError]:
    """Set records to Ignored, and the unresolved items of messages too; return an error for each resolved record."""
    connection, target = context.connection, context.object
    ids = list(context.ids)
    resolved = await connection.fetch(RESOLVED.format(target.name), ids)
    if resolved:
        error = ApiError(
            ErrorType.OPERATION_NOT_ALLOWED,
            "The exception is resolved already",
        )
        return {row["id"]: error for row in resolved}
    records, caller = context.records, context.caller
    if target.name == MESSAGE:
        await records.change_in(connection, caller, target, ids, {}, IGNORED)
    rows = await connection.fetch(UNRESOLVED_ITEMS, ids)
    items = [row["id"] for row in rows]
    item = context.registry.objects[ITEM]
    await records.change_in(connection, caller, item, items, {}, IGNORED)
    return {}
