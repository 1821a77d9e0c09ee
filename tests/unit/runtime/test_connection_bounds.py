"""A process closes connections that exceed their bounds, and continues to answer others."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.state import free_port
from local.tls import LocalTls
from shared.runtime.connection_bounds import ConnectionBounds, ConnectionCount

PROGRAM = """
import asyncio, json, sys
from ipaddress import ip_network
from pathlib import Path
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from shared.runtime.connection_bounds import ConnectionBounds
from shared.runtime.process import TlsListener, serve
from shared.runtime.metrics_route import metrics_router
from shared.runtime.telemetry import metrics

options = json.loads(sys.argv[1])
networks = tuple(map(ip_network, options["bounds"].pop("trusted_proxies", ())))
app = FastAPI()
app.include_router(metrics_router(metrics))
never = asyncio.Event()
released = asyncio.Event()
went = asyncio.Event()

@app.get("/ok")
async def ok():
    return "ok"

@app.post("/length")
async def length(request: Request):
    size = 0
    async for part in request.stream():
        size += len(part)
    return size

@app.post("/early")
async def early():
    return "answered"

@app.get("/large")
async def large():
    async def parts():
        try:
            while True:
                yield bytes(65536)
                # An endless one that never waits could not be told that its client has gone.
                await asyncio.sleep(0)
        finally:
            went.set()
    return StreamingResponse(parts())

@app.get("/whole")
async def whole():
    # Touched, so that it is in memory.
    return Response(b"x" * 2**23)

@app.get("/went")
async def wait_until_large_went():
    await went.wait()
    return "went"

@app.get("/never")
async def wait_for_ever():
    await never.wait()

@app.get("/released")
async def wait_until_released():
    await released.wait()
    return "released"

@app.get("/release")
async def release():
    released.set()

