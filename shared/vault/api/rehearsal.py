"""Serves fault switches, for Vaults that are not in production."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.protocol.json_values import date_time_text
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import RehearsesFaults
from shared.vault.api.body import read_fields
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of
from shared.vault.rehearsal.fault import CallFault
from shared.vault.rehearsal.fault_catalogue import FAULTS
from shared.vault.rehearsal.switch_request import SwitchRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.vault.rehearsal.fault_switches import Switch

router = APIRouter(prefix=f"{PREFIX}/services/rehearsal", tags=["Rehearsal"])

FIELDS = {
    "fault": "Name of the fault.",
    "calls": "Apply the fault to this number of calls or messages, 1 to 100000.",
    "share": "Apply it to this share of calls or messages instead, 1 to 100 percent.",
    "user": "Only calls of this user.",
    "client_id": "Only calls of clients with this client id.",
    "method": "Only calls with this method.",
    "path": "Only calls whose path fits: `*` in a segment, `**` as the last one.",
    "queue": "Only messages of this queue, for faults of queues; one `*` may stand in it.",
    "seconds": "How long the fault lasts, up to 300.",
    "minutes": "When the switch ends by itself, 1 to 1440; 60 when not set.",
}


@router.get("/faults", summary="All faults")
async def all_faults(caller: RehearsesFaults) -> Response:
    """Lists the faults that can be switched on, with the calls that each applies to and its duration."""
    del caller  # admitted
    shown = []
    for fault in FAULTS.values():
        path = fault.path if isinstance(fault, CallFault) else None
        entry = {"name": fault.name, "label": fault.label, "seconds": fault.seconds}
        shown.append({**entry, "strikes": "messages" if path is None else "calls"})
        if path is not None:
            shown[-1]["path"] = path
    return envelope.success(data=shown)


@router.get("/switches", summary="Faults that are on")
async def all_switches(request: Request, caller: SignedIn) -> Response:
    """Lists the active switches, and those that have been applied to all of their calls."""
    switches = vault_of(request).rehearsal.list(caller)
    return envelope.success(data=_shown(switches))


@router.post(
    "/switches",
    summary="Switch a fault on",
    openapi_extra=form_documentation(FIELDS),
)
async def switch_on(request: Request, caller: RehearsesFaults) -> Response:
    """Switches a fault on, for the next `calls` or for a `share` of them; refused in production."""
    wanted = SwitchRequest.read(await read_fields(request))
    switch = await vault_of(request).rehearsal.switch_on(caller, wanted)
    (shown,) = _shown([switch])
    return envelope.success(data=shown)


@router.delete("/switches", summary="Switch all faults off")
async def switch_all_off(request: Request, caller: SignedIn) -> Response:
    """Ends all switches, and returns how often this process has applied them."""
    ended = await vault_of(request).rehearsal.switch_off(caller, None)
    return envelope.success(data=_shown(ended))


@router.delete("/switches/{switch_id}", summary="Switch a fault off")
async def switch_off(request: Request, caller: SignedIn, switch_id: str) -> Response:
    """Ends one switch, and returns how often it was applied."""
    ended = await vault_of(request).rehearsal.switch_off(caller, switch_id)
    return envelope.success(data=_shown(ended))


def _shown(switches: Iterable[Switch]) -> list[dict[str, object]]:
    return [_entry(switch) for switch in switches]


def _entry(switch: Switch) -> dict[str, object]:
    """Return a switch without members that do not apply."""
    target = switch.target
    path = None if target.path is None else target.path.text
    members = {
        "id": switch.switch_id,
        "fault": switch.fault.name,
        "calls": switch.calls,
        "share": switch.share,
        "user": target.user or None,
        "client_id": target.client_id or None,
        "method": target.method or None,
        "path": path,
        "queue": target.queue if path is None else None,
        "seconds": switch.seconds or None,
        "until": date_time_text(switch.until),
        "set_by": switch.set_by,
        "struck": switch.struck,
        "used_up": switch.used_up,
    }
    return {name: value for name, value in members.items() if value is not None}
