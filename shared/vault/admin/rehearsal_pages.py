"""Serves Admin > Rehearsal: the active fault switches, the form for a new one, and buttons to end them."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from shared.vault.access.permissions import Grant, authorize
from shared.vault.admin.fault_pages import status_of
from shared.vault.admin.page_context import FORM_ID, CurrentPage, PageContext
from shared.vault.errors import ApiError, VaultFault
from shared.vault.rehearsal.fault_catalogue import FAULTS
from shared.vault.rehearsal.switch_request import METHODS, SwitchRequest

router = APIRouter(prefix="/rehearsal")

HERE = "/ui/rehearsal"
FIRST = SwitchRequest(calls="1", minutes="60")


@router.get("")
async def rehearsal(context: CurrentPage) -> Response:
    """List the active fault switches, with the form for a new switch."""
    return _page(context, FIRST, None)


@router.post("")
async def switch_on(context: CurrentPage) -> Response:
    """Switch a fault on."""
    authorize(context.caller, Grant.REHEARSE_FAULTS)
    wanted = FIRST

    async def carry_out() -> str:
        await context.vault.rehearsal.switch_on(context.caller, wanted)
        return HERE

    try:
        wanted = SwitchRequest.read(_entered(context))
        path = await context.once(carry_out)
    except VaultFault as fault:
        return _page(context, wanted, fault.error)
    return context.go(path, "The fault is switched on.")


@router.post("/end")
async def end_all(context: CurrentPage) -> Response:
    """End all switches."""
    await context.vault.rehearsal.switch_off(context.caller, None)
    return context.go(HERE, "All faults are switched off.")


@router.post("/{switch_id}/end")
async def end_one(context: CurrentPage, switch_id: str) -> Response:
    """End one switch."""

    async def carry_out() -> str:
        await context.vault.rehearsal.switch_off(context.caller, switch_id)
        return HERE

    path = await context.once(carry_out)
    return context.go(path, "The fault is switched off.")


def _entered(context: PageContext) -> dict[str, str]:
    """Return the fields that the user has filled in."""
    sent = context.form.fields.items()
    return {name: value for name, value in sent if name != FORM_ID}


def _page(
    context: PageContext, wanted: SwitchRequest, error: ApiError | None
) -> Response:
    """Show the page, its form filled with ``wanted``; with an error, as the answer to a refused form."""
    service = context.vault.rehearsal
    status = 200 if error is None else status_of(error)
    return context.page(
        "rehearsal.html",
        status,
        switches=service.list(context.caller),
        production=service.production,
        faults=FAULTS.values(),
        methods=METHODS,
        wanted=wanted,
        error=error,
    )
