"""Serves delegated access: grants it, lists the delegators of the caller, and opens sessions in their names."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import read_moment
from shared.protocol.whole_numbers import whole_number
from shared.vault.api import response_envelope as envelope
from shared.vault.api.body import missing, read_fields
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.own_address import origin
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of
from shared.vault.api.signing_in import client_of
from shared.vault.errors import VaultFault

router = APIRouter(prefix=PREFIX, tags=["Authentication"])

DELEGATIONS = "/services/delegations"
LOGIN = form_documentation(
    {"vault_id": "Id of the Vault", "delegator_userid": "The user to act for"}
)
GRANT = form_documentation(
    {
        "delegate_userid": "The user who may then act for the other",
        "delegator_userid": "The user to act for; by default the caller",
        "start_date": "From when, as YYYY-MM-DDTHH:MM:SSZ; by default now",
        "end_date": "Until when; by default until revoked",
    }
)


@router.get("/delegation/vaults", summary="Users for whom the caller may act")
async def vaults(request: Request, caller: SignedIn) -> Response:
    """Lists this Vault once for each user who has granted the caller delegate access."""
    vault = vault_of(request)
    _, _, dns = origin(request).partition("://")
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
    """Opens a session in the delegator's name, `delegated_sessionid`; it ends with the delegation."""
    vault = vault_of(request)
    fields = await read_fields(request)
    vault_id = _number(fields, "vault_id")
    delegator = _number(fields, "delegator_userid")
    # The documented call names a Vault, since a domain may have several; this one has itself only.
    if vault_id != vault.vault_id:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            "The caller has no delegate access to a Vault with this id",
        )
    session = await vault.delegations.sign_in(caller, delegator, client_of(request))
    return envelope.success(delegated_sessionid=session.session_id)


@router.get(DELEGATIONS, summary="Delegations")
async def delegations(request: Request, caller: SignedIn) -> Response:
    """Lists the delegations granted by and to the caller; for an administrator, all of them."""
    listed = await vault_of(request).delegations.all(caller)
    return envelope.success(data=listed)


@router.post(DELEGATIONS, summary="Grant delegate access", openapi_extra=GRANT)
async def grant(request: Request, caller: SignedIn) -> Response:
    """Lets another user act in the caller's name; an administrator may grant this for others."""
    fields = await read_fields(request)
    delegator = caller.user_id
    # Whether the caller may grant access to somebody else is decided by the service.
    if fields.get("delegator_userid"):
        delegator = _number(fields, "delegator_userid")
    delegate = _number(fields, "delegate_userid")
    start = _moment(fields, "start_date")
    end = _moment(fields, "end_date")
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
    """Revokes delegate access; sessions opened with it end at once."""
    await vault_of(request).delegations.revoke(caller, delegation_id)
    return envelope.success()


def _number(fields: dict[str, str], name: str) -> int:
    """Return the id in a form field.

    :raises VaultFault: PARAMETER_REQUIRED when it is missing, INVALID_DATA when it is not an id.
    """
    text = fields.get(name, "").strip()
    if not text:
        raise missing(name)
    number = whole_number(text)
    if number is None:
        raise VaultFault(ErrorType.INVALID_DATA, f"[{name}] is not an id")
    return number


def _moment(fields: dict[str, str], name: str) -> datetime | None:
    """Return the moment in a form field, UTC unless it has a zone; None for an empty one.

    :raises VaultFault: INVALID_DATA when it is not a date and time.
    """
    text = fields.get(name, "").strip()
    if not text:
        return None
    try:
        return read_moment(text)
    except ValueError as error:
        message = f"[{name}] takes a date and time as YYYY-MM-DDTHH:MM:SSZ"
        raise VaultFault(ErrorType.INVALID_DATA, message) from error
