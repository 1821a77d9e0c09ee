"""A client that is late is not waited for; an answer that takes long is no fault."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from local.tls import LocalTls
from tests.unit.runtime import bounded_process
from tests.unit.runtime.bounded_process import CHUNKED, GET, QUICK, Served, served

files = bounded_process.files

LATE = {
    "nothing at all": (b"", b""),
    "half a line": (b"GET /o", b"HTTP/1.1 408"),
    "half a head": (GET, b"HTTP/1.1 408"),
    "a body that does not come": (
        b"POST /length HTTP/1.1\r\nContent-Length: 10\r\n\r\n",
        b"HTTP/1.1 408",
    ),
    "a body that stops": (
        b"POST /length HTTP/1.1\r\nContent-Length: 1000\r\n\r\nabc",
        b"HTTP/1.1 408",
    ),
    "a chunk that does not come": (CHUNKED + b"5\r\n", b"HTTP/1.1 408"),
    "the rest of a request that has been answered": (
        b"POST /early HTTP/1.1\r\nContent-Length: 1000\r\n\r\nabc",
        b"HTTP/1.1 200",
    ),
    "half a head after a request": (GET + b"\r\n" + GET, b"HTTP/1.1 200"),
}


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
async def test_what_does_not_come_in_time_is_not_waited_for(
    files: LocalTls, secure: bool
) -> None:
    async with served(files if secure else None, **QUICK) as process:
        connections = []
        for begin, _ in LATE.values():
            # Each begins at once: the first would be late when all others had connected.
            connections.append(await process.connect())
            await connections[-1].send(begin)
        answers = await asyncio.gather(*(each.rest() for each in connections))
        for answer, (name, (_, expected)) in zip(answers, LATE.items(), strict=True):
            assert answer.startswith(expected), name
            assert bool(answer) == bool(expected), name
        assert await process.answers()


async def test_a_head_that_trickles_is_not_waited_for() -> None:
    # More than a client can send byte by byte within the time of a head.
    bound = 2**20
    async with served(**QUICK, head_bytes=bound) as process:
        connection = await process.connect()
        answer = asyncio.create_task(connection.rest())
        sent = 0
        with suppress(ConnectionError):
            await connection.send(GET + b"X: ")
            while not answer.done():
                await connection.send(b"a")
                sent += 1
                await asyncio.sleep(0)
        # A client that is still sending may lose the answer with its connection.
        assert (await answer)[:12] in (b"HTTP/1.1 408", b"")
        assert sent < bound


async def late(process: Served) -> None:
    """Wait until the server gives up a head that does not come, and with it all that began before and is late."""
    silent = await process.connect()
    await silent.send(GET)
    assert (await silent.rest()).startswith(b"HTTP/1.1 408")


async def test_an_answer_may_take_long() -> None:
    async with served(**QUICK) as process:
        waiting = await process.connect()
        await waiting.send(b"GET /released HTTP/1.1\r\nConnection: close\r\n\r\n")
        await late(process)
        releasing = await process.connect()
        await releasing.send(b"GET /release HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert (await releasing.rest()).startswith(b"HTTP/1.1 200")
        assert (await waiting.rest()).endswith(b'"released"')


async def test_a_pause_between_requests_may_take_long() -> None:
    async with served(**QUICK) as process:
        resting = await process.connect()
        await resting.send(GET + b"\r\n")
        assert (await resting.reader.readuntil(b'"ok"')).startswith(b"HTTP/1.1 200")
        await late(process)
        await resting.send(GET + b"Connection: close\r\n\r\n")
        assert (await resting.rest()).startswith(b"HTTP/1.1 200")


async def test_an_answer_that_nobody_reads_is_given_up() -> None:
    async with served(**QUICK) as process:
        deaf = await process.connect()
        await deaf.send(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        other = await process.connect()
        # Answered when the answer to the first has come to its end.
        await other.send(b"GET /went HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert (await other.rest()).startswith(b"HTTP/1.1 200")
        deaf.writer.close()


async def test_an_answer_that_is_read_goes_on() -> None:
    async with served(**QUICK) as process:
        reading = await process.connect()
        await reading.send(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        silent = await process.connect()
        closed = asyncio.create_task(silent.rest())
        while not closed.done():
            assert await reading.reader.read(65536)
        assert await closed == b""
        reading.writer.close()


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"])
async def test_a_handshake_that_takes_too_long_is_given_up(
    files: LocalTls, sent: bytes
) -> None:
    async with served(files, handshake_seconds=0.2, connections=1) as process:
        slow = await process.begin()
        await slow.send(sent)
        # An alert of TLS at most.
        assert len(await slow.rest()) < 16
        assert await process.answers()


async def test_without_a_crowd_a_first_byte_may_come_later() -> None:
    bounds = {**QUICK, "head_seconds": 600, "first_byte_seconds": 0.05}
    async with served(**bounds) as process:
        silent = await process.connect()
        slow = await process.connect()
        await slow.send(CHUNKED + b"5\r\n")
        # Closed later than the other would be.
        assert (await slow.rest()).startswith(b"HTTP/1.1 408")
        await silent.send(GET + b"Connection: close\r\n\r\n")
        assert (await silent.rest()).startswith(b"HTTP/1.1 200")
