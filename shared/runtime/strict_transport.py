"""Tells HTTPS clients to use HTTPS only from now on (HSTS, RFC 6797)."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "Strict-Transport-Security"
ONE_YEAR = "max-age=31536000"


class StrictTransport:
    """ASGI layer that adds the HSTS header to answers over HTTPS; over HTTP it has no meaning, and is not added."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back with the header."""
        if scope.get("scheme") != "https":
            await self._app(scope, receive, send)
            return

        async def send_strictly(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = ONE_YEAR
            await send(message)

        await self._app(scope, receive, send_strictly)
