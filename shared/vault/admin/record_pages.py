"""Serves the record browser: objects, their records with search, one record, and its audit trail."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from fastapi import APIRouter
from starlette.responses import Response

from shared.vault.access.permissions import Operation, may
from shared.vault.admin.listing import (
    MAX_SEARCH,
    PAGE_SIZE,
    Listing,
    Page,
    find,
    listed,
)
from shared.vault.admin.showing import Shower, record_path
from shared.vault.admin.viewing import object_of, view
from shared.vault.admin.visit import Visit, Visiting
from shared.vault.audit.audit_service import AuditFilter
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.vql import literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.vault.assembly.work_lists import WorkList

router = APIRouter(prefix="/objects")

MAX_COLUMNS = 6
AUDIT_COLUMNS = frozenset(
    {"timestamp", "user_name", "action", "field_name", "old_value", "new_value"}
)
# Fields of little use in a list: ids of other systems, and fields with the same value in most records.
OUT_OF_LISTS = frozenset(
    {"object_type__v", "lifecycle__v", "link__sys", "global_id__sys"}
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
    search = visit.request.query_params.get("search", "")
    q = await visit.vault.searches.words(visit.caller.user_id, search) if search else ""
    return await _records(visit, object_name, page, q)


@router.post("/{object_name}")
async def search(
    visit: Visiting,
    object_name: str,
) -> Response:
    """Go to the list of the records that have all words of a search."""
    object_of(visit, object_name)
    # By POST, and by an id from then on: words may be names of people, which must not stand in addresses and logs.
    words = visit.form.fields.get("q", "").replace("\x00", "")[:MAX_SEARCH].strip()
    if not words:
        return visit.go(visit.address(search=None, page=None))
    search_id = await visit.vault.searches.save(visit.caller.user_id, words)
    return visit.go(visit.address(search=search_id, page=None))


async def _records(visit: Visit, object_name: str, page: int, q: str) -> Response:
    """List the records that the address and a search ask for."""
    target = object_of(visit, object_name)
    shower = Shower(target, visit.caller, visit.registry)
    columns = _columns(target)
    filters = _filters(target, visit.request.query_params)
    work_list = _work_list(visit, object_name)
    terms = [f"{name} = {literal(value)}" for name, value in filters.items()]
    if work_list is not None:
        terms.append(work_list.condition.format(user_id=visit.caller.user_id))
    condition = f" WHERE {' AND '.join(terms)}" if terms else ""
    searched = find(q)
    by = "modified_date__v DESC" if work_list is None else work_list.order
    # A search has an order of its own: the best matches first.
    order = "" if searched else f" ORDER BY {by}"
    selection = shower.selection(columns)
    statement = f"SELECT {selection} FROM {object_name}{searched}{condition}{order}"
    shown = [
        (target.fields[name].label, value, name) for name, value in filters.items()
    ]
    return visit.page(
        "records.html",
        target=target,
        shower=shower,
        columns=columns,
        listing=await listed(visit, statement, page),
        q=q,
        filters=shown,
        work_list=work_list,
        path=record_path(object_name, ""),
    )


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
    return visit.page("record.html", view=shown, again_in=again_in)


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


def _work_list(visit: Visit, object_name: str) -> WorkList | None:
    """Return the list of the home page that the address names; None without one."""
    desk = visit.vault.definition.desk
    if desk is None or desk.object != object_name:
        return None
    return desk.list_named(visit.request.query_params.get("list", ""))


def _columns(target: VaultObject) -> list[str]:
    """Return the columns of a list: the name, the state or status, and the first of the object's own fields."""
    head = ["name__v", "state__v" if target.lifecycle else "status__v"]
    left_out = (*head, "status__v", *OUT_OF_LISTS)
    own = [
        field.name
        for field in target.fields.values()
        if _fits_list(field) and field.name not in left_out
    ]
    # The date is the last column, for which a place is reserved.
    further = MAX_COLUMNS - len(head) - 1
    return [*head, *own[:further], "modified_date__v"]


def _fits_list(field: Field) -> bool:
    """Return whether a field is one whose values are short enough for a list."""
    if not field.active or field.system:
        return False
    match field.type:
        case (
            FieldType.STRING
            | FieldType.PICKLIST
            | FieldType.OBJECT
            | FieldType.DATE
            | FieldType.DATE_TIME
            | FieldType.NUMBER
        ):
            return True
        case (
            FieldType.ID
            | FieldType.LONG_TEXT
            | FieldType.RICH_TEXT
            | FieldType.BOOLEAN
            | FieldType.ATTACHMENT
        ):
            return False
        case _:
            assert_never(field.type)


def _is_filter(field: Field) -> bool:
    """Return whether an address may have a value for a field, which links of related records do."""
    match field.type:
        case FieldType.OBJECT | FieldType.PICKLIST | FieldType.STRING:
            return field.active
        case (
            FieldType.ID
            | FieldType.LONG_TEXT
            | FieldType.RICH_TEXT
            | FieldType.NUMBER
            | FieldType.BOOLEAN
            | FieldType.DATE
            | FieldType.DATE_TIME
            | FieldType.ATTACHMENT
        ):
            return False
        case _:
            assert_never(field.type)


def _filters(target: VaultObject, parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the values that an address has for fields."""
    fields = target.fields
    return {
        name: value.replace("\x00", "")
        for name, value in parameters.items()
        if name in fields and _is_filter(fields[name])
    }
