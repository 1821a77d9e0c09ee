"""Serves the buttons by which a user runs the actions that a record offers."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation
from shared.vault.admin.inputs import entered
from shared.vault.admin.showing import record_path
from shared.vault.admin.viewing import object_of
from shared.vault.admin.visit import Visiting, safe_target
from shared.vault.errors import VaultFault

router = APIRouter(prefix="/objects/{object_name}")


@router.post("/{record_id}/actions/{action_name}")
async def run(
    visit: Visiting,
    object_name: str,
    record_id: str,
    action_name: str,
) -> Response:
    """Run a user action on a record and go back to the page that has its button."""
    target = object_of(visit, object_name, Operation.EDIT)
    offered = await visit.vault.actions.available(visit.caller, object_name, record_id)
    action = next((each for each in offered if each.name == action_name), None)
    if action is None:
        raise VaultFault(
            ErrorType.INSUFFICIENT_ACCESS,
            f"The record offers no action [{action_name[:200]}]",
        )
    prompts = [target.fields[name] for name in action.prompts if name in target.fields]
    sent = entered(prompts, visit.form.fields, visit.registry)
    # A field that was left empty is not set: an action empties no fields.
    values = {name: value for name, value in sent.items() if value not in ("", [])}
    (result,) = await visit.vault.actions.run(
        visit.caller, object_name, [record_id], action_name, values
    )
    back = visit.form.fields.get("back", "")
    path = safe_target(back) if back else record_path(object_name, record_id)
    return visit.go_with(path, result, f"The action {action.label} was run.")
