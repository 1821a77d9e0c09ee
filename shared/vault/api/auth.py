"""Serves signing in and out, sessions, and the list of API versions."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.api import signing_in
from shared.vault.api.body import missing, read_fields
from shared.vault.api.body_limits import MAX_SIGN_IN_BYTES
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.own_address import origin
from shared.vault.api.request_context import (
    PREFIX,
    VERSIONS,
    PerhapsSignedIn,
    SignedIn,
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
    """Opens a session for `username` and `password`; the answer has its `sessionId`."""
    vault = vault_of(request)
    fields = await read_fields(request, MAX_SIGN_IN_BYTES)
    dns = fields.get("vaultDNS")
    username = fields.get("username", "")
    password = fields.get("password", "")
    try:
        session = await signing_in.sign_in(request, username, password, dns)
    except VaultFault as fault:
        # Only a failed sign-in has an `errorType`: by it, clients distinguish it from other refusals.
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
    """Returns how a user signs in: every user of this Vault with a password."""
    fields = {} if username else await read_fields(request, MAX_SIGN_IN_BYTES)
    if not (username or fields.get("username")):
        raise missing("username")
    # The same for names of no user: who has not signed in must not learn which users exist.
    return envelope.success(errors=[], data={"auth_type": "password"})


@router.post(
    "/auth/oauth/session/{profile}",
    summary="Sign in with an OAuth 2.0 / OpenID Connect token",
)
async def oauth_session(profile: str) -> Response:
    """Refuses the sign-in: this Vault has no OAuth 2.0 / OpenID Connect profiles."""
    message = f"There is no OAuth 2.0 / OpenID Connect profile [{profile[:100]}]"
    error = ApiError(ErrorType.INVALID_DATA, message)
    return envelope.failure(error, error_type=envelope.AUTHENTICATION_FAILED)


@router.post(f"{PREFIX}/keep-alive", summary="Keep the session alive")
async def keep_alive(request: Request, caller: SignedIn) -> Response:
    """Restarts the idle time of the session."""
    # An access token has no idle time.
    if caller.session_id is not None:
        await vault_of(request).security.sessions.touch(caller.session_id)
    return envelope.success()


@router.delete(f"{PREFIX}/session", summary="End the session")
async def sign_out(request: Request, caller: SignedIn) -> Response:
    """Ends the session; its id cannot be used again."""
    await vault_of(request).security.sign_out(caller)
    return envelope.success()


# Both spellings are in use, and nothing here is redirected from one to the other.
@router.get("/api", include_in_schema=False)
@router.get("/api/", summary="API versions")
async def versions(request: Request, _caller: PerhapsSignedIn) -> Response:
    """Lists the API versions with their addresses."""
    return _versions(request)


@router.get(f"{PREFIX}/", include_in_schema=False)
@router.get(PREFIX, summary="API versions, for a session")
async def versions_of_session(request: Request, _caller: SignedIn) -> Response:
    """Lists the API versions for a live session; clients call it to check their session."""
    return _versions(request)


def _versions(request: Request) -> Response:
    """Return the addresses of the API by version."""
    address = origin(request)
    addresses = {version: f"{address}/api/{version}" for version in VERSIONS}
    return envelope.success(values=addresses)
