"""Signing in and out, API versions, and how a user signs in."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.api import request_context as session_of
from shared.vault.api import response_envelope as envelope
from shared.vault.api.body import read_fields
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.request_context import (
    PREFIX,
    VERSIONS,
    PerhapsSignedIn,
    SignedIn,
    origin,
    vault_of,
)
from shared.vault.errors import ApiError, VaultFault

router = APIRouter(tags=["Authentication"])


SIGN_IN = form_documentation(
    {
        "username": "User name",
        "password": "Password",
        "vaultDNS": "Host of the Vault; optional",
    }
)


@router.post(f"{PREFIX}/auth", summary="Sign in", openapi_extra=SIGN_IN)
async def sign_in(request: Request) -> Response:
    """Form fields `username`, `password` and, optionally, `vaultDNS`; the answer holds `sessionId`."""
    vault = vault_of(request)
    fields = await read_fields(request)
    dns = fields.get("vaultDNS")
    try:
        session = await session_of.sign_in(
            request, fields.get("username", ""), fields.get("password", ""), dns
        )
    except VaultFault as fault:
        return envelope.failure(fault.error, error_type=envelope.AUTHENTICATION_FAILED)
    url = f"{origin(request, dns)}/api"
    return envelope.success(
        sessionId=session.session_id,
        userId=session.user_id,
        vaultIds=[{"id": vault.vault_id, "name": vault.definition.label, "url": url}],
        vaultId=vault.vault_id,
    )


@router.post("/auth/discovery", summary="How a user signs in")
async def discovery(request: Request, username: str = "") -> Response:
    """Every user of this Vault signs in with a password; whether there is such a user is not told."""
    fields = {} if username else await read_fields(request)
    if not (username or fields.get("username")):
        raise VaultFault(
            ErrorType.PARAMETER_REQUIRED, "Missing required parameter [username]"
        )
    return envelope.success(errors=[], data={"auth_type": "password"})


@router.post(
    "/auth/oauth/session/{profile}",
    summary="Sign in with an OAuth 2.0 / OpenID Connect token",
)
async def oauth_session(profile: str) -> Response:
    """This Vault has no OAuth 2.0 / OpenID Connect profile, and says so."""
    message = f"There is no OAuth 2.0 / OpenID Connect profile [{profile[:100]}]"
    return envelope.failure(
        ApiError(ErrorType.INVALID_DATA, message),
        error_type=envelope.AUTHENTICATION_FAILED,
    )


@router.post(f"{PREFIX}/keep-alive", summary="Keep the session alive")
async def keep_alive(request: Request, caller: SignedIn) -> Response:
    """Starts the idle time of the session again."""
    await vault_of(request).security.keep_alive(caller)
    return envelope.success()


@router.delete(f"{PREFIX}/session", summary="End the session")
async def sign_out(request: Request, caller: SignedIn) -> Response:
    """The session cannot be used again."""
    await vault_of(request).security.sign_out(caller)
    return envelope.success()


@router.get("/api", include_in_schema=False)
@router.get("/api/", summary="API versions")
async def versions(request: Request, _caller: PerhapsSignedIn) -> Response:
    """The versions and their addresses."""
    return _versions(request)


@router.get(f"{PREFIX}/", include_in_schema=False)
@router.get(PREFIX, summary="API versions, for a session")
async def versions_of_session(request: Request, _caller: SignedIn) -> Response:
    """The same list; clients use it to find out whether a session is live."""
    return _versions(request)


def _versions(request: Request) -> Response:
    address = origin(request)
    return envelope.success(
        values={version: f"{address}/api/{version}" for version in VERSIONS}
    )
