"""Serves Admin > Rehearsal: the active fault switches, the form for a new one, and buttons to end them."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from shared.vault.access.permissions import Grant, authorize
from shared.vault.admin.fault_pages import status_of
from shared.vault.admin.visit import FORM_ID, Visit, Visiting
from shared.vault.errors import ApiError, VaultFault
from shared.vault.rehearsal.fault_catalogue import FAULTS
from shared.vault.rehearsal.switch_request import METHODS, SwitchRequest

router = APIRouter(prefix="/rehearsal")

HERE = "/ui/rehearsal"
FIRST = SwitchRequest(calls="1", minutes="60")


@router.get("")
async def rehearsal(visit: Visiting) -> Response:
    """List the active fault switches, with the form for a new switch."""
    return _page(visit, FIRST, None)


@router.post("")
async def switch_on(visit: Visiting) -> Response:
    """Switch a fault on."""
    authorize(visit.caller, Grant.REHEARSE_FAULTS)
    wanted = FIRST

    async def carry_out() -> str:
        await visit.vault.rehearsal.switch_on(visit.caller, wanted)
        return HERE

    try:
        wanted = SwitchRequest.read(_entered(visit))
        path = await visit.once(carry_out)
    except VaultFault as fault:
        return _page(visit, wanted, fault.error)
    return visit.go(path, "The fault is switched on.")


@router.post("/end")
async def end_all(visit: Visiting) -> Response:
    """End all switches."""
    await visit.vault.rehearsal.switch_off(visit.caller, None)
    return visit.go(HERE, "All faults are switched off.")


@router.post("/{switch_id}/end")
async def end_one(visit: Visiting, switch_id: str) -> Response:
    """End one switch."""

    async def carry_out() -> str:
        await visit.vault.rehearsal.switch_off(visit.caller, switch_id)
        return HERE

    path = await visit.once(carry_out)
    return visit.go(path, "The fault is switched off.")


def _entered(visit: Visit) -> dict[str, str]:
    """Return the fields that the user has filled in."""
    sent = visit.form.fields.items()
    return {name: value for name, value in sent if name != FORM_ID}


def _page(visit: Visit, wanted: SwitchRequest, error: ApiError | None) -> Response:
    """Show the page, its form filled with ``wanted``; with an error, as the answer to a refused form."""
    service = visit.vault.rehearsal
    status = 200 if error is None else status_of(error)
    return visit.page(
        "rehearsal.html",
        status,
        switches=service.list(visit.caller),
        production=service.production,
        faults=FAULTS.values(),
        methods=METHODS,
        wanted=wanted,
        error=error,
    )
