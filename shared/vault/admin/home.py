"""The home page: the connections and how they stand, and what is open."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from shared.vault.admin.listing import Row, listed, selected
from shared.vault.admin.showing import Shower, record_path
from shared.vault.admin.visit import Visit, Visiting
from shared.vault.exceptions.recording import OBJECT as EXCEPTION
from shared.vault.security.permissions import Operation, may

router = APIRouter()

CONNECTIONS = "SELECT id, name__v, state__v, status__v, remote_vault_name__sys FROM connection__sys ORDER BY name__v"
INTEGRATIONS = (
    "SELECT id, name__v, status__v, last_successful_run_time__sys FROM integration__sys"
    " WHERE status__v = 'active__v' ORDER BY name__v"
)


COLUMNS = {
    "connection__sys": ("name__v", "state__v", "status__v", "remote_vault_name__sys"),
    "integration__sys": ("name__v", "status__v", "last_successful_run_time__sys"),
}


@dataclass(frozen=True, slots=True)
class Block:
    """One table of the home page."""

    label: str
    shower: Shower
    columns: tuple[str, ...]
    rows: list[Row]
    path: str


@router.get("/")
async def home(visit: Visiting) -> Response:
    """What the caller may see of the connections, and the way to the records."""
    blocks = [
        Block(
            label,
            Shower(visit.registry.objects[object_name], visit.caller, visit.registry),
            COLUMNS[object_name],
            await selected(visit, statement),
            record_path(object_name, ""),
        )
        for label, object_name, statement in (
            ("Connections", "connection__sys", CONNECTIONS),
            ("Active integrations", "integration__sys", INTEGRATIONS),
        )
        if may(visit.caller, object_name, Operation.READ)
    ]
    return visit.page("home.html", blocks=blocks, open=await _open(visit))


async def _open(visit: Visit) -> int | None:
    """How many User Exception Messages are open, for those who may read them."""
    if not may(visit.caller, EXCEPTION, Operation.READ):
        return None
    return (await listed(visit, f"SELECT id FROM {EXCEPTION} WHERE error_status__sys = 'open__sys'", size=1)).total
