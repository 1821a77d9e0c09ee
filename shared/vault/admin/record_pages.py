"""Serves the record browser: objects, their records with search, one record, and its audit trail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, may
from shared.vault.admin.audit_lines import audit_lines
from shared.vault.admin.guided_forms import Guide, guide_of
from shared.vault.admin.list_download import MAX_DOWNLOADED, download
from shared.vault.admin.listing import (
    MAX_SEARCH,
    PAGE_SIZE,
    Listing,
    Page,
    listed,
)
from shared.vault.admin.origins import origins_of
from shared.vault.admin.page_context import CurrentPage, PageContext
from shared.vault.admin.record_lists import RecordList, list_path, record_list, views_of
from shared.vault.admin.related_records import other_lists, related_records
from shared.vault.admin.showing import record_path
from shared.vault.admin.similar_answers import similar_answers
from shared.vault.admin.task_pages import workflows_of
from shared.vault.admin.viewing import object_of, view
from shared.vault.audit.audit_service import AuditFilter
from shared.vault.errors import VaultFault
from shared.vault.fulfillment.fulfillment_model import REQUEST
from shared.vault.vql import RANKED

if TYPE_CHECKING:
    from shared.vault.admin.viewing import RecordView
    from shared.vault.model.component_model import VaultObject
    from shared.vault.queries.list_views import ListView

router = APIRouter(prefix="/objects")

CSV = "csv"
ALL = "all"  # in place of a view: none, whatever the list begins with


@router.get("")
async def objects(context: CurrentPage) -> Response:
    """List the objects whose records the caller may read."""
    readable = [
        each
        for each in context.registry.objects.values()
        if each.active and may(context.caller, each.name, Operation.READ)
    ]
    readable.sort(key=lambda each: each.label_plural.lower())
    first = context.vault.definition.first_objects
    # The first objects of the definition come first, the objects of the platform last.
    groups = {
        "What people work with": [each for each in readable if each.name in first],
        "More records": [
            each for each in readable if each.name not in first and not _own(each)
        ],
        "Records of the platform": [
            each for each in readable if each.name not in first and _own(each)
        ],
    }
    return context.page("objects.html", groups=groups)


def _own(target: VaultObject) -> bool:
    """Return whether an object has records of the system, such as users and connections."""
    return target.name.endswith("__sys")


@router.get("/{object_name}")
async def records(
    context: CurrentPage,
    object_name: str,
    page: Page = 1,
) -> Response:
    """List the records of an object; the address may restrict them by a view, fields, a work list or a search."""
    target = object_of(context, object_name)
    views, view = await views_of(context, object_name)
    usual = next((each for each in views if each.usual), None)
    # The bare address is that of the view that the list begins with.
    if usual is not None and not context.request.query_params:
        return context.go(list_path(object_name, usual.view_id))
    shown = await record_list(context, target, view)
    return await list_page(context, shown, page, "records.html", views)


async def list_page(
    context: PageContext,
    shown: RecordList,
    page: int,
    template: str,
    views: Sequence[ListView] | None = None,
) -> Response:
    """Show a page of a list in a template, or the whole list as a CSV file when the address asks for one.

    ``views`` are the views to link to; None for a list without views.
    """
    object_name = shown.target.name
    view = shown.view
    parameters = context.request.query_params
    if parameters.get("format") == CSV:
        return await download(context, shown)
    return context.page(
        template,
        target=shown.target,
        shown=shown,
        views=views,
        may_change=view is not None
        and context.vault.list_views.may_change(context.caller, view),
        view_is_gone=view is None and parameters.get("view", ALL) != ALL,
        search_is_gone=bool(parameters.get("search")) and not shown.q,
        listing=await listed(
            context, shown.statement, page, PAGE_SIZE, counted=False, first_hits=True
        ),
        base=context.request.url.path,
        path=record_path(object_name, ""),
        most=MAX_DOWNLOADED,
        ranked=RANKED,
    )


@router.post("/{object_name}")
async def search(
    context: CurrentPage,
    object_name: str,
) -> Response:
    """Redirect to the list of the records that contain all words of a search."""
    object_of(context, object_name)
    return await searched(context)


async def searched(context: PageContext) -> Response:
    """Redirect to this page's list of the records that contain all words of the form's search."""
    # By POST, and by an id from then on: words may be names of people, which must not stand in addresses and logs.
    words = context.form.fields.get("q", "").replace("\x00", "")[:MAX_SEARCH].strip()
    if not words:
        # An empty search overrides the words of the view.
        none = "" if "view" in context.request.query_params else None
        return context.go(context.address(search=none, page=None))
    search_id = await context.vault.searches.save(context.caller.user_id, words)
    return context.go(context.address(search=search_id, page=None))


@router.get("/{object_name}/{record_id}")
async def record(
    context: CurrentPage,
    object_name: str,
    record_id: str,
) -> Response:
    """Show a record: its fields, its user actions, and links to the records that refer to it."""
    shown = await view(context, object_name, record_id)
    return await record_page(context, shown)


async def record_page(
    context: PageContext, shown: RecordView, http_status: int = 200
) -> Response:
    """Show the page of a record."""
    object_name = shown.target.name
    look_again = context.vault.definition.look_again.get(object_name)
    again_in = look_again(shown.values) if look_again else None
    related = await related_records(context, object_name, shown.id)
    guide = await _guide_to_send(context, shown)
    return context.page(
        "record.html",
        http_status,
        view=shown if guide is None else _without_goal(shown, guide),
        again_in=again_in,
        guide=guide,
        workflows=await workflows_of(context, object_name, shown.id),
        origins=await origins_of(context, object_name, shown.id),
        response=object_name == REQUEST,
        similar=await similar_answers(context, object_name, shown.values),
        related=related,
        other_lists=other_lists(shown.children, related),
    )


async def _guide_to_send(context: PageContext, shown: RecordView) -> Guide | None:
    """Return the guided form of a draft that the caller may edit and send; None for any other record."""
    if shown.refusals.update is not None:
        return None
    guide = await guide_of(context, shown.target, shown.values)
    return guide if guide is not None and guide.can_send_draft else None


def _without_goal(shown: RecordView, guide: Guide) -> RecordView:
    """Return a record without the user action that does the same as the button of its guided form, if there is one."""
    steps = guide.goal_actions.actions if guide.goal_actions else ()
    if len(steps) != 1:
        return shown
    return replace(
        shown,
        actions=[each for each in shown.actions if each.name not in steps],
        blocked_actions=[
            each for each in shown.blocked_actions if each.name not in steps
        ],
    )


@router.get("/{object_name}/{record_id}/audit")
async def audit(
    context: CurrentPage,
    object_name: str,
    record_id: str,
    page: Page = 1,
) -> Response:
    """List the audit trail of a record, the latest first, also of a deleted record."""
    target = object_of(context, object_name)
    wanted = AuditFilter(objects=(object_name,), record_id=record_id)
    offset = (page - 1) * PAGE_SIZE
    trail = await context.vault.audit.of_record(
        context.caller, wanted, limit=PAGE_SIZE, offset=offset
    )
    return context.page(
        "audit.html",
        target=target,
        **await _of_trail(context, target, record_id, deleted=bool(trail.total)),
        lines=await audit_lines(context, target, trail.rows),
        listing=Listing(trail.rows, trail.total, page),
    )


async def _of_trail(
    context: PageContext, target: VaultObject, record_id: str, *, deleted: bool
) -> dict[str, str]:
    """Return the ``name`` and the ``path`` of the record of a trail; its id and no path, when it is ``deleted``.

    :raises VaultFault: INVALID_DATA when there is no such record, unless it may be a deleted one.
    """
    try:
        record = await context.vault.queries.record(
            context.caller, target.name, record_id
        )
    except VaultFault as fault:
        if fault.error.type is not ErrorType.INVALID_DATA or not deleted:
            raise
        return {"name": record_id, "path": ""}
    name = str(record.get("name__v") or record["id"])
    return {"name": name, "path": record_path(target.name, record["id"])}
