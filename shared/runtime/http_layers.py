"""Gives all answers what HTTP asks of any service: HEAD wherever there is GET, no caches, no guesses of types."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEAD = "HEAD"
END: Message = {"type": "http.response.body", "body": b"", "more_body": False}


class HeadRequests:
    """ASGI middleware that passes HEAD on as GET, and back the status and the headers alone.

    The answer ends with its headers: what streams a body then sees that its client is gone, and makes no more of it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; an application below sees no HEAD."""
        if scope["type"] != "http" or scope["method"] != HEAD:
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send(END)

        # A copy: the server reads in its own that no body follows, whatever length the headers say.
        await self._app({**scope, "method": "GET"}, receive, send_head)


class PrivateAnswers:
    """ASGI middleware that has each answer say that it is stored nowhere, unless it says itself how it may be.

    Files that are the same for everyone have an ETag, by which caches ask whether they are current.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back with the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_privately(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                if "ETag" not in headers:
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_privately)
