"""Admin > Connections: a connection, its integrations, and the files that establish it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import Response

from shared.vault.access.permissions import Grant, authorize
from shared.vault.admin.fault_pages import status_of
from shared.vault.admin.listing import Page, listed, selected
from shared.vault.admin.rule_pages import rules_of
from shared.vault.admin.showing import Shower
from shared.vault.admin.viewing import RecordView, object_of, view
from shared.vault.admin.visit import Visit, Visiting
from shared.vault.api.file_body import disposition
from shared.vault.connections.connection_rules import OBJECT, ConnectionType, State
from shared.vault.connections.duplication import Copy
from shared.vault.errors import ApiError, VaultFault

if TYPE_CHECKING:
    from shared.vault.connections.handshake import Established

router = APIRouter(prefix="/connections")

COLUMNS = (
    "name__v",
    "api_name__sys",
    "object_type__v",
    "state__v",
    "status__v",
    "remote_vault_name__sys",
)
INTEGRATION_COLUMNS = (
    "name__v",
    "integration_api_name__sys",
    "status__v",
    "last_successful_run_time__sys",
)


@router.get("")
async def all_connections(visit: Visiting, page: Page = 1) -> Response:
    """Name, type, state and remote Vault of each."""
    shower = Shower(object_of(visit, OBJECT), visit.caller, visit.registry)
    found = await listed(
        visit, f"SELECT id, {', '.join(COLUMNS)} FROM {OBJECT} ORDER BY name__v", page
    )
    return visit.page("connections.html", shower=shower, columns=COLUMNS, listing=found)


@router.get("/{record_id}")
async def one_connection(visit: Visiting, record_id: str) -> Response:
    """Its fields, what its state offers, and the integrations below it."""
    return await _page(visit, await view(visit, OBJECT, record_id))


@router.post("/{record_id}/file")
async def download(visit: Visiting, record_id: str) -> Response:
    """A new connection file, as a download; it works once."""
    name = await _api_name(visit, record_id)
    content = await visit.vault.connections.handshake.file(visit.caller, name)
    headers = {"Content-Disposition": disposition(f"{name}-connection.json")}
    return Response(content, 200, headers, "application/json")


@router.post("/{record_id}/upload")
async def upload(visit: Visiting, record_id: str) -> Response:
    """Takes the other Vault's connection file, or the acceptance that answers this Vault's own."""
    name = await _api_name(visit, record_id)
    content = b"".join([chunk async for chunk in visit.form.content()])
    try:
        done = await visit.vault.connections.handshake.upload(
            visit.caller, content, name
        )
    except VaultFault as fault:
        return await _page(
            visit, await view(visit, OBJECT, record_id), error=fault.error
        )
    if done.acceptance is None:
        return visit.go(
            f"/ui/connections/{record_id}", "The connection is established."
        )
    return _accepted(visit, record_id, done, done.acceptance)


def _accepted(
    visit: Visit, record_id: str, done: Established, acceptance: bytes
) -> Response:
    """The acceptance, which is told this once."""
    address = f"data:application/json;base64,{base64.b64encode(acceptance).decode()}"
    text = acceptance.decode()
    return visit.page(
        "acceptance.html",
        record_id=record_id,
        name=done.connection,
        address=address,
        text=text,
    )


@router.get("/{record_id}/duplicate")
async def duplicate_form(visit: Visiting, record_id: str) -> Response:
    """The names of the copy are asked for."""
    authorize(visit.caller, Grant.MANAGE_CONNECTIONS)
    return visit.page(
        "duplicate.html",
        view=await view(visit, OBJECT, record_id),
        given={},
        error=None,
    )


@router.post("/{record_id}/duplicate")
async def duplicate(visit: Visiting, record_id: str) -> Response:
    """Copies the connection with integrations, points, rules, lookups and queue connections."""
    given = visit.form.fields
    copy = Copy(
        given.get("name", ""),
        given.get("api_name", ""),
        given.get("remote_vault_id", ""),
    )
    try:
        made = await visit.vault.connections.duplication.duplicate(
            visit.caller, await _api_name(visit, record_id), copy
        )
    except VaultFault as fault:
        shown = await view(visit, OBJECT, record_id)
        return visit.page(
            "duplicate.html",
            status_of(fault.error),
            view=shown,
            given=given,
            error=fault.error,
        )
    return visit.go(
        f"/ui/connections/{made}", "The connection was duplicated; its copy is Pending."
    )


async def _page(
    visit: Visit, shown: RecordView, error: ApiError | None = None
) -> Response:
    integrations, lookups = (
        object_of(visit, "integration__sys"),
        object_of(visit, "reference_lookup__sys"),
    )
    own = f"WHERE connection__sys = '{shown.id}'"
    statement = f"SELECT id, {', '.join(INTEGRATION_COLUMNS)} FROM {integrations.name} {own} ORDER BY name__v"
    counted = await listed(visit, f"SELECT id FROM {lookups.name} {own}", size=1)
    pending = (
        shown.values["state__v"] == [State.PENDING]
        and shown.values["object_type__v"] == ConnectionType.VAULT_TO_VAULT
    )
    return visit.page(
        "connection.html",
        status_of(error) if error else 200,
        view=shown,
        shower=Shower(integrations, visit.caller, visit.registry),
        columns=INTEGRATION_COLUMNS,
        integrations=await selected(visit, statement),
        lookups=counted.total,
        rules=rules_of(visit, str(shown.values["api_name__sys"])),
        establishing=pending and visit.granted(Grant.MANAGE_CONNECTIONS),
        queues=_queues(visit, str(shown.values["api_name__sys"])),
        error=error,
    )


def _queues(visit: Visit, api_name: str) -> list[tuple[str, str]]:
    """Name and label of the queues that send over the connection."""
    return [
        (queue.name, queue.label)
        for queue in visit.registry.queues.values()
        if any(part.connection_name == api_name for part in queue.connections)
    ]


async def _api_name(visit: Visit, record_id: str) -> str:
    record = await visit.vault.queries.record(visit.caller, OBJECT, record_id)
    return str(record["api_name__sys"])
