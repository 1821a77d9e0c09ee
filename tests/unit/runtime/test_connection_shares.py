"""Which of several workers accepts a new connection, and how long one that is ahead leaves it to the others."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from shared.runtime.acceptor import Acceptor
from shared.runtime.connection_shares import (
    IN_VAIN_SECONDS,
    PAUSE,
    PAUSES,
    ConnectionShare,
    SharedCounts,
)


@pytest.fixture
def counts() -> Iterator[SharedCounts]:
    with SharedCounts.made(3) as made:
        yield made


@pytest.mark.parametrize(
    ("own", "others", "ahead"),
    [
        (0, (), False),
        (5, (), False),
        (5, (5,), False),
        (5, (6, 5), False),
        (5, (4,), True),
        (1, (7, 0), True),
    ],
)
def test_who_is_ahead(
    counts: SharedCounts, own: int, others: tuple[int, ...], *, ahead: bool
) -> None:
    share = ConnectionShare(counts, 0)
    share.note(own)
    for worker, connections in enumerate(others, start=1):
        ConnectionShare(counts, worker).note(connections)
    assert share.is_ahead is ahead


def test_a_worker_that_has_ended_is_no_longer_behind(counts: SharedCounts) -> None:
    share = ConnectionShare(counts, 0)
    share.note(3)
    ConnectionShare(counts, 2).note(0)
    assert share.is_ahead
    counts.forget(2)
    assert not share.is_ahead


class Clock:
    """A loop's time that only pauses move."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.pauses = 0
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "time", lambda: self.now)
        monkeypatch.setattr("asyncio.sleep", self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses += 1


def test_a_connection_that_nobody_else_takes_waits_a_moment_only(
    counts: SharedCounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In a loop of its own: whoever else sleeps in the loop of the tests would spin on this clock.
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(takes_turns(counts, monkeypatch))
    finally:
        loop.close()


async def takes_turns(counts: SharedCounts, monkeypatch: pytest.MonkeyPatch) -> None:
    share, other = ConnectionShare(counts, 0), ConnectionShare(counts, 1)
    share.note(1)
    other.note(0)
    clock = Clock(monkeypatch)
    await share.turn()
    assert clock.pauses == PAUSES
    # The next ones do not wait again for a worker that is so busy.
    await share.turn()
    assert clock.pauses == PAUSES
    clock.now += IN_VAIN_SECONDS
    await share.turn()
    assert clock.pauses == 2 * PAUSES
    clock.now += IN_VAIN_SECONDS
    other.note(1)
    await share.turn()
    assert clock.pauses == 2 * PAUSES
    assert PAUSE * PAUSES < IN_VAIN_SECONDS


EVEN = 8


class Worker:
    """Accepts connections on a shared socket, and counts them."""

    def __init__(
        self, counts: SharedCounts, number: int, all_accepted: asyncio.Barrier
    ) -> None:
        self.share = ConnectionShare(counts, number)
        self.share.note(0)
        self.accepted: list[socket.socket] = []
        self.all_accepted = all_accepted

    async def begin(self, connection: socket.socket, _address: str) -> None:
        self.accepted.append(connection)
        self.share.note(len(self.accepted))
        if len(self.accepted) == EVEN:
            await self.all_accepted.wait()

    @asynccontextmanager
    async def accepting(self, listener: socket.socket) -> AsyncIterator[None]:
        acceptor = Acceptor(listener.dup(), self.begin, self.share)
        try:
            yield
        finally:
            acceptor.close()
            await acceptor.wait_closed()
            for each in self.accepted:
                each.close()


async def test_connections_that_come_at_once_are_shared_evenly(
    counts: SharedCounts,
) -> None:
    both_have_half = asyncio.Barrier(3)
    workers = [Worker(counts, number, both_have_half) for number in range(2)]
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        listener.setblocking(False)
        address = listener.getsockname()
        clients = [socket.create_connection(address) for _ in range(2 * EVEN)]
        async with AsyncExitStack() as stack, asyncio.timeout(60):
            for each in workers:
                await stack.enter_async_context(each.accepting(listener))
            await both_have_half.wait()
            assert [len(each.accepted) for each in workers] == [EVEN, EVEN]
        for client in clients:
            client.close()


async def test_a_connection_that_cannot_be_served_does_not_end_accepting() -> None:
    served = asyncio.Event()

    async def begin(connection: socket.socket, _address: str) -> None:
        if not refused:
            refused.append(connection)
            raise RuntimeError("no protocol")
        connection.close()
        served.set()

    refused: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        acceptor = Acceptor(listener.dup(), begin)
        clients = [socket.create_connection(listener.getsockname()) for _ in range(2)]
        async with asyncio.timeout(60):
            await served.wait()
        acceptor.close()
        await acceptor.wait_closed()
        for client in clients:
            client.close()
    assert refused[0].fileno() == -1
