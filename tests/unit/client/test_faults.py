"""Faults on the way to a Vault: passing ones are distinguished from others, and answers are validated."""

from __future__ import annotations

import asyncio
import gzip
import socket
import tracemalloc
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from shared.client import (
    UnexpectedAnswer,
    VaultClient,
    VaultRefused,
    VaultUnavailable,
    query_calls,
    results,
)
from tests.unit.client.fake_vault import FaultyVault, Handler, success

RECORD = "/api/v25.1/vobjects/account__v/V1"
COMPONENT = "/api/mdl/components/Object.account__v"
ASK: dict[str, Callable[[VaultClient], Awaitable[object]]] = {
    RECORD: lambda client: client.record("account__v", "V1"),
    COMPONENT: lambda client: client.component_mdl("Object.account__v"),
}


async def test_a_refused_connection_will_pass() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with VaultClient(f"http://127.0.0.1:{port}", "u", "p") as client:
        with pytest.raises(VaultUnavailable):
            await client.sign_in()


async def test_a_slow_answer_will_pass(vault: FaultyVault) -> None:
    async def hang(_request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return success()

    vault.on(RECORD, hang)
    async with VaultClient(vault.url, "u", "right", timeout=0.2) as client:
        with pytest.raises(VaultUnavailable, match="no answer within"):
            await client.record("account__v", "V1")


def answering(
    status: int, body: bytes, headers: dict[str, str] | None = None
) -> Handler:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers=headers)

    return handler


async def closing(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def breaking_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"responseStatus":')
    assert request.transport is not None
    request.transport.close()
    return response


@pytest.mark.parametrize(
    "handler",
    [
        answering(200, b"<html>"),
        answering(200, b""),
        answering(200, b"\xff"),
        answering(404, b"not found"),
        answering(500, b'{"responseStatus":"SUCCESS","data":{}}'),
        answering(503, b""),
        closing,
        breaking_off,
    ],
)
async def test_no_readable_answer_will_pass(
    vault: FaultyVault, client: VaultClient, handler: Handler
) -> None:
    vault.on(RECORD, handler)
    with pytest.raises(VaultUnavailable):
        await client.record("account__v", "V1")


async def test_a_redirect_is_not_followed(
    vault: FaultyVault, client: VaultClient
) -> None:
    vault.on(RECORD, answering(307, b"", {"Location": "/api/v25.1/elsewhere"}))
    with pytest.raises(VaultUnavailable, match="307"):
        await client.record("account__v", "V1")
    assert vault.calls[-1] == ("GET", RECORD)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"responseStatus":"MAYBE"}',
        b'{"responseStatus":["SUCCESS"]}',
        b'{"error":"forbidden"}',
        b"<html>forbidden</html>",
        b"forbidden",
        b"[" * 100_000,
        gzip.compress(b'{"responseStatus":"SUCCESS","data":{}}', mtime=0),
    ],
)
@pytest.mark.parametrize("status", [200, 401, 403, 404, 407, 429, 451, 502])
@pytest.mark.parametrize("path", [RECORD, COMPONENT])
async def test_what_is_no_envelope_is_not_the_vaults_and_will_pass(
    vault: FaultyVault, client: VaultClient, path: str, body: bytes, status: int
) -> None:
    vault.on(path, answering(status, body))
    # What is no envelope may be the text that was asked for.
    if path == COMPONENT and status == 200 and not body.startswith((b"<", b"{")):
        return
    with pytest.raises(VaultUnavailable):
        await ASK[path](client)


async def test_an_envelope_of_another_shape_will_not_pass(
    vault: FaultyVault, client: VaultClient
) -> None:
    vault.on(RECORD, answering(200, b'{"responseStatus":"SUCCESS","data":[]}'))
    with pytest.raises(UnexpectedAnswer):
        await client.record("account__v", "V1")


async def test_a_compressed_answer_is_not_expanded(
    vault: FaultyVault, client: VaultClient
) -> None:
    bomb = gzip.compress(b" " * (100_000_000), mtime=0)
    vault.on(RECORD, answering(200, bomb, {"Content-Encoding": "gzip"}))
    tracemalloc.start()
    with pytest.raises(VaultUnavailable):
        await client.record("account__v", "V1")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10 * len(bomb)
    assert vault.requests[-1].headers["Accept-Encoding"] == "identity"


