"""Admin > Connections > User Exception Messages: what could not be transferred, to be retried or ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.admin.listing import Page, listed, selected
from shared.vault.admin.showing import Shower
from shared.vault.admin.viewing import object_of, view
from shared.vault.admin.visit import Visit, Visiting
from shared.vault.components.entry_action_definitions import OBJECT_PREFIX
from shared.vault.errors import VaultFault
from shared.vault.exceptions.items import OBJECT as ITEM
from shared.vault.exceptions.recording import OBJECT
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
BULK = ("retry_transfer__sys", "ignore__sys")
ALL = "all"

Status = Annotated[str, Query(max_length=100)]


@router.get("")
async def messages(
    visit: Visiting, status: Status = "open__sys", page: Page = 1
) -> Response:
    """The messages of a status, the latest first; those that are open unless another is asked for."""
    target = object_of(visit, OBJECT)
    shower = Shower(target, visit.caller, visit.registry)
    where = (
        ""
        if status == ALL
        else f" WHERE {STATUS} = {literal(status.replace(chr(0), ''))}"
    )
    statement = f"SELECT {shower.selection((TYPE, *COLUMNS))} FROM {OBJECT}{where} ORDER BY modified_date__v DESC"
    picklist = visit.registry.picklists[target.fields[STATUS].picklist or ""]
    return visit.page(
        "exceptions.html",
        shower=shower,
        columns=COLUMNS,
        headings=HEADINGS,
        listing=await listed(visit, statement, page),
        status=status,
        statuses=[
            *((entry.name, entry.label) for entry in picklist.entries.values()),
            (ALL, "All"),
        ],
        scopes=await _scopes(visit),
    )


async def _scopes(visit: Visit) -> list[tuple[str, list[tuple[str, str]]]]:
    """What all open messages may be retried of: API names and names."""
    scopes = []
    for parameter, object_name, name in (
        ("connection", "connection__sys", "api_name__sys"),
        ("integration", "integration__sys", "integration_api_name__sys"),
    ):
        if visit.may(object_name, "read"):
            rows = await selected(
                visit, f"SELECT {name}, name__v FROM {object_name} ORDER BY name__v"
            )
            scopes.append(
                (parameter, [(str(row[name]), str(row["name__v"])) for row in rows])
            )
    return scopes


@router.post("/actions")
async def run_on_chosen(visit: Visiting) -> Response:
    """Retry Transfer or Ignore on the messages that were ticked."""
    form = visit.form.fields
    action, back = (
        form.get("action", ""),
        f"/ui/exceptions?status={form.get('status', '')[:100]}",
    )
    if action not in BULK:
        raise VaultFault(
            ErrorType.PARAMETER_REQUIRED, "Missing required parameter [action]"
        )
    chosen = [name.partition(".")[2] for name in form if name.startswith("id.")]
    if not chosen:
        return visit.go(back, "PARAMETER_REQUIRED: Choose messages", refused=True)
    name = f"{OBJECT_PREFIX}.{OBJECT}.{action}"
    results = await visit.vault.actions.run(visit.caller, OBJECT, chosen, name, {})
    refused = [result for result in results if result.errors]
    return visit.go(back, _outcome(len(results), refused), refused=bool(refused))


def _outcome(total: int, refused: list[RowResult]) -> str:
    if not refused:
        return f"Done with {total}."
    error = refused[0].errors[0]
    return f"{len(refused)} of {total} were refused, the first one: {error.type}: {error.message}"


@router.post("/retry")
async def retry_all(visit: Visiting) -> Response:
    """Starts the job that retries all that is open, of a connection or integration when one is chosen."""
    wanted = {
        name: visit.form.fields.get(name, "") for name in ("connection", "integration")
    }
    job_id = await visit.vault.bulk_retries.submit(visit.caller, wanted)
    return visit.go(f"/ui/jobs/{job_id}", "The job was started.")


@router.get("/{record_id}")
async def one_message(visit: Visiting, record_id: str, page: Page = 1) -> Response:
    """A message with its items: each with its record, rule, field and what to do."""
    shown = await view(visit, OBJECT, record_id)
    items = object_of(visit, ITEM)
    own = f"WHERE exception_message__sys = '{shown.id}' ORDER BY id"
    return visit.page(
        "exception.html",
        view=shown,
        shower=Shower(items, visit.caller, visit.registry),
        listing=await listed(
            visit, f"SELECT id, {', '.join(ITEM_COLUMNS)} FROM {ITEM} {own}", page
        ),
        ignore=f"{OBJECT_PREFIX}.{ITEM}.ignore__sys",
    )
