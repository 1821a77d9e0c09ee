"""Why a command reached no service: in words, with the address and what to check, whatever happened on the way."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientConnectorDNSError, ClientConnectorError
from aiohttp.client_reqrep import ConnectionKey

from local.tls import LocalTls
from medcrm.console_session import Account, ConsoleFault, signed_in
from medcrm.outages import outage_of
from medcrm.status import ready


def http(status: str, body: str, kind: str = "text/html") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\nLocation: http://else.example/\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def refusal(type: str, message: str) -> bytes:
    errors = [{"type": type, "message": message}]
    envelope = {"responseStatus": "FAILURE", "errors": errors}
    return http("200 OK", json.dumps(envelope), "application/json")


@asynccontextmanager
async def answering(
    answer: bytes, context: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serve the same bytes to every request; the port."""

    async def respond(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read(1)
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def message_at(url: str) -> str:
    """The message of a command that signs in at an address."""
    with pytest.raises(ConsoleFault) as caught:
        async with signed_in(Account(url, "user@vault.example", "secret")):
            pass
    return str(caught.value)


# Answers, and the texts in the message of each.
ANSWERS = [
    pytest.param(b"", "It ended the connection without an answer", id="nothing"),
    pytest.param(http("200 OK", "{"), "no service of this system", id="broken JSON"),
    pytest.param(http("404 Not Found", "?"), "(status 404). Check --url", id="404"),
    pytest.param(http("301 Moved", ""), "leads to another address", id="redirect"),
    pytest.param(http("503 Away", ""), "at the moment (status 503). Wait", id="503"),
    pytest.param(
        refusal("USERNAME_OR_PASSWORD_INCORRECT", "The password is wrong."),
        "The password is wrong. Check the user name, and the password in MEDCRM_PASSWORD."
        " (USERNAME_OR_PASSWORD_INCORRECT)",
        id="401",
    ),
    pytest.param(
        refusal("INSUFFICIENT_ACCESS", "You may not"),
        "You may not. Check the permissions of the user. (INSUFFICIENT_ACCESS)",
        id="403",
    ),
    pytest.param(
        refusal("MALFORMED_URL", "There is no such address"),
        "There is no such address. Check --url: it has to be the address of the service itself. (MALFORMED_URL)",
        id="404 of the API",
    ),
    pytest.param(
        refusal("USER_LOCKED_OUT", "Locked."), "Locked. (USER_LOCKED_OUT)", id="locked"
    ),
]


@pytest.mark.parametrize(("answer", "text"), ANSWERS)
async def test_what_answered_is_said_with_what_to_check(
    answer: bytes, text: str
) -> None:
    async with answering(answer) as port:
        url = f"http://127.0.0.1:{port}"
        message = await message_at(url)
    assert message.startswith(f"{url}: ") and text in message
    assert ".." not in message and "Error" not in message.replace("ERROR", "")


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://127.0.0.1:1", "Nothing listens at this port. Check --url"),
        ("medical", "--url: [medical] is none: an address starts with http"),
    ],
)
async def test_an_address_where_nothing_is(url: str, text: str) -> None:
    message = await message_at(url)
    assert url in message and text in message, message


async def test_tls_that_is_none_or_is_not_trusted(tmp_path: Path) -> None:
    async with answering(b"nothing of TLS") as port:
        assert "does not speak TLS" in await message_at(f"https://127.0.0.1:{port}")
    files = LocalTls(tmp_path / "tls")
    files.ensure()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    async with answering(b"", context) as port:
        message = await message_at(f"https://127.0.0.1:{port}")
    assert "certificate is not trusted" in message and "SSL_CERT_FILE" in message


async def test_status_says_the_same_of_a_service() -> None:
    part = await ready("http://127.0.0.1:1", "connector")
    assert part.state == "no answer"
    assert part.detail.startswith("Nothing listens at this port. Check the address")


PAGE = "<!DOCTYPE html><title>Not here</title>"
NOT_READY = [
    pytest.param(http("404 Not Found", PAGE), "(status 404)", id="a page"),
    pytest.param(http("503 Away", PAGE), "(status 503)", id="a proxy"),
    pytest.param(http("503 Away", "no broker"), "no broker", id="a reason"),
]


@pytest.mark.parametrize(("answer", "text"), NOT_READY)
async def test_status_shows_no_page_in_its_table(answer: bytes, text: str) -> None:
    async with answering(answer) as port:
        part = await ready(f"http://127.0.0.1:{port}", "Vault")
    assert part.state == "not ready" and part.wrong
    assert text in part.detail and "<" not in part.detail


@pytest.mark.parametrize("url", ["127.0.0.1:8081", "ftp://vault.example", ""])
async def test_status_says_that_an_address_is_none(url: str) -> None:
    part = await ready(url, "Vault")
    assert part.state == "no answer"
    assert part.detail.startswith("This is no address of a service")


KEY = ConnectionKey("nobody.example", 443, True, True, None, None, None)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(), "It gave no answer in time"),
        (ClientConnectorDNSError(KEY, OSError()), "No host of this name is known"),
        (
            ClientConnectorError(KEY, OSError(113, "No route")),
            "It cannot be reached (No route)",
        ),
        (ValueError("port"), "This is no address of a service"),
    ],
)
def test_what_the_client_raises(error: Exception, reason: str) -> None:
    outage = outage_of(error)
    assert outage.reason == reason
    assert "--url" in outage.text("--url")
