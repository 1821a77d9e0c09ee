"""Makes calls in the session of one user at a Vault: signed in once for all callers, and again when it has expired."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

from shared.client.errors import ClientError, UnexpectedAnswer, VaultRefused
from shared.client.results import Row, text_of, whole
from shared.client.transport import Request, Transport
from shared.protocol.error_types import ErrorType

API = "/api/v25.1"
# The most rows that the API takes in one call.
MAX_ROWS = 500
MAX_SESSION_ID_LENGTH = 4096

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Session:
    """One session at a Vault, with the ids of its user and of the Vault."""

    id: str
    user_id: int
    vault_id: int


class SignIn:
    """Signs in lazily; callers that need a session at the same moment share one attempt."""

    def __init__(self, ask: Callable[[], Awaitable[Row]]) -> None:
        """Take ``ask``, which has the Vault open a session and returns its answer."""
        self._ask = ask
        self._lock = asyncio.Lock()
        self._attempts = 0
        self._failure: ClientError | None = None
        self.current: Session | None = None

    async def session(self, expired: Session | None = None) -> Session:
        """Return the session, signing in when there is none or when the current one is ``expired``.

        :raises VaultRefused: wrong user name or password, or the account is locked.
        :raises VaultUnavailable: the Vault is away.
        """
        current = self.current
        if current is not None and current is not expired:
            return current
        # Counted before the wait for the lock, to see afterwards whether somebody has tried meanwhile.
        attempts = self._attempts
        async with self._lock:
            if self.current is not None and self.current is not expired:
                return self.current
            if self._attempts != attempts and self._failure is not None:
                # The attempt we waited for failed; another one at once might lock the account.
                raise type(self._failure)(*self._failure.args)
            return await self._sign_in()

    def forget(self) -> None:
        """Drop the session here; at the Vault it stays valid."""
        self.current = None

    async def _sign_in(self) -> Session:
        # Not used any more from here on, also when the attempt fails: it has expired, or there was none.
        self.current = None
        try:
            answer = await self._ask()
            session = _read_session(answer)
        except ClientError as error:
            self._failure = error
            raise
        else:
            self._failure = None
            self.current = session
            return session
        finally:
            self._attempts += 1


class SignedInCalls:
    """Sends every call of a client in its user's session, once more when the session has expired."""

    _transport: Transport
    _sign_in: SignIn

    async def call(self, request: Request) -> Row:
        """Send any other request of the API and return the envelope of its answer."""
        return await self._call(request)

    async def _call(self, request: Request) -> Row:
        return await self._replayed(
            lambda session: self._transport.send(request, session.id)
        )

    async def _call_for_text(self, request: Request) -> str:
        return await self._replayed(
            lambda session: self._transport.send_for_text(request, session.id)
        )

    async def _replayed(self, send: Callable[[Session], Awaitable[T]]) -> T:
        session = await self._sign_in.session()
        try:
            return await send(session)
        except VaultRefused as error:
            if not _is_over(error):
                raise
        # Refused before anything was done, so that a write may be repeated too.
        renewed = await self._sign_in.session(expired=session)
        return await send(renewed)


def path_part(name: str) -> str:
    """Return a name quoted for its place in a path; ids come from messages and may be anything.

    :raises VaultRefused: MALFORMED_URL when it is empty or consists of dots.
    """
    if name in ("", ".", ".."):
        # Servers and proxies resolve such parts, and the call would reach another address.
        message = "a name in the address is empty or consists of dots"
        raise VaultRefused(ErrorType.MALFORMED_URL, message)
    return quote(name, safe="")


def _is_over(error: VaultRefused) -> bool:
    """Return whether an error says that the session is over, and nothing else was wrong."""
    return error.type == ErrorType.INVALID_SESSION_ID


def _read_session(answer: Row) -> Session:
    session_id = text_of(answer.get("sessionId"), "sessionId")
    # It is sent back in a header: nothing but visible ASCII may get there.
    is_visible = session_id.isascii() and session_id.isprintable()
    if not is_visible or len(session_id) > MAX_SESSION_ID_LENGTH:
        raise UnexpectedAnswer("sessionId cannot be sent in a header")
    user_id = whole(answer.get("userId"), "userId")
    vault_id = whole(answer.get("vaultId"), "vaultId")
    return Session(session_id, user_id, vault_id)
