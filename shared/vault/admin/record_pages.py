"""The record browser: objects, their records with search and pages, one record, and what happened to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import Response

from shared.vault.access.permissions import Operation, may
from shared.vault.admin.listing import (
    MAX_PAGE,
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

router = APIRouter(prefix="/objects")

MAX_COLUMNS = 6
IN_LISTS = frozenset(
    {
        FieldType.STRING,
        FieldType.PICKLIST,
        FieldType.OBJECT,
        FieldType.DATE,
        FieldType.DATE_TIME,
        FieldType.NUMBER,
    }
)
FILTERS = frozenset({FieldType.OBJECT, FieldType.PICKLIST, FieldType.STRING})
AUDIT_COLUMNS = frozenset(
    {"timestamp", "user_name", "action", "field_name", "old_value", "new_value"}
)
OUT_OF_LISTS = frozenset(
    {"object_type__v", "lifecycle__v", "link__sys", "global_id__sys"}
)


@router.get("")
async def objects(visit: Visiting) -> Response:
    """The objects whose records the caller may read."""
    readable = [
        o
        for o in visit.registry.objects.values()
        if o.active and may(visit.caller, o.name, Operation.READ)
    ]
    return visit.page(
        "objects.html", objects=sorted(readable, key=lambda o: o.label_plural.lower())
    )


@router.get("/{object_name}")
async def records(visit: Visiting, object_name: str, page: Page = 1) -> Response:
    """The records of an object: all, or those with the values of fields in the address."""
    return await _records(visit, object_name, page, "")


@router.post("/{object_name}")
async def search(visit: Visiting, object_name: str) -> Response:
    """Those of them that have all the words of a search, which may be names of people and so are in no address."""
    form = visit.form.fields
    number = form.get("page", "1")
    page = (
        int(number)
        if number.isascii() and number.isdigit() and len(number) <= len(str(MAX_PAGE))
        else 1
    )
    return await _records(
        visit, object_name, max(1, page), form.get("q", "")[:MAX_SEARCH]
    )


async def _records(visit: Visit, object_name: str, page: int, q: str) -> Response:
    target = object_of(visit, object_name)
    shower = Shower(target, visit.caller, visit.registry)
    columns = _columns(target)
    filters = _filters(target, visit.request.query_params)
    where = " AND ".join(
        f"{name} = {literal(value)}" for name, value in filters.items()
    )
    condition = f" WHERE {where}" if where else ""
    searched = find(q)
    order = "" if searched else " ORDER BY modified_date__v DESC"
    statement = f"SELECT {shower.selection(columns)} FROM {object_name}{searched}{condition}{order}"
    return visit.page(
        "records.html",
        target=target,
        shower=shower,
        columns=columns,
        listing=await listed(visit, statement, page),
        q=q,
        filters=[
            (target.fields[name].label, value, name) for name, value in filters.items()
        ],
        path=record_path(object_name, ""),
    )


@router.get("/{object_name}/{record_id}")
async def record(visit: Visiting, object_name: str, record_id: str) -> Response:
    """One record: its fields, its user actions, and lists of what refers to it."""
    return visit.page("record.html", view=await view(visit, object_name, record_id))


@router.get("/{object_name}/{record_id}/audit")
async def audit(
    visit: Visiting, object_name: str, record_id: str, page: Page = 1
) -> Response:
    """The audit trail of a record, the latest first."""
    shown = await view(visit, object_name, record_id)
    wanted = AuditFilter(objects=(object_name,), record_id=record_id)
    offset = (page - 1) * PAGE_SIZE
    trail = await visit.vault.audit.of_record(
        visit.caller, wanted, limit=PAGE_SIZE, offset=offset
    )
    columns = [(f.name, f.label) for f in trail.trail.fields if f.name in AUDIT_COLUMNS]
    return visit.page(
        "audit.html",
        view=shown,
        columns=columns,
        listing=Listing(trail.rows, trail.total, page),
    )


def _columns(target: VaultObject) -> list[str]:
    """The fields of a list: the name, where a record stands, and the first of its own."""

    def telling(field: Field) -> bool:
        return (
            field.active
            and not field.system
            and field.type in IN_LISTS
            and field.name not in OUT_OF_LISTS
        )

    head = ["name__v", "state__v" if target.lifecycle else "status__v"]
    own = [
        f.name
        for f in target.fields.values()
        if telling(f) and f.name not in (*head, "status__v")
    ]
    return [*head, *own[: MAX_COLUMNS - len(head) - 1], "modified_date__v"]


def _filters(target: VaultObject, parameters: Mapping[str, str]) -> dict[str, str]:
    fields = target.fields
    return {
        name: value.replace("\x00", "")
        for name, value in parameters.items()
        if name in fields and fields[name].active and fields[name].type in FILTERS
    }
