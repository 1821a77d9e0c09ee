"""Sends requests to one Vault in a session, bounded in time, size and number, and reads answers as envelopes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

import aiohttp
import orjson
from yarl import URL

from shared.client.errors import (
    ClientError,
    LinkLost,
    UnexpectedAnswer,
    VaultRefused,
    VaultUnavailable,
)
from shared.client.results import (
    Answer,
    Row,
    read_body,
    read_envelope,
    read_text,
    text_of,
    whole,
)
from shared.protocol.error_types import ErrorType
from shared.runtime.off_loop import off_loop
from shared.runtime.retry_policies import LOST_CALL
from shared.runtime.telemetry import metrics

if TYPE_CHECKING:
    from shared.client.results import LatestRevision

T = TypeVar("T")

API = "/api/v25.1"
REVISION_HEADER = "X-VaultAPI-ConfigurationRevision"
# The most rows that the API takes in one call.
MAX_ROWS = 500
MAX_SESSION_ID_LENGTH = 4096
_REPEATABLE = ("GET", "PUT")
# Most answers are shorter, and decoded in a moment.
LARGE_ANSWER_BYTES = 1024 * 1024
CONNECT_SECONDS = 10.0
# Shorter than servers keep an idle connection, so that a request never meets one being closed.
KEEP_ALIVE_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Request:
    """One call: ``call`` names it in metrics; at most one of ``json``, ``form`` and ``text`` is the body.

    ``repeatable`` says that making the call twice has the effect and answer of making it once, as for GET and PUT.
    """

    call: str
    method: str
    path: str
    json: object | None = None
    form: Mapping[str, str] | None = None
    text: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = False


class Transport:
    """Sends requests to one origin; follows no redirects, keeps no cookies, uses no proxy of the environment."""

    def __init__(
        self,
        url: str,
        client_id: str,
        timeout: float,
        concurrency: int,
        revision: LatestRevision,
    ) -> None:
        """Take the Vault's address, for example ``https://vault.example.com``, and the timeout in seconds.

        ``revision`` notes the revisions in the headers of answers.

        :raises ValueError: the address is not an http or https address.
        """
        origin = URL(url)
        if origin.scheme not in ("http", "https") or not origin.host:
            raise ValueError("a Vault's address starts with http:// or https://")
        self.origin = origin.origin()
        self._client_id = client_id
        self._timeout = timeout
        self._concurrency = concurrency
        self._places = asyncio.Semaphore(concurrency)
        self.revision = revision
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: Request, session_id: str | None) -> Row:
        """Send a request and return the envelope of its answer.

        :raises VaultUnavailable: the connection was refused or timed out, or the answer is 5xx or no envelope.
        :raises VaultRefused: the Vault answered with an error.
        """
        return await self._measured(request, session_id, read_envelope)

    async def send_measured(
        self,
        request: Request,
        session_id: str | None,
    ) -> tuple[Row, int]:
        """Send a request as ``send`` does, and return the envelope with its size in bytes."""

        def read(answer: Answer) -> tuple[Row, int]:
            return read_envelope(answer), len(answer.body)

        return await self._measured(request, session_id, read)

    async def send_for_text(self, request: Request, session_id: str | None) -> str:
        """Send a request whose answer is plain text, and return the text; an answer with an envelope raises its error.

        :raises VaultUnavailable: the connection was refused or timed out, or the answer is 5xx or no text.
        :raises VaultRefused: the Vault answered with an error.
        """
        return await self._measured(request, session_id, read_text)

    async def _measured(
        self,
        request: Request,
        session_id: str | None,
        read: Callable[[Answer], T],
    ) -> T:
        """Send a request, return its answer as ``read`` reads it, and count call and time."""
        started = time.perf_counter()
        outcome = "ok"
        try:
            async with self._places:
                answer = await self._exchanged(request, session_id)
            if len(answer.body) < LARGE_ANSWER_BYTES:
                return read(answer)
            return await off_loop(read, answer)
        except ClientError as error:
            outcome = error.type if isinstance(error, VaultRefused) else "unavailable"
            raise
        finally:
            # With the wait for a place: that is the time which the caller has waited.
            seconds = time.perf_counter() - started
            vault = self.origin.authority
            metrics.vault_calls.labels(vault, request.call, outcome).inc()
            metrics.vault_seconds.labels(vault, request.call).observe(seconds)

    def local(self, address: str) -> str:
        """Return an address of this Vault (relative or absolute) as path and query.

        :raises UnexpectedAnswer: the address leads to another server, to which the session must not be sent.
        """
        try:
            target = URL(address, encoded=True)
            is_own = self._is_own_address(target, address)
        except ValueError:
            raise UnexpectedAnswer("an address in the answer cannot be read") from None
        if not is_own:
            raise UnexpectedAnswer("an address in the answer leads to another server")
        return target.raw_path_qs

    def _is_own_address(self, target: URL, address: str) -> bool:
        if target.raw_authority:
            return target.origin() == self.origin
        # Without a server it is a path; other schemes have no server either.
        return address.startswith("/")

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _exchanged(self, request: Request, session_id: str | None) -> Answer:
        """Send the request; repeat it a few times when the connection is lost and it is ``repeatable``."""
        may_repeat = request.repeatable or request.method in _REPEATABLE
        pauses: Iterator[float] | None = None
        for _ in range(LOST_CALL.attempts - 1 if may_repeat else 0):
            try:
                return await self._exchange(request, session_id)
            except LinkLost:
                pauses = pauses or LOST_CALL.pauses()
                pause = next(pauses)
            await asyncio.sleep(pause)
        return await self._exchange(request, session_id)

    async def _exchange(self, request: Request, session_id: str | None) -> Answer:
        session = self._open()
        began = datetime.now(UTC)
        try:
            async with session.request(
                request.method,
                self._target(request.path),
                data=_body(request),
                params=request.params or None,
                headers=_headers(request, session_id),
                # The session must not follow a redirect to another server.
                allow_redirects=False,
            ) as response:
                body = await read_body(response)
                # Errors of the API are answered by 200 or 4xx with an envelope; a redirect is another server's.
                if response.status >= 500 or 300 <= response.status < 400:
                    raise VaultUnavailable(f"{request.call}: status {response.status}")
                self.revision.note(response.headers.get(REVISION_HEADER), began)
                return Answer(response.status, body)
        except TimeoutError as error:
            late = f"{request.call}: no answer within {self._timeout:g} s"
            raise VaultUnavailable(late) from error
        except (aiohttp.ClientError, OSError) as error:
            raise LinkLost(f"{request.call}: {type(error).__name__}") from error

    def _target(self, path: str) -> URL:
        return URL(str(self.origin) + path, encoded=True)

    def _open(self) -> aiohttp.ClientSession:
        # Not in the constructor: a session belongs to the loop that runs when it is made.
        if self._session is not None:
            return self._session
        connector = aiohttp.TCPConnector(
            limit=self._concurrency, keepalive_timeout=KEEP_ALIVE_SECONDS
        )
        connecting = min(CONNECT_SECONDS, self._timeout)
        timeout = aiohttp.ClientTimeout(total=self._timeout, sock_connect=connecting)
        headers = {
            "Accept": "application/json",
            # A few compressed bytes may stand for any number of others.
            "Accept-Encoding": "identity",
            "X-VaultAPI-ClientID": self._client_id,
        }
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
            auto_decompress=False,
            trust_env=False,
        )
        return self._session


def _headers(request: Request, session_id: str | None) -> dict[str, str]:
    headers = dict(request.headers)
    if session_id is not None:
        headers["Authorization"] = session_id
    if request.json is not None:
        headers["Content-Type"] = "application/json"
    elif request.text is not None:
        headers["Content-Type"] = "text/plain; charset=utf-8"
    elif request.form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    return headers


def _body(request: Request) -> bytes | None:
    if request.json is not None:
        return orjson.dumps(request.json)
    if request.text is not None:
        return request.text.encode()
    if request.form is not None:
        return form_body(request.form)
    return None


def form_body(form: Mapping[str, str]) -> bytes:
    """Return fields as a URL-encoded form, in which quotes, commas and parentheses stay unencoded.

    :raises UnicodeEncodeError: a value has a lone surrogate.
    """
    for value in form.values():
        # What UTF-8 cannot have would else be left out.
        value.encode()
    # A list of ids has thousands of characters: this is twenty times as fast as the encoder of the standard library.
    return URL.build(query=form).raw_query_string.encode()


@dataclass(frozen=True, slots=True)
class Session:
    """One session at a Vault, with the ids of its user and of the Vault."""

    id: str
    user_id: int
    vault_id: int


class SignIn:
    """Signs in lazily; callers that need a session at the same moment share one attempt."""

    def __init__(self, ask: Callable[[], Awaitable[Row]]) -> None:
        """Take ``ask``, which opens a session at the Vault and returns the answer."""
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

    async def _call_measured(self, request: Request) -> tuple[Row, int]:
        return await self._replayed(
            lambda session: self._transport.send_measured(request, session.id)
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
            if error.type != ErrorType.INVALID_SESSION_ID:
                raise
        # Refused before anything was done, so that a write may be repeated too.
        renewed = await self._sign_in.session(expired=session)
        return await send(renewed)


def path_part(name: str) -> str:
    """Return a name quoted as a segment of a path; ids come from messages and may contain any characters.

    :raises VaultRefused: MALFORMED_URL when the name is empty or consists of dots.
    """
    if name in ("", ".", ".."):
        # Servers and proxies resolve such parts, and the call would reach another address.
        message = "a name in the address is empty or consists of dots"
        raise VaultRefused(ErrorType.MALFORMED_URL, message)
    return quote(name, safe="")


def _read_session(answer: Row) -> Session:
    session_id = text_of(answer.get("sessionId"), "sessionId")
    # It is sent back in a header: nothing but visible ASCII may get there.
    is_visible = session_id.isascii() and session_id.isprintable()
    if not is_visible or len(session_id) > MAX_SESSION_ID_LENGTH:
        raise UnexpectedAnswer("sessionId cannot be sent in a header")
    user_id = whole(answer.get("userId"), "userId")
    vault_id = whole(answer.get("vaultId"), "vaultId")
    return Session(session_id, user_id, vault_id)
