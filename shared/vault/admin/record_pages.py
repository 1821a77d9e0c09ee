"""Serves the record browser: objects, their records with search, one record, and its audit trail."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from shared.protocol.csv_cells import csv_text
from shared.vault.access.permissions import Operation, may
from shared.vault.admin.listing import (
    MAX_SEARCH,
    PAGE_SIZE,
    Listing,
    Page,
    listed,
)
from shared.vault.admin.record_lists import RecordList, record_list
from shared.vault.admin.showing import record_path
from shared.vault.admin.similar_answers import similar_answers
from shared.vault.admin.task_pages import workflows_of
from shared.vault.admin.viewing import object_of, view
from shared.vault.admin.visit import Visit, Visiting
from shared.vault.api.file_body import disposition
from shared.vault.audit.audit_service import AuditFilter
from shared.vault.fulfillment.fulfillment_model import REQUEST

router = APIRouter(prefix="/objects")

CSV = "csv"
# Records that are read at a time: one fewer than a query gives, which one more has to follow.
EXPORT_PAGE = 999
MAX_EXPORTED = 10_000
AUDIT_COLUMNS = frozenset(
    {"timestamp", "user_name", "action", "field_name", "old_value", "new_value"}
)


@router.get("")
async def objects(visit: Visiting) -> Response:
    """List the objects whose records the caller may read."""
    readable = [
        each
        for each in visit.registry.objects.values()
        if each.active and may(visit.caller, each.name, Operation.READ)
    ]
    readable.sort(key=lambda each: each.label_plural.lower())
    return visit.page("objects.html", objects=readable)


@router.get("/{object_name}")
async def records(
    visit: Visiting,
    object_name: str,
    page: Page = 1,
) -> Response:
    """List the records of an object: all, or those that the address selects by fields, a list or a search."""
    target = object_of(visit, object_name)
    shown = await record_list(visit, target)
    return await list_page(visit, shown, page, "records.html")


async def list_page(
    visit: Visit, shown: RecordList, page: int, template: str
) -> Response:
    """Show a page of a list in a template, or all of it as a CSV file when the address asks for one."""
    object_name = shown.target.name
    if visit.request.query_params.get("format") == CSV:
        return await _csv(visit, shown)
    return visit.page(
        template,
        target=shown.target,
        shown=shown,
        listing=await listed(visit, shown.statement, page, PAGE_SIZE, counted=False),
        base=visit.request.url.path,
        path=record_path(object_name, ""),
        most=MAX_EXPORTED,
    )


async def _csv(visit: Visit, shown: RecordList) -> Response:
    """Return the list as a CSV file: what the page shows, of up to ``MAX_EXPORTED`` records."""
    columns = shown.columns
    rows = [["id", *(shown.target.fields[name].label for name in columns)]]
    number, more = 1, True
    while more and len(rows) <= MAX_EXPORTED:
        page = await listed(visit, shown.statement, number, EXPORT_PAGE, counted=False)
        for row in page.rows:
            values = [shown.shower.show(name, row) for name in columns]
            rows.append(
                [str(row["id"]), *(each.moment or each.text for each in values)]
            )
        number, more = number + 1, page.more
    headers = {"Content-Disposition": disposition(f"{shown.target.name}.csv")}
    return Response(csv_text(rows), 200, headers, "text/csv;charset=UTF-8")


@router.post("/{object_name}")
async def search(
    visit: Visiting,
    object_name: str,
) -> Response:
    """Go to the list of the records that have all words of a search."""
    object_of(visit, object_name)
    return await searched(visit)


async def searched(visit: Visit) -> Response:
    """Go to the list of this page, of the records that have all words of the form's search."""
    # By POST, and by an id from then on: words may be names of people, which must not stand in addresses and logs.
    words = visit.form.fields.get("q", "").replace("\x00", "")[:MAX_SEARCH].strip()
    if not words:
        return visit.go(visit.address(search=None, page=None))
    search_id = await visit.vault.searches.save(visit.caller.user_id, words)
    return visit.go(visit.address(search=search_id, page=None))


@router.get("/{object_name}/{record_id}")
async def record(
    visit: Visiting,
    object_name: str,
    record_id: str,
) -> Response:
    """Show a record: its fields, its user actions, and links to the records that refer to it."""
    shown = await view(visit, object_name, record_id)
    look_again = visit.vault.definition.look_again.get(object_name)
    again_in = look_again(shown.values) if look_again else None
    workflows = await workflows_of(visit, object_name, shown.id)
    return visit.page(
        "record.html",
        view=shown,
        again_in=again_in,
        workflows=workflows,
        response=object_name == REQUEST,
        similar=await similar_answers(visit, object_name, shown.values),
    )


@router.get("/{object_name}/{record_id}/audit")
async def audit(
    visit: Visiting,
    object_name: str,
    record_id: str,
    page: Page = 1,
) -> Response:
    """List the audit trail of a record, the latest first."""
    shown = await view(visit, object_name, record_id)
    wanted = AuditFilter(objects=(object_name,), record_id=record_id)
    offset = (page - 1) * PAGE_SIZE
    trail = await visit.vault.audit.of_record(
        visit.caller, wanted, limit=PAGE_SIZE, offset=offset
    )
    fields = trail.trail.fields
    columns = [(each.name, each.label) for each in fields if each.name in AUDIT_COLUMNS]
    return visit.page(
        "audit.html",
        view=shown,
        columns=columns,
        listing=Listing(trail.rows, trail.total, page),
    )
