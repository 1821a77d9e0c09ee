"""Calls of a FastAPI application without a server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.types import Message


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a call."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[str, str]:
        """Type and text of the first error."""
        (first, *_) = self.json["errors"]
        return first["type"], first["message"]


def application(*routers: APIRouter) -> FastAPI:
    """An application of these routes."""
    app = FastAPI()
    for router in routers:
        app.include_router(router)
    return app


async def call(
    app: FastAPI,
    method: str,
    path: str,
    *,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    readable: bool = True,
) -> Reply:
    """Call a route; a body that is not ``readable`` fails the test when it is read."""
    sent: list[Message] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [
            (name.lower().encode(), value.encode())
            for name, value in (headers or {}).items()
        ],
        "client": ("127.0.0.1", 1),
        "server": ("connector.example", 80),
    }

    async def receive() -> Message:
        assert readable, "the body was read"
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *parts = sent
    named = {name.decode(): value.decode() for name, value in start["headers"]}
    return Reply(start["status"], named, b"".join(part["body"] for part in parts))
