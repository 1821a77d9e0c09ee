"""The response headers that every call of the API carries."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

BURST_LIMIT = 2000
BURST_WINDOW = 300.0  # seconds
MAX_USERS = 10_000
TRUNCATED_LENGTH = 8

REFERENCE_ID = re.compile(r"[\x20-\x7e]{1,100}")


class BurstWindow:
    """Counts calls by user in windows of five minutes, in this process.

    The count is told to the caller, as the API documents it; no call is delayed or refused for it, since
    the one integration user of a Vault may rightly make more calls than that.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._window = -1
        self._calls: dict[int, int] = {}

    def remaining(self, user_id: int | None) -> int:
        """Calls left to this user in this window, after the one being answered."""
        window = int(self._clock() // BURST_WINDOW)
        if window != self._window or len(self._calls) > MAX_USERS:
            self._window, self._calls = window, {}
        if user_id is None:
            return BURST_LIMIT
        calls = self._calls.get(user_id, 0) + 1
        self._calls[user_id] = calls
        return max(0, BURST_LIMIT - calls)


class ApiHeaders:
    """ASGI middleware; who called is read from the request's state (``user_id``, ``session_id``)."""

    def __init__(self, app: ASGIApp, vault_id: int) -> None:
        self._app = app
        self._vault_id = str(vault_id).encode()
        self._burst = BurstWindow()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on and add the headers to its answer."""
        if scope["type"] != "http" or not is_api(scope["path"]):
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        execution_id = state["execution_id"] = str(uuid.uuid4())

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                user_id: int | None = state.get("user_id")
                added = [
                    (b"x-vaultapi-executionid", execution_id.encode()),
                    (b"x-vaultapi-burstlimit", str(BURST_LIMIT).encode()),
                    (b"x-vaultapi-burstlimitremaining", str(self._burst.remaining(user_id)).encode()),
                ]
                if user_id is not None:
                    added += self._session_headers(user_id, state["session_id"])
                added += _reference_id(scope)
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _session_headers(self, user_id: int, session_id: str) -> list[tuple[bytes, bytes]]:
        return [
            (b"x-vaultapi-vaultid", self._vault_id),
            (b"x-vaultapi-userid", str(user_id).encode()),
            (b"x-vaultapi-truncatedsessionid", session_id[:TRUNCATED_LENGTH].encode()),
        ]


def is_api(path: str) -> bool:
    """Whether a path belongs to the API: envelopes and headers are the API's business only."""
    return path == "/api" or path.startswith("/api/")


def _reference_id(scope: Scope) -> list[tuple[bytes, bytes]]:
    value = Headers(scope=scope).get("x-vaultapi-referenceid")
    if value is None or not REFERENCE_ID.fullmatch(value):
        return []
    return [(b"x-vaultapi-referenceid", value.encode())]
