"""Serves user actions of records: lists those that a record offers in its state, and runs them on records."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.actions.action_service import AvailableAction
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import EditsRecords
from shared.vault.api.body import missing, read_fields
from shared.vault.api.openapi.request_bodies import (
    RECORD_DOCUMENTATION,
    form_documentation,
)
from shared.vault.api.request_context import PREFIX, SignedIn, base_path, vault_of
from shared.vault.api.workflows import participant_controls
from shared.vault.errors import VaultFault

router = APIRouter(prefix=f"{PREFIX}/vobjects", tags=["User actions"])


@router.get("/{object_name}/{record_id}/actions", summary="User actions of a record")
async def available(
    request: Request,
    caller: SignedIn,
    object_name: str,
    record_id: str,
) -> Response:
    """Lists the user actions that the record offers in its present state."""
    offered = await vault_of(request).actions.available(caller, object_name, record_id)
    record = f"{base_path(request)}/vobjects/{object_name}/{record_id}"
    return envelope.success(data=[_action_json(action, record) for action in offered])


@router.get(
    "/{object_name}/{record_id}/actions/{action_name}",
    summary="One user action of a record",
)
async def metadata(
    request: Request,
    caller: SignedIn,
    object_name: str,
    record_id: str,
    action_name: str,
) -> Response:
    """Returns one of the user actions that the record offers in its present state."""
    offered = await vault_of(request).actions.available(caller, object_name, record_id)
    record = f"{base_path(request)}/vobjects/{object_name}/{record_id}"
    for action in offered:
        if action.name == action_name:
            shown = _action_json(action, record)
            workflow = vault_of(request).workflows.definition(action.workflow)
            if workflow is not None:
                shown["controls"] = participant_controls(workflow)
            return envelope.success(data=shown)
    # The same for an action that does not exist and one that the record's state does not offer.
    raise VaultFault(
        ErrorType.INSUFFICIENT_ACCESS,
        f"The record offers no action [{action_name[:200]}]",
    )


@router.post(
    "/{object_name}/{record_id}/actions/{action_name}",
    summary="Run a user action",
    openapi_extra=RECORD_DOCUMENTATION,
)
async def run(
    request: Request,
    caller: EditsRecords,
    object_name: str,
    record_id: str,
    action_name: str,
) -> Response:
    """Runs the action on one record; values for its prompts are form fields or members of a JSON object."""
    fields = await read_fields(request)
    # One record is a batch of one, so that both calls refuse and audit in the same way.
    (result,) = await vault_of(request).actions.run(
        caller, object_name, [record_id], action_name, fields
    )
    return envelope.success() if result.ok else envelope.failures(result.errors)


BULK = form_documentation({"ids": "Record ids, separated by commas"})


@router.post(
    "/{object_name}/actions/{action_name}",
    summary="Run a user action on several records",
    openapi_extra=BULK,
)
async def run_bulk(
    request: Request,
    caller: EditsRecords,
    object_name: str,
    action_name: str,
) -> Response:
    """Runs the action on up to 500 records: those in form field `ids`, separated by commas."""
    fields = await read_fields(request)
    # Taken out: the other fields are values for the action's prompts.
    parts = [part.strip() for part in fields.pop("ids", "").split(",")]
    ids = [part for part in parts if part]
    if not ids:
        raise missing("ids")
    results = await vault_of(request).actions.run(
        caller, object_name, ids, action_name, fields
    )
    return envelope.action_batch(results)


def _action_json(action: AvailableAction, record: str) -> dict[str, object]:
    """Return a user action of a record as JSON; ``record`` is the record's address."""
    href = f"{record}/actions/{action.name}"
    links = [
        {"rel": rel, "href": href, "accept": "application/json", "method": method}
        for rel, method in (("metadata", "GET"), ("execute", "POST"))
    ]
    return {
        "name": action.name,
        "label": action.label,
        "type": action.type,
        "links": links,
    }
