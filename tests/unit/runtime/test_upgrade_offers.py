"""A request that offers another protocol is answered by HTTP/1.1, with its body and later requests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.runtime.bounded_process import HEAD, Served, served

OFFERS = {
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n",
    "websocket": b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    "none": b"",
}
BODIES = {
    "length": (b"Content-Length: 5\r\n\r\nabcde", b"5"),
    "chunks": (
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
        b"7",
    ),
    "trailer": (
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Late: 1\r\n\r\n",
        b"3",
    ),
    "empty": (b"Content-Length: 0\r\n\r\n", b"0"),
    "absent": (b"\r\n", b"0"),
}
LAST = b"GET /ok HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
async def process() -> AsyncIterator[Served]:
    async with served() as process:
        yield process


def request(offer: str, body: str) -> bytes:
    return b"POST /length HTTP/1.1\r\n" + HEAD + OFFERS[offer] + BODIES[body][0]


async def answers(process: Served, sent: bytes, at_once: int) -> list[bytes]:
    """The bodies of all answers to what is sent, so many bytes at a time."""
    connection = await process.connect()
    for start in range(0, len(sent), at_once):
        await connection.send(sent[start : start + at_once])
    text = await connection.rest()
    return [answer.partition(b"\r\n\r\n")[2] for answer in text.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize("at_once", [1, 7, 65536])
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("offer", OFFERS)
async def test_an_offer_changes_nothing(
    process: Served, offer: str, body: str, at_once: int
) -> None:
    length = BODIES[body][1]
    sent = 2 * request(offer, body) + LAST
    assert await answers(process, sent, at_once) == [length, length, b'"ok"']


async def test_bodies_within_offers_have_their_bounds(process: Served) -> None:
    wasteful = b"1\r\na\r\n" * 20_000
    sent = (
        b"POST /length HTTP/1.1\r\n"
        + HEAD
        + OFFERS["h2c"]
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + wasteful
    )
    connection = await process.connect()
    await connection.send(sent)
    assert (await connection.rest()).startswith(b"HTTP/1.1 400")


# A coding that is not read, or lengths that differ: who is in front may see another end of the body.
CODINGS = [
    "gzip",
    "identity",
    "identity, chunked",
    "chunked, identity",
    "chunked, chunked",
    "x",
]
LENGTHS = {
    "two": b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
    "both": b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "signed": b"Content-Length: +3\r\n\r\nabc",
}
UNREAD = {
    **{each: f"Transfer-Encoding: {each}\r\n\r\n".encode() for each in CODINGS},
    **LENGTHS,
}


@pytest.mark.parametrize("framing", UNREAD)
@pytest.mark.parametrize("offer", OFFERS)
async def test_a_body_whose_end_is_not_clear_is_refused(
    process: Served, offer: str, framing: str
) -> None:
    head = b"POST /length HTTP/1.1\r\n" + HEAD + OFFERS[offer]
    connection = await process.connect()
    # At once: what would arrive after the refusal might undo it on the way.
    await connection.send(head + UNREAD[framing] + LAST)
    answered = await connection.rest()
    assert answered.count(b"HTTP/1.1 ") == 1
    assert answered.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501"))