tls = options["tls"]
listener = TlsListener(tls[0], Path(tls[1]), Path(tls[2])) if tls else None
bounds = ConnectionBounds(**options["bounds"], trusted_proxies=networks)
serve(app, "127.0.0.1", options["port"], bounds=bounds, tls=listener, grace=2)
"""

HEAD = b"Host: x\r\n"
# Longer than anything here takes; what does not close is found out by it.
PATIENCE = 60.0


@dataclass
class Served:
    port: int
    child: asyncio.subprocess.Process
    trust: ssl.SSLContext | None = None

    async def connect(self, address: str = "127.0.0.1") -> Connection:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1",
            self.port,
            local_addr=(address, 0),
            ssl=self.trust,
            server_hostname="localhost" if self.trust else None,
        )
        return Connection(reader, writer)

    async def begin(self, address: str = "127.0.0.1") -> Connection:
        """Open a connection, without the handshake where one is due."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, local_addr=(address, 0)
        )
        return Connection(reader, writer)

    async def answers(self, address: str = "127.0.0.1") -> bool:
        connection = await self.connect(address)
        await connection.send(
            b"GET /ok HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        return (await connection.rest()).startswith(b"HTTP/1.1 200")

    @property
    def memory(self) -> int:
        """Bytes of memory that the process occupies."""
        pages = Path(f"/proc/{self.child.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


@dataclass
class Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def rest(self) -> bytes:
        """All that the server sends until it closes the connection."""
        received = b""
        async with asyncio.timeout(PATIENCE):
            with suppress(ConnectionError):
                while part := await self.reader.read(65536):
                    received += part
        self.writer.close()
        return received

    async def pour(self, begin: bytes, part: bytes, most: int) -> bytes:
        """Send ``part`` up to ``most`` bytes, unless the server closes before; return what the server sends."""
        answer = asyncio.create_task(self.rest())
        sent = 0
        with suppress(ConnectionError):
            await self.send(begin)
            while sent < most and not answer.done():
                await self.send(part)
                sent += len(part)
                await asyncio.sleep(0)
        return await answer


@asynccontextmanager
async def served(tls: LocalTls | None = None, **bounds: Any) -> AsyncIterator[Served]:
    """A process with the bounds of the tests where none are passed."""
    port, tls_port = free_port(), free_port()
    files = [tls_port, str(tls.certificate), str(tls.key)] if tls else None
    options = {"port": port, "bounds": bounds, "tls": files}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        json.dumps(options),
        stderr=asyncio.subprocess.DEVNULL,
    )
    trust = ssl.create_default_context(cafile=tls.ca_file) if tls else None
    try:
        process = Served(tls_port if tls else port, child, trust)
        async with asyncio.timeout(PATIENCE):
            while True:
                with suppress(OSError):
                    assert await process.answers()
                    break
                await asyncio.sleep(0.02)
        yield process
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()


def fields(count: int, length: int) -> bytes:
    """Header fields of ``length`` bytes each."""
    return b"".join(b"X-%d: %s\r\n" % (each, b"a" * length) for each in range(count))


GET = b"GET /ok HTTP/1.1\r\n" + HEAD
CHUNKED = b"POST /length HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

TOO_MUCH = {
    "a long url": (414, b"GET /" + b"a" * 4000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n"),
    "a long query": (
        414,
        b"GET /?q=" + b"a" * 4000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n",
    ),
    "a long field": (431, GET + fields(1, 8192) + b"\r\n"),
    "long fields": (431, GET + fields(9, 1024) + b"\r\n"),
    "many fields": (431, GET + fields(101, 1) + b"\r\n"),
    "a field without end": (431, GET + b"X: " + b"a" * 300_000),
    "a name without end": (431, GET + b"a" * 300_000),
    "many fields behind a body": (
        431,
        CHUNKED + b"0\r\n" + fields(101, 1) + b"\r\n",
    ),
    "small chunks": (400, CHUNKED + b"1\r\nx\r\n" * 11_000),
    "two hosts": (400, GET + b"HOST: y\r\n\r\n"),
    "no http": (400, b"\x16\x03\x01\x02\x00\r\n\r\n"),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> LocalTls:
    made = LocalTls(tmp_path_factory.mktemp("tls") / "tls")
    made.ensure()
    return made


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
async def test_too_much_is_refused_and_the_connection_closed(
    files: LocalTls, secure: bool
) -> None:
    async with served(files if secure else None, head_bytes=8192 - 1024) as process:
        for name, (status, request) in TOO_MUCH.items():
            connection = await process.connect()
            answer = await connection.pour(request, b"", 0)
            # A client that is still sending may lose the answer with its connection.
            if answer or len(request) < 64_000:
                assert answer.startswith(b"HTTP/1.1 %d " % status), name
                assert b"connection: close" in answer, name
        assert await process.answers()


async def test_what_is_within_the_bounds_is_answered() -> None:
    async with served(head_bytes=65_536) as process:
        for request in (
            b"GET /ok?q=" + b"a" * 30_000 + b" HTTP/1.1\r\nConnection: close\r\n\r\n",
            GET + b"Connection: close\r\n" + fields(90, 500) + b"\r\n",
            CHUNKED.replace(b"Host: x", b"Connection: close")
            + b"1\r\nx\r\n" * 9_000
            + b"0\r\nX-Behind: 1\r\n\r\n",
            CHUNKED.replace(b"Host: x", b"Connection: close")
            + b"20\r\n"
            + b"x" * 32
            + b"\r\n"
            + b"0;why=because\r\n\r\n",
        ):
            connection = await process.connect()
            assert (await connection.pour(request, b"", 0)).startswith(b"HTTP/1.1 200")


ENDLESS = {
    "header field": (GET + b"X: ", b"a" * 65_536),
    "header fields": (GET, fields(60, 1024)),
    "url": (b"GET /", b"a" * 65_536),
    "lines before a request": (b"", b"\r\n" * 32_768),
    "chunk extension": (CHUNKED + b"1;a=", b"a" * 65_536),
    "field behind a body": (CHUNKED + b"0\r\nX: ", b"a" * 65_536),
    "fields behind a body": (CHUNKED + b"0\r\n", fields(60, 1024)),
    "chunks of a byte": (CHUNKED, b"1\r\nx\r\n" * 10_000),
    "requests without reading the answers": (b"", (GET + b"\r\n") * 2_000),
}


async def test_what_has_no_end_is_closed_and_leaves_no_memory() -> None:
    async with served() as process:
        for name, (begin, part) in ENDLESS.items():
            before = process.memory
            connection = await process.connect()
            await connection.pour(begin, part, 200 * 2**20)
            assert process.memory - before < 16 * 2**20, name
        assert await process.answers()


QUICK: dict[str, Any] = {
    "head_seconds": 0.3,
    "stall_seconds": 0.3,
    "bytes_per_second": 10_000,
}
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
    async with served(**QUICK) as process:
        connection = await process.connect()
        answer = await connection.pour(GET + b"X: ", b"a", 60_000)
        assert not answer or answer.startswith(b"HTTP/1.1 408")


async def test_a_slow_answer_and_a_pause_between_requests_are_no_faults() -> None:
    async with served(**QUICK) as process:
        waiting = await process.connect()
        await waiting.send(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n")
        resting = await process.connect()
        await resting.send(GET + b"\r\n")
        assert (await resting.reader.readuntil(b'"ok"')).startswith(b"HTTP/1.1 200")
        # Closed later than the others would be.
        silent = await process.connect()
        await silent.send(GET)
        assert (await silent.rest()).startswith(b"HTTP/1.1 408")
        assert not waiting.reader.at_eof()
        await resting.send(GET + b"Connection: close\r\n\r\n")
        assert (await resting.rest()).startswith(b"HTTP/1.1 200")
        waiting.writer.close()


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
        reading.writer.close()


async def test_connections_are_as_many_as_their_bounds_say() -> None:
    async with served(connections=5, address_connections=3) as process:
        entered = [await process.connect() for _ in range(3)]
        refused = await process.connect()
        assert (await refused.rest()).startswith(b"HTTP/1.1 429")
        for each in entered:
            await each.send(GET + b"Connection: close\r\n\r\n")
            assert (await each.rest()).startswith(b"HTTP/1.1 200")
        # Those that have left make room.
        assert await process.answers()


async def test_handshakes_are_counted_as_connections(files: LocalTls) -> None:
    async with served(files, connections=5, address_connections=3) as process:
        silent = [await process.begin() for _ in range(3)]
        assert await (await process.begin()).rest() == b""
        with pytest.raises((ConnectionError, ssl.SSLError)):
            await process.connect()
        assert await process.answers(NEWCOMER)
        for each in silent:
            each.writer.close()
        # A handshake that is over is a connection, and no more than one.
        entered = [await process.connect(NEWCOMER) for _ in range(3)]
        assert await (await process.begin(NEWCOMER)).rest() == b""
        for each in entered:
            await each.send(GET + b"Connection: close\r\n\r\n")
            assert (await each.rest()).startswith(b"HTTP/1.1 200")


async def test_handshakes_that_never_come_make_room(files: LocalTls) -> None:
    async with served(files, **SHARED, **ENDURING, handshake_seconds=600) as process:
        for _ in range(3):
            crowd = [await process.begin(address) for address in CROWD * 4]
            assert await process.answers(NEWCOMER)
            for each in crowd:
                each.writer.close()


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


async def test_a_trusted_proxy_has_all_connections() -> None:
    bounds: dict[str, Any] = {"connections": 5, "address_connections": 3}
    async with served(**bounds, trusted_proxies=["127.0.0.0/8"]) as process:
        entered = [await process.connect() for _ in range(5)]
        refused = await process.connect()
        assert (await refused.rest()).startswith(b"HTTP/1.1 503")
        for each in entered:
            each.writer.close()


# Each address may have a quarter of all places.
SHARED: dict[str, Any] = {"connections": 16, "address_connections": 4}
# Longer than the patience of the tests: it is not time that makes room.
ENDURING: dict[str, Any] = {"head_seconds": 600, "stall_seconds": 600}
CROWD = ["127.0.7.1", "127.0.7.2", "127.0.7.3", "127.0.7.4"]
NEWCOMER = "127.0.7.5"

# What is sent, and whether it is answered before the connection is left as it is.
HOLDING = {
    "nothing at all": (b"", False),
    "half a line": (b"GET /o", False),
    "half a head": (GET, False),
    "half a body": (CHUNKED + b"5\r\n", False),
    "a body that is not sent": (
        b"POST /length HTTP/1.1\r\nContent-Length: 10\r\n\r\n",
        False,
    ),
    "the rest of a request that has been answered": (
        b"POST /early HTTP/1.1\r\nContent-Length: 1000\r\n\r\nabc",
        True,
    ),
    "a pause between requests": (GET + b"\r\n", True),
    "half a head after a request": (GET + b"\r\n" + GET, True),
    "a request that is being answered": (b"GET /released HTTP/1.1\r\n\r\n", False),
}


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("name", HOLDING)
async def test_a_few_addresses_never_shut_out_others(
    files: LocalTls, name: str, secure: bool
) -> None:
    begin, answered = HOLDING[name]
    async with served(files if secure else None, **SHARED, **ENDURING) as process:
        opened = []
        for _ in range(3):
            for address in CROWD * SHARED["address_connections"]:
                # One that is refused at once has not taken a place.
                with suppress(ConnectionError):
                    connection = await process.connect(address)
                    opened.append(connection)
                    await connection.send(begin)
                    if answered:
                        await connection.reader.read(1)
            assert await process.answers(NEWCOMER)
        for each in opened:
            each.writer.close()


async def test_requests_that_are_being_answered_keep_their_connections() -> None:
    async with served(**SHARED, **ENDURING) as process:
        waiting = [await process.connect(CROWD[0]) for _ in range(3)]
        for each in waiting:
            await each.send(b"GET /released HTTP/1.1\r\nConnection: close\r\n\r\n")
        silent = [await process.connect(address) for address in CROWD * 4]
        for _ in silent:
            assert await process.answers(NEWCOMER)
        releasing = await process.connect(NEWCOMER)
        await releasing.send(b"GET /release HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert (await releasing.rest()).startswith(b"HTTP/1.1 200")
        for each in waiting:
            assert (await each.rest()).endswith(b'"released"')
        for each in silent:
            each.writer.close()


async def test_a_request_that_makes_room_is_refused() -> None:
    async with served(**SHARED, **ENDURING) as process:
        connections = [await process.connect(each) for each in CROWD[:3] * 4]
        for each in connections:
            await each.send(GET)
        assert await process.answers(NEWCOMER)
        # The oldest of those that have the most.
        assert (await connections[0].rest()).startswith(b"HTTP/1.1 503")
        for each in connections[1:]:
            each.writer.close()


async def test_in_a_crowd_a_first_byte_is_not_waited_for_long() -> None:
    async with served(**SHARED, **ENDURING, first_byte_seconds=0.05) as process:
        crowd = [await process.connect(each) for each in CROWD[:3] * 4]
        for each in crowd[1:]:
            await each.send(b"POST /length HTTP/1.1\r\nContent-Length: 10\r\n\r\n")
        assert await crowd[0].rest() == b""
        for each in crowd[1:]:
            each.writer.close()


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


@dataclass(eq=False)
class Place:
    """A connection that is only counted."""

    awaits_request: bool = False
    awaits_body: bool = False
    displaced: bool = False

    def displace(self) -> None:
        self.displaced = True


@pytest.mark.parametrize(
    "state", [(True, False), (False, True), (False, False)], ids=str
)
def test_by_default_four_addresses_leave_places_for_others(
    state: tuple[bool, bool],
) -> None:
    count = ConnectionCount(ConnectionBounds())
    crowd = [Place(*state) for _ in range(4 * 200)]
    for number, place in enumerate(crowd):
        count.enter(place, CROWD[number // 200])
    for number in range(100):
        assert count.enter(Place(), f"127.0.8.{number}") is None
    answered = not any(state)
    assert answered or any(place.displaced for place in crowd)
    assert not (answered and any(place.displaced for place in crowd))


def test_what_has_begun_is_displaced_after_what_has_not() -> None:
    count = ConnectionCount(ConnectionBounds(connections=4, address_connections=4))
    body, request = Place(awaits_body=True), Place(awaits_request=True)
    for place in (body, Place(), request):
        assert count.enter(place, CROWD[0]) is None
    assert count.enter(Place(), NEWCOMER) is None
    assert (body.displaced, request.displaced) == (False, True)
