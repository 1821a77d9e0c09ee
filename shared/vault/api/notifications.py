"""What users are told about records: an addition of this Vault beside the public API, in the same envelope."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.api.body import read_fields
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.request_context import PREFIX, SignedIn, base_path, vault_of
from shared.vault.errors import VaultFault

router = APIRouter(prefix=f"{PREFIX}/services/notifications", tags=["Notifications"])

MAX_LIMIT = 200
MAX_IDS = 1000
ALL = "all"


@router.get("", summary="One's own notifications")
async def listed(
    request: Request,
    caller: SignedIn,
    unread: Annotated[bool, Query(description="Only those not yet read.")] = False,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
    offset: Annotated[int, Query(ge=0, lt=2**31)] = 0,
) -> Response:
    """The latest first."""
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
        "unread": page.unread,
        "limit": limit,
        "offset": offset,
        "size": len(data),
    }
    return envelope.success(responseDetails=details, data=data)


MARK = form_documentation(
    {
        "ids": "Ids separated by commas, or `all`",
        "read": "`true` (as without it) or `false`",
    }
)


@router.put("", summary="Mark notifications as read or unread", openapi_extra=MARK)
async def mark(request: Request, caller: SignedIn) -> Response:
    """Ids of others' notifications change nothing."""
    fields = await read_fields(request)
    named, read = (
        fields.pop("ids", "").strip(),
        fields.pop("read", "true").strip().lower(),
    )
    if fields:
        raise VaultFault(
            ErrorType.ATTRIBUTE_NOT_SUPPORTED, "The call takes ids and read"
        )
    if not named:
        raise VaultFault(
            ErrorType.PARAMETER_REQUIRED, "Missing required parameter [ids]"
        )
    if read not in ("true", "false"):
        raise VaultFault(ErrorType.INVALID_DATA, "[read] takes true or false")
    ids = None if named == ALL else _ids(named)
    changed = await vault_of(request).notifications.mark(
        caller, ids, read=read == "true"
    )
    return envelope.success(data={"changed": changed})


def _ids(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > MAX_IDS or not all(
        part.isascii() and part.isdigit() and len(part) <= 18 for part in parts
    ):
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"[ids] takes at most {MAX_IDS} ids of notifications, or {ALL}",
        )
    return [int(part) for part in parts]
