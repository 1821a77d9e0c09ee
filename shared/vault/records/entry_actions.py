"""Entry actions every Vault has: set a field, send a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.vault.components.model import FieldType
from shared.vault.components.schema import quote, table
from shared.vault.errors import ApiError, ErrorType, VaultFault
from shared.vault.queues.outbox import open_queue, put
from shared.vault.records.values import coercion, column_type

if TYPE_CHECKING:
    from shared.vault.records.actions import ActionContext

NOW = "now"


async def set_field(context: ActionContext) -> Mapping[str, ApiError]:
    """Set ``field`` to ``value`` (``now`` for a date and time of this moment)."""
    name, value = context.parameter("field"), context.parameter("value")
    field = context.object.fields.get(name)
    if field is None or field.system:
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, f"The entry action cannot set [{name}]")
    assign = f"UPDATE {table(context.object.name)} SET {quote(name)} ="
    if field.type is FieldType.DATE_TIME and value == NOW:
        moment = "date_trunc('milliseconds', now())"
        await context.connection.execute(f"{assign} {moment} WHERE id = ANY($1::text[])", list(context.ids))
    else:
        stored = coercion(field, context.registry)(value)
        sql = f"{assign} $2::{column_type(field)} WHERE id = ANY($1::text[])"
        await context.connection.execute(sql, list(context.ids), stored)
    return {}


async def send_message(context: ActionContext) -> Mapping[str, ApiError]:
    """Put a message about the records on ``queue``, for ``integration_point``, with ``event``."""
    queue = open_queue(context.registry, context.parameter("queue"))
    attributes = {
        "object": context.object.name,
        "event": context.parameter("event"),
        "integration_point": context.parameter("integration_point"),
    }
    await put(context.connection, queue, attributes, context.ids)
    return {}
