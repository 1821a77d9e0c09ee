"""Serves the page of a user's notifications, to which the bell on every page links."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.admin.listing import PAGE_SIZE, Listing, Page
from shared.vault.admin.page_context import CurrentPage
from shared.vault.errors import VaultFault
from shared.vault.exceptions.exception_model import MESSAGE

PATH = "/ui/notifications"
MAX_DIGITS = 18  # more would not fit PostgreSQL's bigint

router = APIRouter(prefix="/notifications")

Unread = Annotated[bool, Query()]


@router.get("")
async def inbox(
    context: CurrentPage, page: Page = 1, unread: Unread = False
) -> Response:
    """List the caller's notifications, the latest first: all, or the unread ones."""
    found = await context.vault.notifications.listed(
        context.caller, unread=unread, limit=PAGE_SIZE, offset=(page - 1) * PAGE_SIZE
    )
    rows = [
        {**each, "path": _path(str(each["object"]), str(each["record_id"]))}
        for each in found.notifications
    ]
    listing = Listing(rows, found.total, page)
    return context.page("notifications.html", listing=listing, only_unread=unread)


@router.post("/read")
async def read(context: CurrentPage) -> Response:
    """Mark one notification, or all, as read."""
    sent = context.form.fields.get("notification", "")
    ids = [_id(sent)] if sent else None
    changed = await context.vault.notifications.mark(context.caller, ids, read=True)
    noun = "notification" if changed == 1 else "notifications"
    return context.go(PATH, f"Marked {changed} {noun} as read.")


def _id(sent: str) -> int:
    """Return the id of a notification.

    :raises VaultFault: INVALID_DATA when it is no number.
    """
    if not (sent.isascii() and sent.isdecimal() and len(sent) <= MAX_DIGITS):
        raise VaultFault(ErrorType.INVALID_DATA, "The id of a notification is a number")
    return int(sent)


def _path(object_name: str, record_id: str) -> str:
    """Return the address of the page of the record that a notification is about."""
    # User exceptions have a page of their own, which says what to do.
    if object_name == MESSAGE:
        return f"/ui/exceptions/{record_id}"
    return f"/ui/objects/{object_name}/{record_id}"
