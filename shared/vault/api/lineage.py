"""Serves lineage, and reads the header in which callers describe the origin of the rows that they write."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of
from shared.vault.errors import VaultFault
from shared.vault.records.lineage_entries import HEADER
from shared.vault.records.lineage_model import CallLineage, Origin

router = APIRouter(prefix=f"{PREFIX}/services/lineage", tags=["Lineage"])

MAX_HEADER = 16_384  # characters
MAX_ORIGINS = 50
MAX_OWN = 50
MAX_VAULT_ID = 2**53  # above it, readers of JSON lose digits

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.]{1,100}$")]
ApiName = Annotated[str, StringConstraints(min_length=1, max_length=100)]
"""The API name of an integration or its point, which administrators choose: it need not be a component's name."""
Limit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0, le=2**31)]


class _Part(BaseModel):
    """A part of the header; members with other names are refused, so that no misspelt one is ignored."""

    model_config = ConfigDict(extra="forbid", strict=True)


class _Origin(_Part):
    """Where rows come from: source object and rule; ``own`` are fields that the rule itself sets."""

    object: Name | None = None
    rule: Name | None = None
    own: Annotated[list[Name], Field(max_length=MAX_OWN)] = []


class _Header(_Part):
    """The header: the transfer, and the origins that rows refer to."""

    source_vault_id: Annotated[int, Field(ge=1, le=MAX_VAULT_ID)]
    integration: ApiName
    integration_point: ApiName
    run: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    time: AwareDatetime
    origins: Annotated[list[_Origin], Field(min_length=1, max_length=MAX_ORIGINS)]


def lineage_of(request: Request) -> CallLineage | None:
    """Return what the lineage header of a record call says; None without one.

    :raises VaultFault: INVALID_DATA when it is malformed or too long.
    """
    text = request.headers.get(HEADER)
    if text is None:
        return None
    try:
        if len(text) > MAX_HEADER:
            raise ValueError
        header = _Header.model_validate_json(text)
        time = header.time.astimezone(UTC)
    except ValidationError as error:
        location = error.errors()[0]["loc"]
        name = ".".join(str(part) for part in location)
        message = f"The header {HEADER} cannot be read at [{name[:100]}]"
        # Without its cause, whose text quotes the values.
        raise VaultFault(ErrorType.INVALID_DATA, message) from None
    except (ValueError, OverflowError):
        message = f"The header {HEADER} has at most {MAX_HEADER} characters, and a moment of this era"
        raise VaultFault(ErrorType.INVALID_DATA, message) from None
    origins = [
        Origin(each.object, each.rule, frozenset(each.own)) for each in header.origins
    ]
    return CallLineage(
        header.source_vault_id,
        header.integration,
        header.integration_point,
        header.run,
        time,
        tuple(origins),
    )


@router.get(
    "/vobjects/{object_name}/{record_id}",
    summary="Where the fields of a record come from",
)
async def of_record(
    request: Request,
    caller: SignedIn,
    object_name: str,
    record_id: str,
) -> Response:
    """Returns message, run, rule and source record of each field that a transfer set, and whether it changed since."""
    fields = await vault_of(request).lineage.of_record(caller, object_name, record_id)
    data = {"object_name": object_name, "record_id": record_id, "fields": fields}
    return envelope.success(data=data)


@router.get("/messages/{message_id}", summary="What a message wrote")
async def of_message(
    request: Request,
    caller: SignedIn,
    message_id: str,
    limit: Limit = 200,
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
