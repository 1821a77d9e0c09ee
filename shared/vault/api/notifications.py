"""Serves notifications, messages to users about records: an addition to the public API."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.api.body import missing, read_fields
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.request_context import PREFIX, SignedIn, base_path, vault_of
from shared.vault.errors import VaultFault

router = APIRouter(prefix=f"{PREFIX}/services/notifications", tags=["Notifications"])

MAX_LIMIT = 200
MAX_IDS = 1000
ALL = "all"
ID = re.compile(r"[0-9]{1,18}")  # more digits would not fit PostgreSQL's bigint


@router.get("", summary="Notifications of the caller")
async def listed(
    request: Request,
    caller: SignedIn,
    unread: Annotated[
        bool, Query(description="`true` lists unread notifications only.")
    ] = False,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
    offset: Annotated[int, Query(ge=0, lt=2**31)] = 0,
) -> Response:
    """Lists the caller's notifications, the latest first."""
    page = await vault_of(request).notifications.listed(
        caller, unread=unread, limit=limit, offset=offset
    )
    path = base_path(request)
    data = [
        {**each, "url": f"{path}/vobjects/{each['object']}/{each['record_id']}"}
        for each in page.notifications
    ]
    details = {
        "total": page.total,
        # Counts all notifications, not those of the page: it is the number that a bell shows.
        "unread": page.unread,
        "limit": limit,
        "offset": offset,
        "size": len(data),
    }
    return envelope.success(responseDetails=details, data=data)


MARK = form_documentation(
    {
        "ids": "Ids separated by commas, or `all`",
        "read": "`true`, the default, or `false`",
    }
)


@router.put("", summary="Mark notifications as read or unread", openapi_extra=MARK)
async def mark(request: Request, caller: SignedIn) -> Response:
    """Marks notifications of the caller as read or unread; ids of other users' notifications change nothing."""
    fields = await read_fields(request)
    named = fields.pop("ids", "").strip()
    read = fields.pop("read", "true").strip().lower()
    # What is left is a misspelt field: with `read` missing, the call would do the opposite of what was meant.
    if fields:
        raise VaultFault(
            ErrorType.ATTRIBUTE_NOT_SUPPORTED, "The call takes ids and read"
        )
    if not named:
        raise missing("ids")
    if read not in ("true", "false"):
        raise VaultFault(ErrorType.INVALID_DATA, "[read] takes true or false")
    ids = None if named == ALL else _ids(named)
    changed = await vault_of(request).notifications.mark(
        caller, ids, read=read == "true"
    )
    return envelope.success(data={"changed": changed})


def _ids(text: str) -> list[int]:
    """Return the ids in a form field, which separates them by commas.

    :raises VaultFault: INVALID_DATA when they are not ids, or too many.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > MAX_IDS or not all(ID.fullmatch(part) for part in parts):
        message = f"[ids] takes at most {MAX_IDS} ids of notifications, or {ALL}"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return [int(part) for part in parts]
