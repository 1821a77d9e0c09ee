"""Provides the layers of every HTTP service: HEAD, no caching, no type sniffing, answers in pieces, request counts."""

from __future__ import annotations

import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.runtime.telemetry import Metrics, metrics

HEAD = "HEAD"
PIECE = 2**16  # bytes
UNSENT = "medcrm.unsent_bytes"
END: Message = {"type": "http.response.body", "body": b"", "more_body": False}


class HeadRequests:
    """ASGI middleware that handles HEAD as GET, and returns only status and headers.

    The answer ends with its headers: code that streams a body then sees that its client is gone, and stops.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; the application sees GET in place of HEAD."""
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
    """ASGI middleware that marks each answer as not to be stored, unless the answer has a Cache-Control of its own.

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


class AnswersInPieces:
    """ASGI middleware that sends a long body piece by piece, each when the client has read most of those before it.

    Otherwise a connection by TLS would take the whole body at once, and nothing would show that nobody reads it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; the scope has the number of bytes that are still to be sent."""

        async def send_pieces(message: Message) -> None:
            body = message.get("body", b"")
            if len(body) <= PIECE:
                await send(message)
                return
            more = message.get("more_body", False)
            for start in range(0, len(body), PIECE):
                left = max(0, len(body) - start - PIECE)
                scope[UNSENT] = left
                piece = body[start : start + PIECE]
                await send({**message, "body": piece, "more_body": more or left > 0})

        await self._app(scope, receive, send_pieces)


class RequestMetrics:
    """ASGI middleware that counts requests by route template; unmatched paths share one label."""

    def __init__(self, app: ASGIApp, catalogue: Metrics = metrics) -> None:
        self._app = app
        self._metrics = catalogue

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and count its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Of a request that fails without an answer.
        status = 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = time.perf_counter()
        try:
            await self._app(scope, receive, note_status)
        finally:
            seconds = time.perf_counter() - started
            # The template and not the path: each record id would else make a metric of its own.
            template = getattr(scope.get("route"), "path", "unmatched")
            route = f"{scope.get('root_path', '')}{template}"
            requests = self._metrics.http_requests
            requests.labels(scope["method"], route, str(status)).inc()
            self._metrics.http_seconds.labels(route).observe(seconds)
