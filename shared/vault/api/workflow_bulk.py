"""Serves actions on several workflows or tasks, which are carried out as jobs."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.vault.access.caller import Caller
from shared.vault.access.permissions import Grant, authorize, granted
from shared.vault.api import response_envelope as envelope
from shared.vault.api.body import read_fields
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of
from shared.vault.api.workflows import no_action
from shared.vault.workflows.bulk_actions import BulkAction

router = APIRouter(prefix=f"{PREFIX}/object/workflow/actions", tags=["Workflows"])

_ACTIONS = frozenset(BulkAction)


@router.get("", summary="Actions on several workflows")
async def listed(caller: SignedIn) -> Response:
    """Lists the actions that the caller may carry out on several workflows or tasks."""
    offered = BulkAction if granted(caller, Grant.MANAGE_WORKFLOWS) else ()
    return envelope.success(
        data=[{"name": each.value, "label": each.label} for each in offered]
    )


@router.get("/{bulk_action}", summary="Parameters of an action on several workflows")
async def metadata(caller: SignedIn, bulk_action: str) -> Response:
    """Returns the parameters of an action on several workflows or tasks."""
    action = _action(caller, bulk_action)
    prompts = [
        {
            "name": prompt.name,
            "label": prompt.label,
            "required": prompt.required,
            "multi_value": prompt.multi_value,
        }
        for prompt in action.prompts
    ]
    control = {"prompts": prompts, "type": "field", "label": "Fields"}
    return envelope.success(data={"name": action.value, "controls": [control]})


RUN = form_documentation(
    {prompt.name: prompt.label for action in BulkAction for prompt in action.prompts}
)


@router.post(
    "/{bulk_action}", summary="Run an action on several workflows", openapi_extra=RUN
)
async def run(request: Request, caller: SignedIn, bulk_action: str) -> Response:
    """Starts a job that carries the action out on up to 500 workflows or tasks; its results list the refused ones."""
    action = _action(caller, bulk_action)
    fields = await read_fields(request)
    job_id = await vault_of(request).workflow_actions.submit(caller, action, fields)
    return envelope.success(data={"job_id": job_id})


def _action(caller: Caller, name: str) -> BulkAction:
    """Return the action with a name.

    :raises VaultFault: INSUFFICIENT_ACCESS when the caller may carry out no action; INVALID_DATA for an unknown name.
    """
    authorize(caller, Grant.MANAGE_WORKFLOWS)
    if name not in _ACTIONS:
        raise no_action(name)
    return BulkAction(name)
