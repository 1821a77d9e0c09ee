"""Records each call of a user for the API usage log: the caller, the call, and its answer."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from shared.vault.api.request_context import (
    CONNECTION,
    INVALID,
    STATUS,
    TRUNCATED_LENGTH,
    is_api,
)
from shared.vault.security.api_usage import MAX_WAITING, ApiCall

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from shared.vault.security.api_usage import PendingCalls

FAILED = frozenset({"FAILURE", "EXCEPTION"})
MAX_ENVELOPE = 2**16  # bytes of an answer that are looked at for the type of its error
INVALID_CLIENT = "invalid_client_id"


class UsageNotes:
    """ASGI middleware that records the calls of users; it reads the state that ``ApiHeaders``, around it, has set."""

    def __init__(self, app: ASGIApp, pending: PendingCalls) -> None:
        self._app = app
        self._pending = pending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, and record it when its answer has been sent."""
        if scope["type"] != "http" or not is_api(scope["path"]):
            await self._app(scope, receive, send)
            return
        answer = _Answer()

        async def look(message: Message) -> None:
            answer.look(message)
            await send(message)

        began, clock = datetime.now(UTC), time.perf_counter()
        try:
            await self._app(scope, receive, look)
        finally:
            state = scope["state"]
            has_room = len(self._pending) < MAX_WAITING
            if "user_id" in state and answer.status and has_room:
                duration = round((time.perf_counter() - clock) * 1000)
                self._pending.append(_call(scope, answer, began, duration))


class _Answer:
    """What is recorded of an answer: its HTTP status, its ``responseStatus``, and the type of its first error."""

    def __init__(self) -> None:
        self.status = 0
        self.api_status = ""
        self.error_type = ""

    def look(self, message: Message) -> None:
        """Record the status or the error type if this message of the answer contains it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            for name, value in message.get("headers", ()):
                if name == STATUS:
                    self.api_status = value.decode()
        elif self.api_status in FAILED and not self.error_type:
            self.error_type = _error_type(message.get("body", b""))


def _error_type(body: bytes) -> str:
    """Return the type of the first error of an envelope; empty for any other body."""
    if not body.startswith(b"{") or len(body) > MAX_ENVELOPE:
        return ""
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    errors = envelope.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else {}
    return str(first.get("type", ""))


def _call(scope: Scope, answer: _Answer, began: datetime, duration: int) -> ApiCall:
    """Return the log entry of a call."""
    state, parameters = scope["state"], scope.get("path_params", {})
    usage = state.get("usage")
    delay = round(usage.delay * 1000) if usage is not None and usage.delay else None
    version = str(parameters.get("version", ""))
    route = getattr(scope.get("route"), "path_format", "")
    client_id = state["client_id"]
    is_connection = client_id.startswith(CONNECTION)
    return ApiCall(
        timestamp=began,
        session_id=str(state.get("session_id", ""))[:TRUNCATED_LENGTH],
        user_id=state["user_id"],
        http_method=scope["method"],
        endpoint=route.replace("{version}", version),
        http_response_status=answer.status,
        api_version=version,
        api_response_status=answer.api_status,
        api_response_error_type=answer.error_type,
        execution_id=str(state.get("execution_id", "")),
        client_id=INVALID_CLIENT if client_id == INVALID else client_id,
        client_ip=scope["client"][0] if scope.get("client") else "",
        burst_limit_remaining=0 if usage is None else usage.remaining,
        duration=duration,
        response_delay=delay,
        connection=client_id.removeprefix(CONNECTION) if is_connection else "",
        api_resource=str(parameters.get("object_name", "")),
        reference_id=state["reference_id"],
    )
