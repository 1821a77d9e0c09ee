"""Serves Admin > Connections: connections, their integrations, and the files that establish them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import Response

from shared.vault.access.permissions import Grant, authorize
from shared.vault.admin.fault_pages import status_of
from shared.vault.admin.listing import Page, listed, selected
from shared.vault.admin.page_context import CurrentPage, PageContext
from shared.vault.admin.rule_pages import rules_of
from shared.vault.admin.showing import ValueFormatter
from shared.vault.admin.viewing import RecordView, object_of, view
from shared.vault.api.file_body import disposition
from shared.vault.connections.connection_rules import OBJECT, ConnectionType, State
from shared.vault.connections.duplication import Copy
from shared.vault.errors import ApiError, VaultFault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.vault.connections.handshake import Established
    from shared.vault.integrations.reconciliation_model import Reconciliation
    from shared.vault.integrations.run_model import Run

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
LATEST = 5  # reconciliations
NEXT: Mapping[str, str] = {
    State.PENDING: "Establish it next: one Vault's connection file goes to the other Vault, and the acceptance comes"
    " back. That needs the permission Manage Connections in both.",
    State.PENDING_APPROVAL: "Approve it next: compare Remote Vault Name and Remote DNS below with what the other"
    " Vault's administrator tells you. That needs the permission Manage Connections.",
    State.ACTIVE: "It transfers. Inactivate keeps messages waiting on their queues; Reactivate lets them go on.",
    State.INACTIVE: "It transfers nothing; messages wait on their queues. Reactivate lets them go on.",
}
"""What an administrator does next, by the state of the connection."""


@router.get("")
async def all_connections(
    context: CurrentPage,
    page: Page = 1,
) -> Response:
    """List connections with name, type, state and remote Vault."""
    formatter = ValueFormatter(
        object_of(context, OBJECT), context.caller, context.registry
    )
    statement = f"SELECT id, {', '.join(COLUMNS)} FROM {OBJECT} ORDER BY name__v"
    found = await listed(context, statement, page, counted=False)
    return context.page(
        "connections.html", formatter=formatter, columns=COLUMNS, listing=found
    )


@router.get("/{record_id}")
async def one_connection(
    context: CurrentPage,
    record_id: str,
) -> Response:
    """Show a connection: its fields, actions, and integrations."""
    shown = await view(context, OBJECT, record_id)
    return await _page(context, shown)


@router.post("/{record_id}/file")
async def download(
    context: CurrentPage,
    record_id: str,
) -> Response:
    """Download a new connection file."""
    name = await _api_name(context, record_id)
    handshake = context.vault.connections.handshake
    content = await handshake.file(context.caller, name)
    file_name = f"{name}-connection.json"
    headers = {"Content-Disposition": disposition(file_name)}
    return Response(content, 200, headers, "application/json")


@router.post("/{record_id}/upload")
async def upload(
    context: CurrentPage,
    record_id: str,
) -> Response:
    """Establish the connection from the other Vault's connection file, or from its acceptance of this Vault's file."""
    name = await _api_name(context, record_id)
    content = await context.form.whole()
    handshake = context.vault.connections.handshake
    try:
        done = await handshake.upload(context.caller, content, name)
    except VaultFault as fault:
        shown = await view(context, OBJECT, record_id)
        return await _page(context, shown, error=fault.error)
    if done.acceptance is None:
        path = f"/ui/connections/{record_id}"
        return context.go(path, "The connection is established.")
    return _accepted(context, record_id, done, done.acceptance)


def _accepted(
    context: PageContext,
    record_id: str,
    done: Established,
    acceptance: bytes,
) -> Response:
    """Show the acceptance, as text and as a download."""
    # The download is part of the page: the acceptance is not stored, so no address could return it.
    address = f"data:application/json;base64,{base64.b64encode(acceptance).decode()}"
    text = acceptance.decode()
    return context.page(
        "acceptance.html",
        record_id=record_id,
        name=done.connection,
        address=address,
        text=text,
    )


@router.get("/{record_id}/duplicate")
async def duplicate_form(
    context: CurrentPage,
    record_id: str,
) -> Response:
    """Ask for the names of the copy."""
    authorize(context.caller, Grant.MANAGE_CONNECTIONS)
    shown = await view(context, OBJECT, record_id)
    # The same template shows a refused form, which has values to show again.
    return context.page("duplicate.html", view=shown, entered={}, error=None)


@router.post("/{record_id}/duplicate")
async def duplicate(
    context: CurrentPage,
    record_id: str,
) -> Response:
    """Copy a connection with its integrations, points, rules, lookups and queue connections."""
    entered = context.form.fields
    copy = Copy(
        entered.get("name", ""),
        entered.get("api_name", ""),
        entered.get("remote_vault_id", ""),
    )

    async def carry_out() -> str:
        api_name = await _api_name(context, record_id)
        duplication = context.vault.connections.duplication
        copy_id = await duplication.duplicate(context.caller, api_name, copy)
        return f"/ui/connections/{copy_id}"

    try:
        path = await context.once(carry_out)
    except VaultFault as fault:
        shown = await view(context, OBJECT, record_id)
        return context.page(
            "duplicate.html",
            status_of(fault.error),
            view=shown,
            entered=entered,
            error=fault.error,
        )
    return context.go(path, "The connection was duplicated; its copy is Pending.")


async def _page(
    context: PageContext,
    shown: RecordView,
    error: ApiError | None = None,
) -> Response:
    """Show a connection; with an error, as the answer to a form that was refused."""
    integrations = object_of(context, "integration__sys")
    lookups = object_of(context, "reference_lookup__sys")
    api_name = str(shown.values["api_name__sys"])
    own = f"WHERE connection__sys = '{shown.id}'"
    columns = ", ".join(INTEGRATION_COLUMNS)
    statement = f"SELECT id, {columns} FROM {integrations.name} {own} ORDER BY name__v"
    # Only their number is shown: a connection may have thousands.
    counted = await listed(context, f"SELECT id FROM {lookups.name} {own}", size=1)
    # Only connections of this type are established by files, and only while they are Pending.
    pending = (
        shown.values["state__v"] == [State.PENDING]
        and shown.values["object_type__v"] == ConnectionType.VAULT_TO_VAULT
    )
    sees_runs = context.granted(Grant.COPY_RECORDS)
    active = shown.values["state__v"] == [State.ACTIVE]
    active = active and shown.values["status__v"] == ["active__v"]
    reconciliations: Sequence[Reconciliation] = ()
    if sees_runs:
        service = context.vault.reconciliations
        reconciliations = await service.listed(
            context.caller, api_name, limit=LATEST, offset=0
        )
    rows = await selected(context, statement)
    latest: Mapping[str, Run] = {}
    if sees_runs:
        ids = [str(row["id"]) for row in rows]
        latest = await context.vault.runs.latest(context.caller, ids)
    return context.page(
        "connection.html",
        status_of(error) if error else 200,
        view=shown,
        next_step=NEXT.get(str(shown.values["state__v"][0]), ""),
        latest=latest,
        formatter=ValueFormatter(integrations, context.caller, context.registry),
        columns=INTEGRATION_COLUMNS,
        integrations=rows,
        lookups=counted.total,
        rules=rules_of(context, api_name),
        establishing=pending and context.granted(Grant.MANAGE_CONNECTIONS),
        queues=_queues(context, api_name),
        sees_runs=sees_runs,
        may_compare=active and context.granted(Grant.REQUEST_RUNS),
        reconciliations=reconciliations,
        error=error,
    )


def _queues(context: PageContext, api_name: str) -> list[tuple[str, str]]:
    """Return name and label of the queues that send over the connection."""
    queues = []
    for queue in context.registry.queues.values():
        names = {part.connection_name for part in queue.connections}
        if api_name in names:
            queues.append((queue.name, queue.label))
    return queues


async def _api_name(context: PageContext, record_id: str) -> str:
    """Return the API name of a connection that the caller may read."""
    queries = context.vault.queries
    record = await queries.record(context.caller, OBJECT, record_id)
    return str(record["api_name__sys"])