async def test_too_large_an_answer_is_not_read(
    vault: FaultyVault, client: VaultClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "MAX_ANSWER_BYTES", 100_000)

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * 65536)

    for handler in (endless, answering(200, b" " * 100_001)):
        vault.on(RECORD, handler)
        with pytest.raises(UnexpectedAnswer, match="too large"):
            await client.record("account__v", "V1")


@pytest.mark.parametrize(
    ("row", "rows", "bound"),
    [
        ("x" * 1024, 1000, "bytes"),
        ("x", 1000, "rows"),
        ("x", 1, "pages"),
        ("x", 0, "pages"),
    ],
)
async def test_a_query_without_an_end_is_left(
    vault: FaultyVault,
    client: VaultClient,
    monkeypatch: pytest.MonkeyPatch,
    row: str,
    rows: int,
    bound: str,
) -> None:
    monkeypatch.setattr(query_calls, "MAX_ANSWER_BYTES", 8 * 1024 * 1024)
    monkeypatch.setattr(query_calls, "MAX_ROWS_READ", 20_000)
    monkeypatch.setattr(query_calls, "MAX_PAGES", 30)

    async def page(_request: web.Request) -> web.StreamResponse:
        following = {"next_page": "/api/v25.1/query/next"}
        return success(data=[{"name__v": row}] * rows, responseDetails=following)

    vault.on("/api/v25.1/query", page)
    vault.on("/api/v25.1/query/next", page)
    with pytest.raises(UnexpectedAnswer, match=f"a query of more than .* {bound}"):
        await client.query("SELECT name__v FROM account__v")
    assert len(vault.calls) < 40


async def test_an_answer_of_too_many_values_is_not_decoded(
    vault: FaultyVault, client: VaultClient
) -> None:
    # As many values as make the decoding of one answer, which nothing interrupts, a long step.
    values = b"0," * results.MAX_ANSWER_COMMAS
    vault.on(RECORD, answering(200, b'{"data":[' + values + b"0,0]}"))
    with pytest.raises(UnexpectedAnswer, match="too many values"):
        await client.record("account__v", "V1")


@pytest.mark.parametrize("status", ["FAILURE", "EXCEPTION"])
async def test_an_error_of_the_api_is_handed_on(
    vault: FaultyVault, client: VaultClient, status: str
) -> None:
    body = f'{{"responseStatus":"{status}","errors":[{{"type":"INVALID_DATA","message":"Invalid id"}}]}}'
    vault.on(RECORD, answering(200, body.encode()))
    with pytest.raises(VaultRefused) as caught:
        await client.record("account__v", "V1")
    assert (caught.value.type, caught.value.message) == ("INVALID_DATA", "Invalid id")
    assert str(caught.value) == "INVALID_DATA: Invalid id"


@pytest.mark.parametrize("errors", ["null", "[]", '"x"', "[1]"])
async def test_a_failure_without_errors_is_an_error_all_the_same(
    vault: FaultyVault, client: VaultClient, errors: str
) -> None:
    vault.on(
        RECORD,
        answering(200, f'{{"responseStatus":"FAILURE","errors":{errors}}}'.encode()),
    )
    with pytest.raises(VaultRefused) as caught:
        await client.record("account__v", "V1")
    assert caught.value.type == "UNEXPECTED_ERROR"


async def test_no_more_requests_than_allowed_are_under_way(vault: FaultyVault) -> None:
    under_way, most = 0, 0
    four = asyncio.Event()

    async def count(_request: web.Request) -> web.StreamResponse:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == 3:
            four.set()
        await four.wait()
        under_way -= 1
        return success(data={})

    vault.on(RECORD, count)
    async with VaultClient(vault.url, "u", "right", concurrency=3) as client:
        await asyncio.gather(*(client.record("account__v", "V1") for _ in range(12)))
    assert most == 3


@pytest.mark.parametrize("url", ["ftp://vault", "vault.example.com", "", "http://"])
def test_only_addresses_of_the_web_are_accepted(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        VaultClient(url, "u", "p")


async def test_names_cannot_leave_their_place_in_the_path(
    vault: FaultyVault, client: VaultClient
) -> None:
    with pytest.raises(VaultRefused):
        await client.record("../account__v", "V1?x=/../#")
    assert vault.calls[-1] == (
        "GET",
        "/api/v25.1/vobjects/..%2Faccount__v/V1%3Fx%3D%2F..%2F%23",
    )
    sent = len(vault.calls)
    for name in ("", ".", ".."):
        with pytest.raises(VaultRefused):
            await client.record("account__v", name)
    assert len(vault.calls) == sent
