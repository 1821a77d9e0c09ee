"""The headers of the API: those that every answer carries, and what a call says of its client."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import structlog
from starlette.datastructures import Headers

from shared.runtime.telemetry import metrics

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from shared.vault.security.call_limits import Usage

TRUNCATED_LENGTH = 8

REFERENCE_ID = re.compile(r"[\x20-\x7e]{1,100}")
CLIENT_ID = re.compile(r"[A-Za-z0-9._\-]{1,100}")
CONNECTION = "veeva-vault-"  # client ids of Vault to Vault calls begin so, and go on with the connection's API name
MAX_PARAMETERS = 1000
INVALID = "invalid"
UNKNOWN = "unknown"
STATUS = b"x-vaultapi-status"
OUTSIDE = ("/auth/discovery", "/auth/oauth/session/")

Header = tuple[bytes, bytes]


class ApiHeaders:
    """ASGI middleware; what it tells of a call is read from the request's state.

    ``user_id`` and ``session_id`` say who called, ``usage`` where they stand with a limit.
    """

    def __init__(self, app: ASGIApp, vault_id: int, burst_limit: int) -> None:
        self._app = app
        self._vault_id = str(vault_id).encode()
        self._burst_limit = burst_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on and add the headers to its answer."""
        if scope["type"] != "http" or not is_api(scope["path"]):
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        execution_id = state["execution_id"] = str(uuid.uuid4())
        client_id = client_id_of(scope)
        metrics.api_calls.labels(
            client_id if client_id in (INVALID, UNKNOWN) else "named"
        ).inc()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                added = [
                    (b"x-vaultapi-executionid", execution_id.encode()),
                    *self._limit_headers(state.get("usage")),
                ]
                added += self._session_headers(state) + _client_headers(
                    scope, client_id
                )
                if not any(name.lower() == STATUS for name, _ in given):
                    added.append(
                        (STATUS, b"SUCCESS" if message["status"] < 400 else b"FAILURE")
                    )
                message["headers"] = given + added
            await send(message)

        with structlog.contextvars.bound_contextvars(
            client_id=client_id, execution_id=execution_id
        ):
            await self._app(scope, receive, send_with_headers)

    def _limit_headers(self, usage: Usage | None) -> list[Header]:
        limit = self._burst_limit if usage is None else usage.limit
        remaining = limit if usage is None else usage.remaining
        headers = [
            (b"x-vaultapi-burstlimit", str(limit).encode()),
            (b"x-vaultapi-burstlimitremaining", str(remaining).encode()),
        ]
        if usage is not None and usage.delay:
            headers.append(
                (b"x-vaultapi-responsedelay", str(round(usage.delay * 1000)).encode())
            )
        return headers

    def _session_headers(self, state: dict[str, object]) -> list[Header]:
        user_id = state.get("user_id")
        if user_id is None:
            return []
        return [
            (b"x-vaultapi-vaultid", self._vault_id),
            (b"x-vaultapi-userid", str(user_id).encode()),
            (
                b"x-vaultapi-truncatedsessionid",
                str(state["session_id"])[:TRUNCATED_LENGTH].encode(),
            ),
        ]


def is_api(path: str) -> bool:
    """Whether a path belongs to the API: envelopes and headers are the API's business only."""
    return path == "/api" or path.startswith(("/api/", *OUTSIDE))


def client_id_of(scope: Scope) -> str:
    """Who calls, by ``client_id`` or X-VaultAPI-ClientID: ``invalid`` when malformed, ``unknown`` when not said."""
    given = _in_query(scope["query_string"]) or Headers(scope=scope).get(
        "x-vaultapi-clientid"
    )
    if not given:
        return UNKNOWN
    return given if CLIENT_ID.fullmatch(given) else INVALID


def _in_query(query: bytes) -> str | None:
    if b"client_id" not in query:
        return None
    try:
        return parse_qs(query.decode("latin-1"), max_num_fields=MAX_PARAMETERS).get(
            "client_id", [None]
        )[0]
    except ValueError:
        return INVALID  # more parameters than any call has


def _client_headers(scope: Scope, client_id: str) -> list[Header]:
    headers: list[Header] = []
    reference = Headers(scope=scope).get("x-vaultapi-referenceid")
    if reference is not None and REFERENCE_ID.fullmatch(reference):
        headers.append((b"x-vaultapi-referenceid", reference.encode()))
    connection = client_id.removeprefix(CONNECTION)
    if connection and connection != client_id:
        headers.append((b"x-vaultapi-connection", connection.encode()))
    return headers
