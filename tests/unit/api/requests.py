"""Requests as a server passes them to the application, for tests of their readers."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.types import Message


def request(
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    path: str = "/api/v25.1/query",
    chunk: int = 2**16,
) -> Request:
    """A POST request whose body arrives in chunks of ``chunk`` bytes."""
    pieces = [body[start : start + chunk] for start in range(0, len(body), chunk)] or [
        b""
    ]
    messages: list[Message] = [
        {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
    ]
    messages[-1]["more_body"] = False
    waiting = iter(messages)

    async def receive() -> Message:
        return next(waiting)

    scope = {
        "type": "http",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "server": ("127.0.0.1", 80),
        "headers": [
            (name.lower().encode(), value.encode())
            for name, value in (headers or {}).items()
        ],
    }
    return Request(scope, receive)
