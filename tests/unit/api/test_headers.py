"""Response headers: which calls carry which, and how calls are counted."""

from __future__ import annotations

import uuid

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from shared.vault.api.request_context import (
    ApiHeaders,
    client_id_of,
    is_api,
    remember,
    session_id_in,
)
from shared.vault.security.call_limits import Usage
from tests.unit.api.requests import request


async def headers_of(
    asked: Request,
    user_id: int | None = None,
    usage: Usage | None = None,
    given: dict[str, str] | None = None,
) -> dict[str, str]:
    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        state = Request(scope).state
        if user_id is not None:
            remember(Request(scope), user_id, "0123456789ABCDEF")
        if usage is not None:
            state.usage = usage
        await Response("{}", headers=given)(scope, receive, send)

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await ApiHeaders(endpoint, 10101, burst_limit=2000)(
        asked.scope, asked.receive, send
    )
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}


async def test_without_a_session() -> None:
    headers = await headers_of(request())
    assert uuid.UUID(headers["x-vaultapi-executionid"])
    assert headers["x-vaultapi-burstlimit"] == "2000"
    assert headers["x-vaultapi-burstlimitremaining"] == "2000"
    assert headers["x-vaultapi-status"] == "SUCCESS"
    assert not {
        "x-vaultapi-userid",
        "x-vaultapi-responsedelay",
        "x-vaultapi-connection",
    } & set(headers)


async def test_with_a_session() -> None:
    asked = request(headers={"X-VaultAPI-ReferenceId": "job 7"})
    headers = await headers_of(asked, user_id=42, usage=Usage(2000, 1999))
    assert headers["x-vaultapi-vaultid"] == "10101"
    assert headers["x-vaultapi-userid"] == "42"
    assert headers["x-vaultapi-truncatedsessionid"] == "01234567"
    assert headers["x-vaultapi-referenceid"] == "job 7"
    assert headers["x-vaultapi-burstlimitremaining"] == "1999"
    assert "x-vaultapi-responsedelay" not in headers


async def test_a_delay_is_reported() -> None:
    headers = await headers_of(
        request(), user_id=42, usage=Usage(10, 0, 0.5, exceeded=True)
    )
    assert headers["x-vaultapi-burstlimit"] == "10"
    assert headers["x-vaultapi-responsedelay"] == "500"


async def test_an_answer_that_says_its_status_keeps_it() -> None:
    assert (await headers_of(request(), given={"X-VaultAPI-Status": "WARNING"}))[
        "x-vaultapi-status"
    ] == "WARNING"


@pytest.mark.parametrize(
    ("header", "query", "client_id"),
    [
        (None, "", "unknown"),
        ("", "", "unknown"),
        ("acme-medical_1.2", "", "acme-medical_1.2"),
        ("acme medical", "", "invalid"),
        ("a" * 101, "", "invalid"),
        ("header", "client_id=query", "query"),
        ("header", "client_id=a%20b", "invalid"),
        ("header", "other_client_id=x", "header"),
        ("header", "client_id=", "header"),
        (None, "client_id=%ff", "invalid"),
        ("header", "client_id=a" + "&x=1" * 1000, "invalid"),
    ],
)
def test_the_client_id_of_a_call(
    header: str | None, query: str, client_id: str
) -> None:
    asked = request(headers={} if header is None else {"X-VaultAPI-ClientID": header})
    asked.scope["query_string"] = query.encode()
    assert client_id_of(asked.scope) == client_id


async def test_a_call_of_a_connection_is_answered_with_its_name() -> None:
    headers = await headers_of(
        request(headers={"X-VaultAPI-ClientID": "veeva-vault-medical_crm__v"})
    )
    assert headers["x-vaultapi-connection"] == "medical_crm__v"


@pytest.mark.parametrize("value", ["x" * 101, "a\x01b", ""])
async def test_a_reference_id_that_is_none_is_not_echoed(value: str) -> None:
    assert "x-vaultapi-referenceid" not in await headers_of(
        request(headers={"X-VaultAPI-ReferenceId": value})
    )


async def test_other_paths_are_left_alone() -> None:
    assert not any(
        name.startswith("x-vaultapi")
        for name in await headers_of(request(path="/healthz"))
    )


def test_what_belongs_to_the_api() -> None:
    assert [
        p
        for p in (
            "/api",
            "/api/",
            "/api/v25.1/auth",
            "/auth/discovery",
            "/apis",
            "/",
            "/ui/api",
            "/auth",
        )
        if is_api(p)
    ] == [
        "/api",
        "/api/",
        "/api/v25.1/auth",
        "/auth/discovery",
    ]


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
def test_the_session_id_of_an_authorization_header(
    header: str | None, session_id: str | None
) -> None:
    assert session_id_in(header) == session_id
