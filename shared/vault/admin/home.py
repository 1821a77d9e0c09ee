"""The home page: what the Vault is for, how its connections stand, what waits, what is open, and what ran last."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from shared.vault.access.permissions import Grant, Operation, granted, may
from shared.vault.admin.listing import Row, listed, selected
from shared.vault.admin.showing import Shower, record_path
from shared.vault.admin.visit import Visit, Visiting
from shared.vault.exceptions.exception_model import MESSAGE as EXCEPTION
from shared.vault.jobs.job_model import JobFilter

router = APIRouter()

TABLES = (
    (
        "Connections",
        "connection__sys",
        ("name__v", "state__v", "status__v", "remote_vault_name__sys"),
        "",
    ),
    (
        "Active integrations",
        "integration__sys",
        ("name__v", "connection__sys", "last_successful_run_time__sys"),
        " WHERE status__v = 'active__v'",
    ),
)
"""Label, object, columns, and which records."""
EVERY = JobFilter(frozenset())
LATEST = 5


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
    """What the caller may see of the connections and jobs, and the way to the records."""
    objects = (
        visit.registry.objects.get(name)
        for name in visit.vault.definition.first_objects
    )
    first = [
        each
        for each in objects
        if each and each.active and may(visit.caller, each.name, Operation.READ)
    ]
    ended = await visit.vault.jobs.histories(
        visit.caller, EVERY, limit=LATEST, offset=0
    )
    queues = (
        await visit.vault.queues.depths(visit.caller)
        if granted(visit.caller, Grant.READ_QUEUES)
        else None
    )
    return visit.page(
        "home.html",
        blocks=await _blocks(visit),
        open=await _open(visit),
        queues=queues,
        first=first,
        jobs=ended.jobs,
    )


async def _blocks(visit: Visit) -> list[Block]:
    blocks = []
    for label, object_name, columns, condition in TABLES:
        if may(visit.caller, object_name, Operation.READ):
            shower = Shower(
                visit.registry.objects[object_name], visit.caller, visit.registry
            )
            statement = f"SELECT {shower.selection(columns)} FROM {object_name}{condition} ORDER BY name__v"
            rows = await selected(visit, statement)
            blocks.append(
                Block(label, shower, columns, rows, record_path(object_name, ""))
            )
    return blocks


async def _open(visit: Visit) -> int | None:
    """How many User Exception Messages are open, for those who may read them."""
    if not may(visit.caller, EXCEPTION, Operation.READ):
        return None
    return (
        await listed(
            visit,
            f"SELECT id FROM {EXCEPTION} WHERE error_status__sys = 'open__sys'",
            size=1,
        )
    ).total
