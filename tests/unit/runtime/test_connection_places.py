"""Connections have a bound, in all and of an address; in a crowd, those that wait make room for newcomers."""

from __future__ import annotations

import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from local.tls import LocalTls
from shared.runtime.connection_bounds import ConnectionBounds, ConnectionCount
from tests.unit.runtime import bounded_process
from tests.unit.runtime.bounded_process import (
    CHUNKED,
    CROWD,
    ENDURING,
    GET,
    NEWCOMER,
    SHARED,
    served,
)

files = bounded_process.files


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


async def test_a_connection_counts_once_after_its_handshake(files: LocalTls) -> None:
    async with served(files, connections=5, address_connections=3) as process:
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


async def test_a_trusted_proxy_has_all_connections() -> None:
    bounds: dict[str, Any] = {"connections": 5, "address_connections": 3}
    async with served(**bounds, trusted_proxies=["127.0.0.0/8"]) as process:
        entered = [await process.connect() for _ in range(5)]
        refused = await process.connect()
        assert (await refused.rest()).startswith(b"HTTP/1.1 503")
        for each in entered:
            each.writer.close()


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


@dataclass(eq=False)
class Place:
    """A connection that is only counted."""

    awaits_request: bool = False
    awaits_body: bool = False
    displaced: bool = False

    def displace(self) -> None:
        self.displaced = True


@pytest.mark.parametrize(
    ("state", "displaced"),
    [
        ({"awaits_request": True}, True),
        ({"awaits_body": True}, True),
        # A request that is being answered.
        ({}, False),
    ],
    ids=["request", "body", "answer"],
)
def test_by_default_four_addresses_leave_places_for_others(
    state: dict[str, bool], displaced: bool
) -> None:
    count = ConnectionCount(ConnectionBounds())
    crowd = [Place(**state) for _ in range(4 * 200)]
    for number, place in enumerate(crowd):
        count.enter(place, CROWD[number // 200])
    for number in range(100):
        assert count.enter(Place(), f"127.0.8.{number}") is None
    assert any(place.displaced for place in crowd) is displaced


def test_what_has_begun_is_displaced_after_what_has_not() -> None:
    count = ConnectionCount(ConnectionBounds(connections=4, address_connections=4))
    body, request = Place(awaits_body=True), Place(awaits_request=True)
    for place in (body, Place(), request):
        assert count.enter(place, CROWD[0]) is None
    assert count.enter(Place(), NEWCOMER) is None
    assert (body.displaced, request.displaced) == (False, True)
