"""Serves the forms that save, rename, share and delete the views of an object's list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.admin.record_lists import list_path, record_list, views_of
from shared.vault.admin.viewing import object_of
from shared.vault.admin.visit import Visit, Visiting
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.queries.list_views import ListView

router = APIRouter(prefix="/objects/{object_name}/views")


@router.post("")
async def save(visit: Visiting, object_name: str) -> Response:
    """Save the present content of the list at this address as a new view."""
    target = object_of(visit, object_name)
    fields = visit.form.fields
    _, view = await views_of(visit, object_name)
    shown = await record_list(visit, target, view)
    views = visit.vault.list_views

    async def carry_out() -> str:
        shared = "shared" in fields
        label = fields.get("label", "")
        view_id = await views.save(
            visit.caller, object_name, label, shown.selection, shared=shared
        )
        return list_path(object_name, view_id)

    return await _carried_out(visit, object_name, carry_out, "The view was saved.")


@router.post("/{view_id}")
async def change(visit: Visiting, object_name: str, view_id: UUID) -> Response:
    """Rename a view, share it or not, and store the present content of the list at this address in it."""
    target = object_of(visit, object_name)
    fields = visit.form.fields
    view = await _view(visit, object_name, view_id)
    views = visit.vault.list_views
    shown = await record_list(visit, target, view)

    async def carry_out() -> str:
        label = fields.get("label", view.label)
        await views.rename(visit.caller, view, label, shared="shared" in fields)
        if "selection" in fields:
            await views.select(visit.caller, view, shown.selection)
        return list_path(object_name, view_id)

    return await _carried_out(visit, object_name, carry_out, "The view was saved.")


@router.post("/{view_id}/usual")
async def use(visit: Visiting, object_name: str, view_id: UUID) -> Response:
    """Make a view the default of the caller's list, or stop using it."""
    object_of(visit, object_name)
    view = await _view(visit, object_name, view_id)
    usual = "usual" in visit.form.fields
    await visit.vault.list_views.use(visit.caller, view, usual=usual)
    begins = "begins with" if usual else "no longer begins with"
    return visit.go(list_path(object_name, view_id), f"The list {begins} this view.")


@router.post("/{view_id}/delete")
async def delete(visit: Visiting, object_name: str, view_id: UUID) -> Response:
    """Delete a view."""
    object_of(visit, object_name)
    view = await _view(visit, object_name, view_id)

    async def carry_out() -> str:
        await visit.vault.list_views.delete(visit.caller, view)
        return list_path(object_name)

    return await _carried_out(visit, object_name, carry_out, "The view was deleted.")


async def _view(visit: Visit, object_name: str, view_id: UUID) -> ListView:
    """Return a view that the caller sees.

    :raises VaultFault: INVALID_DATA when there is none.
    """
    seen = await visit.vault.list_views.visible(visit.caller, object_name)
    found = next((each for each in seen if each.view_id == view_id), None)
    if found is None:
        message = "There is no such view of this list; it may have been deleted"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return found


async def _carried_out(
    visit: Visit,
    object_name: str,
    carry_out: Callable[[], Awaitable[str]],
    done: str,
) -> Response:
    """Carry out a form, and redirect to the list, which shows any refusal."""
    try:
        path = await visit.once(carry_out)
    except VaultFault as fault:
        query = visit.request.url.query
        back = f"{list_path(object_name)}?{query}"
        return visit.refuse(back, fault.error)
    return visit.go(path, done)
