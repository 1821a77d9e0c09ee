"""Who makes a request: the session in its Authorization header."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, Security
from fastapi.security import APIKeyHeader
from starlette.requests import Request

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import Caller
from shared.vault.errors import VaultFault
from shared.vault.security.sessions import Session
from shared.vault.storage.database import DatabaseUnavailable

if TYPE_CHECKING:
    from shared.vault.assembly.vault import Vault

BEARER = "bearer"

_header = APIKeyHeader(
    name="Authorization",
    auto_error=False,
    description="The session id, alone or after `Bearer`.",
)


def vault_of(request: Request) -> Vault:
    """The Vault that this application serves; raises DatabaseUnavailable until it has started.

    A Vault that still loads its configuration would answer that users, objects or queues do not exist.
    """
    vault = cast("Vault", request.app.state.vault)
    if not vault.started:
        message = "the Vault is starting"
        raise DatabaseUnavailable(message)
    return vault


async def signed_in(
    request: Request, authorization: Annotated[str | None, Security(_header)]
) -> Caller:
    """The caller, held back when they call too often; raises VaultFault INVALID_SESSION_ID without a live session."""
    return await admitted(request, session_id_in(authorization))


async def admitted(request: Request, session_id: str | None) -> Caller:
    """Whose session this is, held back when they call too often; raises VaultFault as ``signed_in`` does."""
    vault = vault_of(request)
    caller = await vault.security.caller(session_id)
    remember(request, caller.user_id, session_id or "")
    vault.configuration_mode.admit(caller)
    request.state.usage = usage = vault.burst.count(caller)
    if usage.delay:
        await asyncio.sleep(usage.delay)
    return caller


async def sign_in(
    request: Request, username: str, password: str, dns: str | None = None
) -> Session:
    """Open a session for whoever knows the password; counted, and held back, by user name and DNS.

    :raises VaultFault: API_LIMIT_EXCEEDED, and as ``SecurityService.sign_in``.
    """
    security = vault_of(request).security
    request.state.usage = usage = await security.count_sign_in(
        username, dns or request.headers.get("host", "")
    )
    await asyncio.sleep(usage.delay)
    if usage.exceeded:
        raise VaultFault(
            ErrorType.API_LIMIT_EXCEEDED, "Too many sign-ins of this user in a minute"
        )
    session = await security.sign_in(username, password)
    remember(request, session.user_id, session.session_id)
    return session


async def perhaps_signed_in(
    request: Request, authorization: Annotated[str | None, Security(_header)]
) -> Caller | None:
    """The caller, or None when the request names no session; a session that is not live is refused all the same."""
    return (
        None
        if session_id_in(authorization) is None
        else await signed_in(request, authorization)
    )


def session_id_in(authorization: str | None) -> str | None:
    """The session id of an Authorization header, raw or ``Bearer``; None when there is none."""
    scheme, _, rest = (authorization or "").strip().partition(" ")
    return (
        rest.strip() if scheme.lower() == BEARER else f"{scheme} {rest}".strip()
    ) or None


def remember(request: Request, user_id: int, session_id: str) -> None:
    """Tell the response headers whose call this is."""
    request.state.user_id = user_id
    request.state.session_id = session_id


SignedIn = Annotated[Caller, Depends(signed_in)]
PerhapsSignedIn = Annotated[Caller | None, Depends(perhaps_signed_in)]
