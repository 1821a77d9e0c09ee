"""Calls with a session: signed in when needed, and once more when the Vault says that the session is over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import quote

from shared.client.errors import VaultRefused
from shared.client.results import Row
from shared.client.session import Session, SignIn, expired
from shared.client.transport import Request, Transport

API = "/api/v25.1"
MAX_ROWS = 500
T = TypeVar("T")


class SignedInCalls:
    """What every call of a client goes through."""

    _transport: Transport
    _sign_in: SignIn

    async def call(self, request: Request) -> Row:
        """Send any other request of the API and return the envelope of its answer."""
        return await self._call(request)

    async def _call(self, request: Request) -> Row:
        return await self._replayed(
            lambda session: self._transport.send(request, session.id)
        )

    async def _replayed(self, send: Callable[[Session], Awaitable[T]]) -> T:
        session = await self._sign_in.session()
        try:
            return await send(session)
        except VaultRefused as error:
            if not expired(error):
                raise
        # Refused before anything was done, so that a write may be repeated too.
        return await send(await self._sign_in.session(expired=session))


def path_part(name: str) -> str:
    """Quote a name for its place in a path; ids come from messages and may be anything."""
    if name in ("", ".", ".."):
        raise VaultRefused(
            "MALFORMED_URL", "a name in the address is empty or consists of dots"
        )
    return quote(name, safe="")
