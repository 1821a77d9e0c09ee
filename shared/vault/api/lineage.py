"""Serves lineage: the lineage of a record, and the records that a message has written."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.vault.api import response_envelope as envelope
from shared.vault.api.paging import Offset, PageSize
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of

router = APIRouter(prefix=f"{PREFIX}/services/lineage", tags=["Lineage"])


@router.get(
    "/vobjects/{object_name}/{record_id}",
    summary="The lineage of a record",
)
async def of_record(
    request: Request,
    caller: SignedIn,
    object_name: str,
    record_id: str,
) -> Response:
    """Returns message, run, rule and source record of each field that a transfer set, and if it changed since then."""
    fields = await vault_of(request).lineage.of_record(caller, object_name, record_id)
    data = {"object_name": object_name, "record_id": record_id, "fields": fields}
    return envelope.success(data=data)


@router.get("/messages/{message_id}", summary="Records that a message wrote")
async def of_message(
    request: Request,
    caller: SignedIn,
    message_id: str,
    limit: PageSize = 200,
    offset: Offset = 0,
) -> Response:
    """Lists the records and fields that a message wrote, the earliest first."""
    # PostgreSQL takes NUL in no text.
    wanted = message_id.replace("\x00", "")
    page = await vault_of(request).lineage.of_message(
        caller, wanted, limit=limit, offset=offset
    )
    details = {
        "limit": limit,
        "offset": offset,
        "size": len(page.rows),
        "total": page.total,
    }
    return envelope.success(responseDetails=details, data=page.rows)
