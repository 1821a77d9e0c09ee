"""Assigns Case Requests: an agent takes one, passes it to another agent, or starts work on one without an agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.vault.access.caller import SYSTEM
from shared.vault.assembly.ineffective_actions import only_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.vault.errors import ApiError
    from shared.vault.records.named_actions import ActionContext

ASSIGNED = "assigned_to__v"
OBJECT = "case_request__v"

# Those of the requests that are nobody's.
UNASSIGNED = (
    f"SELECT id FROM records.{OBJECT} WHERE id = ANY($1::text[]) AND {ASSIGNED} IS NULL"  # noqa: S608
)


def is_assigned_to(request: Mapping[str, object], user_id: int) -> bool:
    """Return whether a request is assigned to a user."""
    return only_value(request, ASSIGNED) == str(user_id)


async def assign(context: ActionContext) -> Mapping[str, ApiError]:
    """Do nothing further: the action's prompt has set the agent."""
    del context
    return {}


async def assign_to_me(context: ActionContext) -> Mapping[str, ApiError]:
    """Assign the requests to the caller."""
    return await _assigned(context, context.ids)


async def assign_if_nobodys(context: ActionContext) -> Mapping[str, ApiError]:
    """Assign to the caller those requests that have no agent: whoever starts work on a request gets it."""
    caller = context.caller
    # A connection, or the Vault itself, works on no request.
    if caller.connection_id is not None or caller.user_id == SYSTEM.user_id:
        return {}
    rows = await context.connection.fetch(UNASSIGNED, list(context.ids))
    return await _assigned(context, [row["id"] for row in rows])


async def _assigned(
    context: ActionContext, ids: Sequence[str]
) -> Mapping[str, ApiError]:
    if not ids:
        return {}
    changes = {ASSIGNED: str(context.caller.user_id)}
    rows = await context.records.change_in(
        context.connection, context.caller, context.object, ids, {}, changes
    )
    return {str(row.id): row.errors[0] for row in rows if row.errors}
