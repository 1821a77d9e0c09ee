"""Answers that clients do not read: their memory has a bound, and who reads gets the whole answer."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local.tls import LocalTls
from shared.runtime.unread_answers import LEAST_SECONDS, UnreadAnswers
from tests.unit.runtime.bounded_process import PATIENCE, Served, served

MOST = 1000


@dataclass
class Clock:
    now: float = 0

    def __call__(self) -> float:
        return self.now


@dataclass(eq=False)
class Client:
    """A client with so many bytes to read."""

    unread_bytes: int
    gone: bool = False

    def cut_off(self) -> None:
        self.gone = True


@dataclass
class Answers:
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.unread = UnreadAnswers(MOST, self.clock)

    def behind(self, unread: int) -> Client:
        client = Client(unread)
        self.unread.add(client)
        return client


def test_the_only_one_may_have_any_number() -> None:
    answers = Answers()
    first = answers.behind(5 * MOST)
    assert not first.gone
    second = answers.behind(1)
    assert (first.gone, second.gone) == (True, False)


def test_who_reads_stays_and_who_does_not_goes() -> None:
    answers = Answers()
    silent, reading = answers.behind(500), answers.behind(500)
    answers.clock.now += 10
    reading.unread_bytes -= 100
    late = answers.behind(500)
    assert (silent.gone, reading.gone, late.gone) == (True, False, False)


def test_the_rate_counts_and_not_what_is_left() -> None:
    answers = Answers()
    early, quick = answers.behind(500), Client(450)
    answers.clock.now += 100
    # 2 bytes a second, and soon 100.
    early.unread_bytes -= 200
    answers.unread.add(quick)
    answers.clock.now += 1
    quick.unread_bytes -= 100
    late = answers.behind(500)
    assert (early.gone, quick.gone, late.gone) == (True, False, False)


def test_of_those_who_came_just_now_the_first_goes() -> None:
    answers = Answers()
    clients = []
    for _ in range(5):
        clients.append(answers.behind(400))
        answers.clock.now += LEAST_SECONDS / 10
    assert [each.gone for each in clients] == [True, True, True, False, False]


def test_who_has_read_all_or_has_gone_is_not_counted() -> None:
    answers = Answers()
    for _ in range(10):
        client = answers.behind(900)
        answers.unread.remove(client)
        answers.unread.remove(client)
        assert not client.gone


WHOLE = b"GET /whole HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
LENGTH = 2**23


def begun(process: Served) -> socket.socket:
    """A connection to which an answer has begun, and of which nobody reads more."""
    connection = socket.create_connection(("127.0.0.1", process.port), PATIENCE)
    if process.trust is not None:
        connection = process.trust.wrap_socket(connection, server_hostname="localhost")
    connection.sendall(WHOLE)
    assert connection.recv(12) == b"HTTP/1.1 200"
    return connection


def rest(connection: socket.socket) -> int:
    """The number of bytes that come before the connection ends."""
    received = 0
    with connection, suppress(OSError):
        while part := connection.recv(65536):
            received += len(part)
    return received


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_what_nobody_reads_takes_no_more_memory_than_its_bound(
    secure: bool, tmp_path: Path
) -> None:
    tls = LocalTls(tmp_path / "tls")
    tls.ensure()
    async with served(tls if secure else None, unread_bytes=3 * LENGTH) as process:
        before = process.memory
        silent = [await asyncio.to_thread(begun, process) for _ in range(20)]
        # Who reads gets everything, however many do not.
        reading = await process.connect()
        await reading.send(WHOLE)
        head, _, body = (await reading.rest()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert len(body) == LENGTH
        # The bound, one in making, and what a process keeps of freed memory.
        assert process.memory - before < 12 * LENGTH
        lengths = [await asyncio.to_thread(rest, each) for each in silent]
        whole = [length for length in lengths if length > LENGTH]
        # The network itself takes some megabytes of each.
        assert len(whole) <= 10
