"""Writes the headers that protect pages: no foreign content, no scripts, no frames, no forms of other sites."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Everything is forbidden that is not named: the pages have styles and images of their own, and no scripts.
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
KEPT = (
    b"cache-control",
    b"no-cache",
)  # static files: kept by browsers, asked about each time
NOT_KEPT = (b"cache-control", b"no-store")  # pages, which show records


class PageHeaders:
    """ASGI middleware that adds the headers, and an execution id by which the log line of an error page is found."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add the headers to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        execution_id = str(uuid.uuid4())
        scope.setdefault("state", {})["execution_id"] = execution_id
        caching = KEPT if scope["path"].startswith("/ui/static/") else NOT_KEPT

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS, caching]
            await send(message)

        with structlog.contextvars.bound_contextvars(execution_id=execution_id):
            await self._app(scope, receive, send_with_headers)
