"""Creating, editing and deleting records by form, whatever their object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation
from shared.vault.admin.fault_pages import status_of
from shared.vault.admin.inputs import changed, editable, given, inputs, with_ids
from shared.vault.admin.showing import record_path
from shared.vault.admin.viewing import object_of, record_of, view
from shared.vault.admin.visit import Visit, Visiting
from shared.vault.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.vault.model.component_model import VaultObject

router = APIRouter(prefix="/objects/{object_name}")

MODIFIED = "modified_date__v"
OVERTAKEN = ApiError(
    ErrorType.RACE_CONDITION,
    "The record was changed since this form was opened. What is shown here is yours; save again to write it",
)


@router.get("/new")
async def new(visit: Visiting, object_name: str) -> Response:
    """An empty form; parameters of the address fill fields in."""
    target = object_of(visit, object_name, Operation.CREATE)
    return await _create_form(visit, target, dict(visit.request.query_params), ())


@router.post("/new")
async def create(visit: Visiting, object_name: str) -> Response:
    """Creates the record, or shows the form again with what is wrong."""
    target = object_of(visit, object_name, Operation.CREATE)
    fields = editable(target, creating=True)
    row = await with_ids(
        visit, fields, given(fields, visit.form.fields, visit.registry)
    )
    (result,) = await visit.vault.records.create(visit.caller, object_name, [row])
    if result.errors or result.id is None:
        return await _create_form(visit, target, row, result.errors)
    return visit.go(
        record_path(object_name, result.id), f"The {target.label} was created."
    )


@router.get("/{record_id}/edit")
async def edit(visit: Visiting, object_name: str, record_id: str) -> Response:
    """The record in a form."""
    target = object_of(visit, object_name, Operation.EDIT)
    return await _edit_form(
        visit, target, await record_of(visit, object_name, record_id), {}, ()
    )


@router.post("/{record_id}/edit")
async def update(visit: Visiting, object_name: str, record_id: str) -> Response:
    """Writes the fields that were changed in the form, unless somebody else has changed the record meanwhile."""
    target = object_of(visit, object_name, Operation.EDIT)
    record = await record_of(visit, object_name, record_id)
    fields = editable(target)
    row = changed(
        fields,
        await with_ids(visit, fields, given(fields, visit.form.fields, visit.registry)),
        record,
    )
    if visit.form.fields.get("read", record[MODIFIED]) != record[MODIFIED]:
        return await _edit_form(visit, target, record, row, (OVERTAKEN,))
    (result,) = await visit.vault.records.update(
        visit.caller, object_name, [{"id": record_id, **row}]
    )
    if result.errors:
        return await _edit_form(visit, target, record, row, result.errors)
    return visit.told(
        record_path(object_name, record_id), result, f"The {target.label} was saved."
    )


@router.get("/{record_id}/delete")
async def confirm_delete(visit: Visiting, object_name: str, record_id: str) -> Response:
    """Asks whether the record is really to be deleted."""
    object_of(visit, object_name, Operation.DELETE)
    return visit.page("delete.html", view=await view(visit, object_name, record_id))


@router.post("/{record_id}/delete")
async def delete(visit: Visiting, object_name: str, record_id: str) -> Response:
    """Deletes the record; the way goes on to the list of its object."""
    target = object_of(visit, object_name, Operation.DELETE)
    (result,) = await visit.vault.records.delete(
        visit.caller, object_name, [{"id": record_id}]
    )
    path = (
        record_path(object_name, record_id)
        if result.errors
        else f"/ui/objects/{object_name}"
    )
    return visit.told(path, result, f"The {target.label} was deleted.")


async def _create_form(
    visit: Visit,
    target: VaultObject,
    values: Mapping[str, Any],
    errors: Sequence[ApiError],
) -> Response:
    fields = editable(target, creating=True)
    shown = await inputs(visit, target, fields, {"status__v": "active__v", **values})
    back = f"/ui/objects/{quote(target.name)}"
    status = status_of(errors[0]) if errors else 200
    context = {
        "target": target,
        "inputs": shown,
        "errors": errors,
        "back": back,
        "read": "",
        "heading": "Create",
    }
    return visit.page("edit.html", status, **context)


async def _edit_form(
    visit: Visit,
    target: VaultObject,
    record: Mapping[str, Any],
    row: Mapping[str, Any],
    errors: Sequence[ApiError],
) -> Response:
    shown = await inputs(visit, target, editable(target), {**record, **row})
    back = record_path(target.name, record["id"])
    status = status_of(errors[0]) if errors else 200
    heading = f"Edit {record.get('name__v') or record['id']}"
    context = {
        "target": target,
        "inputs": shown,
        "errors": errors,
        "back": back,
        "heading": heading,
    }
    return visit.page("edit.html", status, read=record[MODIFIED], **context)
