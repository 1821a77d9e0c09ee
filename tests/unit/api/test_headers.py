"""Response headers: which calls carry which, and how calls are counted."""

from __future__ import annotations

import uuid

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from shared.vault.api.headers import BURST_LIMIT, BURST_WINDOW, ApiHeaders, BurstWindow, is_api
from shared.vault.api.session import remember, session_id_in
from tests.unit.api.requests import request


async def headers_of(asked: Request, user_id: int | None = None, app: ApiHeaders | None = None) -> dict[str, str]:
    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        if user_id is not None:
            remember(Request(scope), user_id, "0123456789ABCDEF")
        await Response("{}")(scope, receive, send)

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    app = app or ApiHeaders(endpoint, 10101)
    app._app = endpoint
    await app(asked.scope, asked.receive, send)
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}


async def test_without_a_session() -> None:
    headers = await headers_of(request())
    assert uuid.UUID(headers["x-vaultapi-executionid"])
    assert headers["x-vaultapi-burstlimit"] == str(BURST_LIMIT)
    assert headers["x-vaultapi-burstlimitremaining"] == str(BURST_LIMIT)
    assert "x-vaultapi-userid" not in headers


async def test_with_a_session() -> None:
    headers = await headers_of(request(headers={"X-VaultAPI-ReferenceId": "job 7"}), user_id=42)
    assert headers["x-vaultapi-vaultid"] == "10101"
    assert headers["x-vaultapi-userid"] == "42"
    assert headers["x-vaultapi-truncatedsessionid"] == "01234567"
    assert headers["x-vaultapi-referenceid"] == "job 7"
    assert headers["x-vaultapi-burstlimitremaining"] == str(BURST_LIMIT - 1)


@pytest.mark.parametrize("value", ["x" * 101, "a\x01b", ""])
async def test_a_reference_id_that_is_none_is_not_echoed(value: str) -> None:
    assert "x-vaultapi-referenceid" not in await headers_of(request(headers={"X-VaultAPI-ReferenceId": value}))


async def test_other_paths_are_left_alone() -> None:
    assert not any(name.startswith("x-vaultapi") for name in await headers_of(request(path="/healthz")))


def test_what_belongs_to_the_api() -> None:
    assert [p for p in ("/api", "/api/", "/api/v25.1/auth", "/apis", "/", "/ui/api") if is_api(p)] == [
        "/api",
        "/api/",
        "/api/v25.1/auth",
    ]


def test_calls_are_counted_by_user_and_window() -> None:
    now = 10 * BURST_WINDOW
    window = BurstWindow(lambda: now)
    assert [window.remaining(1), window.remaining(1), window.remaining(2)] == [1999, 1998, 1999]
    assert window.remaining(None) == BURST_LIMIT
    assert [window.remaining(1) for _ in range(BURST_LIMIT)][-1] == 0
    now += BURST_WINDOW
    assert window.remaining(1) == 1999


@pytest.mark.parametrize(
    ("header", "session_id"),
    [
        (None, None),
        ("", None),
        ("  ", None),
        ("Bearer ", None),
        ("ABC", "ABC"),
        ("Bearer ABC", "ABC"),
        ("bearer  ABC ", "ABC"),
        ("BearerABC", "BearerABC"),
    ],
)
def test_the_session_id_of_an_authorization_header(header: str | None, session_id: str | None) -> None:
    assert session_id_in(header) == session_id
