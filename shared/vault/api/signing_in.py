"""Signs users in, for calls and for pages: within limits, and with the client on the audit trail."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from shared.protocol.error_types import ErrorType
from shared.vault.api.request_context import address_of, remember, vault_of
from shared.vault.audit.sign_in_entries import SignInClient
from shared.vault.errors import VaultFault
from shared.vault.security.sessions import Session


def client_of(request: Request) -> SignInClient:
    """Return where a request comes from."""
    return SignInClient(address_of(request), request.headers.get("user-agent", ""))


async def sign_in(
    request: Request,
    username: str,
    password: str,
    dns: str | None = None,
) -> Session:
    """Open a session for a user name and its password; limit sign-ins by user name, DNS and IP address.

    :raises VaultFault: API_LIMIT_EXCEEDED when there were too many, and as ``SignInService.sign_in``.
    """
    security = vault_of(request).security
    host = dns or request.headers.get("host", "")
    # Counted before the password is looked at: guessing is what the limit is against.
    client = client_of(request)
    usage = await security.count_sign_in(username, host, client.address)
    request.state.usage = usage
    await asyncio.sleep(usage.delay)
    if usage.exceeded:
        raise VaultFault(
            ErrorType.API_LIMIT_EXCEEDED, "Too many sign-ins of this user in a minute"
        )
    session = await security.sign_in(username, password, client)
    remember(request, session.user_id, session.session_id)
    return session
