"""Lineage: what callers tell of where rows come from, and how it is read."""

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
from shared.vault.api.addresses import PREFIX
from shared.vault.api.request_session import SignedIn, vault_of
from shared.vault.errors import VaultFault
from shared.vault.records.lineage_entries import HEADER, CallLineage, Origin

router = APIRouter(prefix=f"{PREFIX}/services/lineage", tags=["Lineage"])

MAX_HEADER = 16_384  # characters
MAX_ORIGINS = 50
MAX_OWN = 50
LATEST = 2**53

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.]{1,100}$")]
ApiName = Annotated[str, StringConstraints(min_length=1, max_length=100)]
"""Of an integration or its point: what administrators have given, which need not be a name of components."""
Limit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0, le=2**31)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Origin(_Part):
    object: Name | None = None
    rule: Name | None = None
    own: Annotated[list[Name], Field(max_length=MAX_OWN)] = []


class _Header(_Part):
    source_vault_id: Annotated[int, Field(ge=1, le=LATEST)]
    integration: ApiName
    integration_point: ApiName
    run: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    time: AwareDatetime
    origins: Annotated[list[_Origin], Field(min_length=1, max_length=MAX_ORIGINS)]


def lineage_of(request: Request) -> CallLineage | None:
    """What the header of a record call tells; raises VaultFault INVALID_DATA."""
    given = request.headers.get(HEADER)
    if given is None:
        return None
    try:
        if len(given) > MAX_HEADER:
            raise ValueError
        told = _Header.model_validate_json(given)
        time = told.time.astimezone(UTC)
    except ValidationError as error:
        named = ".".join(str(part) for part in error.errors()[0]["loc"])[:100]
        raise VaultFault(
            ErrorType.INVALID_DATA, f"The header {HEADER} cannot be read at [{named}]"
        ) from None
    except (ValueError, OverflowError):
        message = f"The header {HEADER} has at most {MAX_HEADER} characters, and a moment of this era"
        raise VaultFault(ErrorType.INVALID_DATA, message) from None
    return CallLineage(
        told.source_vault_id,
        told.integration,
        told.integration_point,
        told.run,
        time,
        tuple(
            Origin(each.object, each.rule, frozenset(each.own)) for each in told.origins
        ),
    )


@router.get(
    "/vobjects/{object_name}/{record_id}",
    summary="Where the fields of a record come from",
)
async def of_record(
    request: Request, caller: SignedIn, object_name: str, record_id: str
) -> Response:
    """For each field that a transfer has set: message, run, rule, source record, and whether it was changed since."""
    fields = await vault_of(request).lineage.of_record(caller, object_name, record_id)
    return envelope.success(
        data={"object_name": object_name, "record_id": record_id, "fields": fields}
    )


@router.get("/messages/{message_id}", summary="What a message has written")
async def of_message(
    request: Request,
    caller: SignedIn,
    message_id: str,
    limit: Limit = 200,
    offset: Offset = 0,
) -> Response:
    """The records and their fields, the earliest write first."""
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
