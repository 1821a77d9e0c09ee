"""Calls are noted for the API usage log when they are answered, as far as there is room."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import pytest

from shared.vault.api import usage_notes
from shared.vault.api.usage_notes import UsageNotes

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from shared.vault.security.api_usage import PendingCalls

START: Message = {"type": "http.response.start", "status": 200, "headers": []}
END: Message = {"type": "http.response.body", "body": b"{}"}
USER: dict[str, Any] = {"user_id": 7, "client_id": "unknown", "reference_id": ""}


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    await send(START)
    await send(END)


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """End without an answer."""


async def receive() -> Message:
    raise AssertionError("nobody reads a body")


async def send(message: Message) -> None:
    """Discard the answer."""


def call(path: str = "/api/v25.1/query", **state: object) -> Scope:
    parts = {"method": "GET", "query_string": b"", "headers": []}
    return {"type": "http", "path": path, "state": state, **parts}


CALLS = {
    "of a user": (call(**USER), answer, 1),
    "of nobody": (call(), answer, 0),
    "without an answer": (call(**USER), nothing, 0),
    "of a page": (call("/admin", **USER), answer, 0),
}


@pytest.mark.parametrize(("scope", "app", "count"), CALLS.values(), ids=CALLS)
async def test_answered_calls_of_users_are_noted(
    scope: Scope, app: ASGIApp, count: int
) -> None:
    pending: PendingCalls = deque()
    await UsageNotes(app, pending)(scope, receive, send)
    assert len(pending) == count


async def test_what_waits_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_notes, "MAX_WAITING", 2)
    pending: PendingCalls = deque()
    for _ in range(3):
        await UsageNotes(answer, pending)(call(**USER), receive, send)
    assert len(pending) == 2
