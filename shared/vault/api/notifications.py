"""Serves notifications, which are messages to users about records, and their e-mail history; our own addition."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.api.body import missing, read_fields
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.paging import Offset
from shared.vault.api.request_context import (
    PREFIX,
    SignedIn,
    base_path,
    parse_moment,
    vault_of,
)
from shared.vault.errors import VaultFault

router = APIRouter(prefix=PREFIX, tags=["Notifications"])

OWN = "/services/notifications"

When = Annotated[str | None, Query(description="`YYYY-MM-DDTHH:MM:SSZ`, or a date.")]
MAX_LIMIT = 200
MAX_IDS = 1000
ALL = "all"
MAX_HISTORIES = 1000
MAX_PERIOD = timedelta(days=30)
ID = re.compile(r"[0-9]{1,18}")  # more digits would not fit PostgreSQL's bigint


@router.get(OWN, summary="Notifications of the caller")
async def listed(
    request: Request,
    caller: SignedIn,
    unread: Annotated[
        bool, Query(description="`true` lists unread notifications only.")
    ] = False,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
    offset: Offset = 0,
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


@router.put(OWN, summary="Mark notifications as read or unread", openapi_extra=MARK)
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
    """Return the ids in a comma-separated form field.

    :raises VaultFault: INVALID_DATA when they are not ids, or too many.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > MAX_IDS or not all(ID.fullmatch(part) for part in parts):
        message = f"[ids] takes at most {MAX_IDS} ids of notifications, or {ALL}"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return [int(part) for part in parts]


@router.get("/notifications/histories", summary="E-mail of notifications")
async def histories(
    request: Request,
    caller: SignedIn,
    start_date: When = None,
    end_date: When = None,
    limit: Annotated[int, Query(ge=1, le=MAX_HISTORIES)] = 200,
    offset: Offset = 0,
    *,
    all_dates: bool = False,
    format_result: str = "",
) -> Response:
    """Lists the e-mail of notifications with recipient, record and status, the latest first.

    Without dates: yesterday and today. For users with `read_audit`. Histories are stored for 90 days; they are not
    exported as CSV.
    """
    if all_dates or format_result.lower() not in ("", "json"):
        message = "Histories are listed by period, as JSON; they are not exported"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
    start, end = _period(start_date, end_date)
    page = await vault_of(request).email_histories.page(
        caller, start, end, limit=limit, offset=offset
    )

    def link(to: int) -> str:
        query = {**request.query_params, "limit": limit, "offset": to}
        return f"{request.url.path}?{urlencode(query)}"

    size = len(page.rows)
    details: dict[str, object] = {
        "offset": offset,
        "limit": limit,
        "size": size,
        "total": page.total,
    }
    if offset > 0:
        details["previous_page"] = link(max(0, offset - limit))
    if offset + size < page.total:
        details["next_page"] = link(offset + limit)
    return envelope.success(responseDetails=details, data=page.rows)


def _period(start: str | None, end: str | None) -> tuple[datetime, datetime]:
    """Return the requested period; by default from the beginning of yesterday on.

    :raises VaultFault: INVALID_DATA when one side is missing, or the period is longer than 30 days.
    """
    first = parse_moment("start_date", start)
    last = parse_moment("end_date", end)
    now = datetime.now(UTC)
    if first is None and last is None:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - timedelta(days=1), now
    if first is None or last is None:
        message = "[start_date] and [end_date] are sent together"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    if not timedelta() <= last - first <= MAX_PERIOD:
        message = "[end_date] is up to 30 days after [start_date]"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return first, last
