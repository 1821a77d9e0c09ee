"""Delegated access: users for whom the caller may act, sessions in their names, and the granting of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.api.body import read_fields
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.request_context import PREFIX, SignedIn, origin, vault_of
from shared.vault.errors import VaultFault

router = APIRouter(prefix=PREFIX, tags=["Authentication"])

DELEGATIONS = "/services/delegations"
LOGIN = form_documentation(
    {"vault_id": "Id of the Vault", "delegator_userid": "The user to act for"}
)
GRANT = form_documentation(
    {
        "delegate_userid": "Who is to act for the user",
        "delegator_userid": "The user; the caller when left out",
        "start_date": "From when, as YYYY-MM-DDTHH:MM:SSZ; now when left out",
        "end_date": "Until when; until revoked when left out",
    }
)


@router.get("/delegation/vaults", summary="For whom the caller may act")
async def vaults(request: Request, caller: SignedIn) -> Response:
    """This Vault, once for each user who has granted the caller delegate access."""
    vault = vault_of(request)
    dns = origin(request).partition("://")[2]
    shown = [
        {
            "id": vault.vault_id,
            "name": vault.definition.label,
            "dns": dns,
            "delegator_userid": str(user_id),
        }
        for user_id in await vault.delegations.delegators(caller)
    ]
    return envelope.success(delegated_vaults=shown)


@router.post("/delegation/login", summary="Act for a user", openapi_extra=LOGIN)
async def login(request: Request, caller: SignedIn) -> Response:
    """`delegated_sessionid` is a session in the delegator's name; it ends with the delegation."""
    vault, fields = vault_of(request), await read_fields(request)
    vault_id, delegator = (
        _number(fields, "vault_id"),
        _number(fields, "delegator_userid"),
    )
    if vault_id != vault.vault_id:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            "The caller has no delegate access to a Vault with this id",
        )
    session = await vault.delegations.sign_in(caller, delegator)
    return envelope.success(delegated_sessionid=session.session_id)


@router.get(DELEGATIONS, summary="Delegations")
async def delegations(request: Request, caller: SignedIn) -> Response:
    """Those granted by and to the caller; an administrator sees all."""
    return envelope.success(data=await vault_of(request).delegations.all(caller))


@router.post(DELEGATIONS, summary="Grant delegate access", openapi_extra=GRANT)
async def grant(request: Request, caller: SignedIn) -> Response:
    """Lets another user act in the caller's name; an administrator may do so for others."""
    fields = await read_fields(request)
    delegator = (
        _number(fields, "delegator_userid")
        if fields.get("delegator_userid")
        else caller.user_id
    )
    delegate = _number(fields, "delegate_userid")
    start, end = _moment(fields, "start_date"), _moment(fields, "end_date")
    added = await vault_of(request).delegations.grant(
        caller, delegator, delegate, start, end
    )
    return envelope.success(data={"id": added})


@router.delete(f"{DELEGATIONS}/{{delegation_id}}", summary="Revoke delegate access")
async def revoke(
    request: Request,
    caller: SignedIn,
    delegation_id: Annotated[int, Path(ge=0, lt=2**31)],
) -> Response:
    """Sessions opened by it end at once."""
    await vault_of(request).delegations.revoke(caller, delegation_id)
    return envelope.success()


def _number(fields: dict[str, str], name: str) -> int:
    text = fields.get(name, "").strip()
    if not text:
        raise VaultFault(
            ErrorType.PARAMETER_REQUIRED, f"Missing required parameter [{name}]"
        )
    if not (text.isascii() and text.isdigit()) or int(text) >= 2**63:
        raise VaultFault(ErrorType.INVALID_DATA, f"[{name}] is not an id")
    return int(text)


def _moment(fields: dict[str, str], name: str) -> datetime | None:
    text = fields.get(name, "").strip()
    if not text:
        return None
    try:
        given = datetime.fromisoformat(text)
        return (given if given.tzinfo else given.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        form = "YYYY-MM-DDTHH:MM:SSZ"
        raise VaultFault(
            ErrorType.INVALID_DATA, f"[{name}] takes a date and time as {form}"
        ) from error
