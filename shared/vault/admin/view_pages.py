"""Serves the forms that save, rename, share and delete the views of an object's list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.admin.page_context import CurrentPage, PageContext
from shared.vault.admin.record_lists import list_path, record_list, views_of
from shared.vault.admin.viewing import object_of
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.queries.list_views import ListView

router = APIRouter(prefix="/objects/{object_name}/views")


@router.post("")
async def save(context: CurrentPage, object_name: str) -> Response:
    """Save the present content of the list at this address as a new view."""
    target = object_of(context, object_name)
    fields = context.form.fields
    _, view = await views_of(context, object_name)
    shown = await record_list(context, target, view)
    views = context.vault.list_views

    async def carry_out() -> str:
        shared = "shared" in fields
        label = fields.get("label", "")
        view_id = await views.save(
            context.caller, object_name, label, shown.selection, shared=shared
        )
        return list_path(object_name, view_id)

    return await _carried_out(context, object_name, carry_out, "The view was saved.")


@router.post("/{view_id}")
async def change(context: CurrentPage, object_name: str, view_id: UUID) -> Response:
    """Rename a view, share it or not, and store the present content of the list at this address in it."""
    target = object_of(context, object_name)
    fields = context.form.fields
    view = await _view(context, object_name, view_id)
    views = context.vault.list_views
    shown = await record_list(context, target, view)

    async def carry_out() -> str:
        label = fields.get("label", view.label)
        await views.rename(context.caller, view, label, shared="shared" in fields)
        if "selection" in fields:
            await views.select(context.caller, view, shown.selection)
        return list_path(object_name, view_id)

    return await _carried_out(context, object_name, carry_out, "The view was saved.")


@router.post("/{view_id}/usual")
async def use(context: CurrentPage, object_name: str, view_id: UUID) -> Response:
    """Make a view the default of the caller's list, or stop using it."""
    object_of(context, object_name)
    view = await _view(context, object_name, view_id)
    usual = "usual" in context.form.fields
    await context.vault.list_views.use(context.caller, view, usual=usual)
    begins = "begins with" if usual else "no longer begins with"
    return context.go(list_path(object_name, view_id), f"The list {begins} this view.")


@router.post("/{view_id}/delete")
async def delete(context: CurrentPage, object_name: str, view_id: UUID) -> Response:
    """Delete a view."""
    object_of(context, object_name)
    view = await _view(context, object_name, view_id)

    async def carry_out() -> str:
        await context.vault.list_views.delete(context.caller, view)
        return list_path(object_name)

    return await _carried_out(context, object_name, carry_out, "The view was deleted.")


async def _view(context: PageContext, object_name: str, view_id: UUID) -> ListView:
    """Return a view that the caller sees.

    :raises VaultFault: INVALID_DATA when there is none.
    """
    seen = await context.vault.list_views.visible(context.caller, object_name)
    found = next((each for each in seen if each.view_id == view_id), None)
    if found is None:
        message = "There is no such view of this list; it may have been deleted"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return found


async def _carried_out(
    context: PageContext,
    object_name: str,
    carry_out: Callable[[], Awaitable[str]],
    done: str,
) -> Response:
    """Carry out a form, and redirect to the list, which shows any refusal."""
    try:
        path = await context.once(carry_out)
    except VaultFault as fault:
        query = context.request.url.query
        back = f"{list_path(object_name)}?{query}"
        return context.refuse(back, fault.error)
    return context.go(path, done)
