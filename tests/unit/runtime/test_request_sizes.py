"""A request that is too long is refused, one without end is cut off, and what is within the bounds is answered."""

from __future__ import annotations

import pytest

from local.tls import LocalTls
from tests.unit.runtime import bounded_process
from tests.unit.runtime.bounded_process import CHUNKED, GET, HEAD, served

files = bounded_process.files


def fields(count: int, length: int) -> bytes:
    """Header fields of ``length`` bytes each."""
    return b"".join(b"X-%d: %s\r\n" % (each, b"a" * length) for each in range(count))


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


LAST_CHUNKED = CHUNKED.replace(b"Host: x", b"Connection: close")
WITHIN = {
    "a long query": b"GET /ok?q="
    + b"a" * 30_000
    + b" HTTP/1.1\r\nConnection: close\r\n\r\n",
    "many fields": GET + b"Connection: close\r\n" + fields(90, 500) + b"\r\n",
    "small chunks": LAST_CHUNKED + b"1\r\nx\r\n" * 9_000 + b"0\r\nX-Behind: 1\r\n\r\n",
    "a chunk with an extension": LAST_CHUNKED
    + b"20\r\n"
    + b"x" * 32
    + b"\r\n0;why=because\r\n\r\n",
}


async def test_what_is_within_the_bounds_is_answered() -> None:
    async with served(head_bytes=65_536) as process:
        for name, request in WITHIN.items():
            connection = await process.connect()
            answer = await connection.pour(request, b"", 0)
            assert answer.startswith(b"HTTP/1.1 200"), name


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
