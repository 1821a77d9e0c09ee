"""Carries out the named actions that every Vault has: sets a field, sends a message."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.errors import ApiError, VaultFault
from shared.vault.model.component_model import Field, FieldType
from shared.vault.queues.outbox import send
from shared.vault.records.field_values import coercion, in_milliseconds
from shared.vault.records.invalid_values import InvalidValue

if TYPE_CHECKING:
    from shared.vault.records.named_actions import ActionContext

NOW = "now"


async def set_field(context: ActionContext) -> Mapping[str, ApiError]:
    """Set ``field`` to ``value`` (``now`` for the current date and time), with the checks of a user's update.

    :raises VaultFault: OPERATION_NOT_ALLOWED when the field cannot be set, or not to this value.
    """
    name = context.parameter("field")
    field = context.object.fields.get(name)
    # An error of the configuration, not of the caller whose record enters the state.
    if field is None or field.system:
        raise VaultFault(
            ErrorType.OPERATION_NOT_ALLOWED, f"The entry action cannot set [{name}]"
        )
    text = context.parameter("value")
    changes = {name: _value(context, field, text)}
    rows = await context.records.change_in(
        context.connection,
        context.caller,
        context.object,
        context.ids,
        {},
        changes,
    )
    return {str(row.id): row.errors[0] for row in rows if row.errors}


def _value(
    context: ActionContext,
    field: Field,
    text: str,
) -> object:
    if field.type is FieldType.DATE_TIME and text == NOW:
        now = datetime.now(UTC)
        return in_milliseconds(now)
    coerce = coercion(field, context.registry)
    try:
        value = coerce(text)
    except InvalidValue as error:
        message = f"The entry action sets a value that is invalid in its field. {error}"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message) from error
    # Column values are not checked for this later on.
    if value is None and field.required:
        raise VaultFault(
            ErrorType.OPERATION_NOT_ALLOWED,
            f"The entry action empties required field [{field.name}]",
        )
    return value


async def send_message(context: ActionContext) -> Mapping[str, ApiError]:
    """Put a message about the records on ``queue``, for ``integration_point``, with ``event``.

    :raises VaultFault: OPERATION_NOT_ALLOWED when a parameter is missing; and as ``entering.send`` does.
    """
    attributes = {
        "object": context.object.name,
        "event": context.parameter("event"),
        "integration_point": context.parameter("integration_point"),
    }
    await send(context, context.parameter("queue"), attributes, context.ids)
    return {}


ACTIONS = {"set_field": set_field, "send_message": send_message}
"""By the names that the configuration uses."""
