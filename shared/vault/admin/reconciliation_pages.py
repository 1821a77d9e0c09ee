"""Serves the reconciliations of a connection: requests, results with findings, and repeated transfers of records."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, authorize
from shared.vault.admin.cookies import NoteKind
from shared.vault.admin.integration_pages import Number
from shared.vault.admin.job_pages import SOON
from shared.vault.admin.page_context import CurrentPage
from shared.vault.admin.showing import named
from shared.vault.admin.viewing import view
from shared.vault.api.reconciliations import findings_file
from shared.vault.connections.connection_rules import OBJECT
from shared.vault.errors import ApiError
from shared.vault.integrations.reconciliation_model import WINDOW_MINUTES, Phase

router = APIRouter(prefix="/connections/{record_id}/reconciliations")

SHOWN_FINDINGS = 200


@router.post("")
async def compare_now(context: CurrentPage, record_id: str) -> Response:
    """Compare both Vaults of the connection as soon as a connector is free."""
    authorize(context.caller, Grant.REQUEST_RUNS)
    shown = await view(context, OBJECT, record_id)
    name = str(shown.values["api_name__sys"])
    service = context.vault.reconciliations
    job_id = await service.request(
        context.caller, name, None, None, window_minutes=WINDOW_MINUTES
    )
    path = f"/ui/connections/{record_id}/reconciliations/{job_id}"
    return context.go(path, "The reconciliation was requested.", NoteKind.BEGUN)


@router.get("/{job_id}")
async def one_reconciliation(
    context: CurrentPage, record_id: str, job_id: Number
) -> Response:
    """Show a reconciliation: its counts by integration point, and its findings."""
    stored = await context.vault.reconciliations.one(context.caller, job_id)
    records = context.vault.reconciliation_records
    found = await records.findings(context.caller, stored)
    return context.page(
        "reconciliation.html",
        view=await view(context, OBJECT, record_id),
        stored=stored,
        points=await named(context, "integration_point__sys"),
        findings=found[:SHOWN_FINDINGS],
        number=len(found),
        compared=stored.phase == Phase.DONE,
        again_in=None if stored.run_end_date else SOON,
    )


@router.get("/{job_id}/findings")
async def download(context: CurrentPage, record_id: str, job_id: Number) -> Response:
    """Download the findings as CSV."""
    del record_id
    return await findings_file(context.vault, context.caller, job_id)


@router.post("/{job_id}/transfer-again")
async def transfer_again(
    context: CurrentPage, record_id: str, job_id: Number
) -> Response:
    """Transfer the chosen findings again, or all of them."""
    authorize(context.caller, Grant.REQUEST_RUNS)
    stored = await context.vault.reconciliations.one(context.caller, job_id)
    chosen = [
        name.partition(".")[2] for name in context.form.fields if name.startswith("id.")
    ]
    path = f"/ui/connections/{record_id}/reconciliations/{job_id}"
    of_all = "all" in context.form.fields
    if not chosen and not of_all:
        message = "Select findings first, by their checkboxes"
        return context.refuse(path, ApiError(ErrorType.PARAMETER_REQUIRED, message))
    records = context.vault.reconciliation_records
    wanted = None if of_all else chosen
    number = await records.transfer_again(context.caller, stored, wanted)
    return context.go(path, f"{number} findings are transferred again.", NoteKind.BEGUN)
