"""Serves Admin > Connections > User Exception Messages: failed transfers, to be retried or ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, may
from shared.vault.admin.listing import Page, listed, selected
from shared.vault.admin.showing import Shower
from shared.vault.admin.viewing import object_of, view
from shared.vault.admin.visit import Visit, Visiting
from shared.vault.components.entry_action_definitions import OBJECT_PREFIX
from shared.vault.errors import VaultFault
from shared.vault.exceptions.exception_model import ITEM
from shared.vault.exceptions.exception_model import MESSAGE as OBJECT
from shared.vault.vql import literal

if TYPE_CHECKING:
    from shared.vault.records.rows import RowResult

router = APIRouter(prefix="/exceptions")

STATUS = "error_status__sys"
TYPE = "error_type__sys"
COLUMNS = (
    "name__v",
    "error_message__sys",  # below its type
    "integration__sys",
    "message_items_failed__sys",
    STATUS,
    "modified_date__v",
)
HEADINGS = {"error_message__sys": "Error", "message_items_failed__sys": "Items Failed"}
ITEM_COLUMNS = (
    "name__v",
    "item__sys",
    TYPE,
    "error_message__sys",
    "integration_rule__sys",
    "field_rule__sys",
    "target_field__sys",
    STATUS,
)
BULK = ("retry_transfer__sys", "ignore__sys")  # actions that run on several messages
ALL = "all"
SCOPES = (
    ("connection", "connection__sys", "api_name__sys"),
    ("integration", "integration__sys", "integration_api_name__sys"),
)

Status = Annotated[str, Query(max_length=100)]


@router.get("")
async def messages(
    visit: Visiting,
    status: Status = "open__sys",
    page: Page = 1,
) -> Response:
    """List the messages of a status, the latest first; by default the open ones."""
    target = object_of(visit, OBJECT)
    shower = Shower(target, visit.caller, visit.registry)
    # PostgreSQL takes NUL in no text.
    wanted = literal(status.replace("\x00", ""))
    where = "" if status == ALL else f" WHERE {STATUS} = {wanted}"
    selection = shower.selection((TYPE, *COLUMNS))
    order = "ORDER BY modified_date__v DESC"
    statement = f"SELECT {selection} FROM {OBJECT}{where} {order}"
    picklist = visit.registry.picklists[target.fields[STATUS].picklist or ""]
    labels = [(entry.name, entry.label) for entry in picklist.entries.values()]
    return visit.page(
        "exceptions.html",
        shower=shower,
        columns=COLUMNS,
        headings=HEADINGS,
        listing=await listed(visit, statement, page),
        status=status,
        statuses=[*labels, (ALL, "All")],
        scopes=await _scopes(visit),
    )


async def _scopes(visit: Visit) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return parameter → options (API name, name) for connections and integrations that can be retried as a whole."""
    scopes = []
    for parameter, object_name, name in SCOPES:
        if may(visit.caller, object_name, Operation.READ):
            statement = f"SELECT {name}, name__v FROM {object_name} ORDER BY name__v"
            rows = await selected(visit, statement)
            options = [(str(row[name]), str(row["name__v"])) for row in rows]
            scopes.append((parameter, options))
    return scopes


@router.post("/actions")
async def run_on_chosen(visit: Visiting) -> Response:
    """Run Retry Transfer or Ignore on the selected messages."""
    form = visit.form.fields
    action = form.get("action", "")
    back = f"/ui/exceptions?status={form.get('status', '')[:100]}"
    if action not in BULK:
        raise VaultFault(
            ErrorType.PARAMETER_REQUIRED, "Missing required parameter [action]"
        )
    chosen = [name.partition(".")[2] for name in form if name.startswith("id.")]
    if not chosen:
        return visit.go(
            back, f"{ErrorType.PARAMETER_REQUIRED}: Select messages", refused=True
        )
    # Each message by itself: one that is refused does not keep the others from it.
    name = f"{OBJECT_PREFIX}.{OBJECT}.{action}"
    results = await visit.vault.actions.run(visit.caller, OBJECT, chosen, name, {})
    refused = [result for result in results if result.errors]
    return visit.go(back, _outcome(len(results), refused), refused=bool(refused))


def _outcome(total: int, refused: list[RowResult]) -> str:
    """Return the message after an action on several messages."""
    if not refused:
        messages = "message" if total == 1 else "messages"
        return f"The action was run on {total} {messages}."
    error = refused[0].errors[0]
    reason = f"{error.type}: {error.message}"
    return f"{len(refused)} of {total} were refused, the first one: {reason}"


@router.post("/retry")
async def retry_all(visit: Visiting) -> Response:
    """Start the job that retries all open messages, or those of one connection or integration."""
    form = visit.form.fields
    wanted = {name: form.get(name, "") for name in ("connection", "integration")}

    async def carry_out() -> str:
        job_id = await visit.vault.bulk_retries.submit(visit.caller, wanted)
        return f"/ui/jobs/{job_id}"

    path = await visit.once(carry_out)
    return visit.go(path, "The job was started.")


@router.get("/{record_id}")
async def one_message(
    visit: Visiting,
    record_id: str,
    page: Page = 1,
) -> Response:
    """Show a message and its items, each with its record, rule, field and error."""
    shown = await view(visit, OBJECT, record_id)
    items = object_of(visit, ITEM)
    own = f"WHERE exception_message__sys = '{shown.id}' ORDER BY id"
    columns = ", ".join(ITEM_COLUMNS)
    statement = f"SELECT id, {columns} FROM {ITEM} {own}"
    return visit.page(
        "exception.html",
        view=shown,
        shower=Shower(items, visit.caller, visit.registry),
        listing=await listed(visit, statement, page),
        ignore=f"{OBJECT_PREFIX}.{ITEM}.ignore__sys",
    )
