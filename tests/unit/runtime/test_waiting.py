"""Waiting: pauses grow within bounds, unnamed faults are raised, only changes are logged."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.retry_policies import PEER_AWAY
from shared.runtime.waiting import state_log, wait_for
from tests.captured_logs import own_logs


class PeerAway(Exception):
    pass


class Peer:
    """Fails a set number of times, then answers."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0
        self.called = asyncio.Event()

    async def ask(self) -> int:
        self.calls += 1
        self.called.set()
        if self.calls <= self.failures:
            raise PeerAway(f"away {self.calls}\nsecond line")
        return self.calls


SHORT = replace(PEER_AWAY, first_pause=0.001, longest_pause=0.001)


@given(
    first=st.floats(0.001, 10),
    factor=st.floats(1, 10),
    longest=st.floats(0.001, 100),
    spread=st.floats(0, 0.5),
)
def test_pauses_stay_within_their_bounds(
    first: float, factor: float, longest: float, spread: float
) -> None:
    policy = replace(
        PEER_AWAY,
        first_pause=first,
        longest_pause=longest,
        factor=factor,
        spread=spread,
    )
    pauses = list(islice(policy.pauses(), 20))
    shortest = min(first, longest) * (1 - spread)
    assert all(0 < pause <= longest for pause in pauses)
    assert all(pause >= shortest * 0.999 for pause in pauses)


def test_pauses_grow_to_the_longest() -> None:
    policy = replace(PEER_AWAY, first_pause=0.5, longest_pause=3, spread=0)
    assert list(islice(policy.pauses(), 5)) == [0.5, 1, 2, 3, 3]
    assert [policy.pause_before(attempt) for attempt in range(2, 7)] == [
        0.5,
        1,
        2,
        3,
        3,
    ]


async def test_it_returns_the_first_answer_and_logs_both_changes_once() -> None:
    peer = Peer(failures=4)
    with own_logs() as lines:
        answer = await wait_for("peer one", peer.ask, retry_on=PeerAway, policy=SHORT)
    assert answer == 5
    assert [(line["log_level"], line["event"]) for line in lines] == [
        ("warning", "unavailable"),
        ("info", "available again"),
    ]
    assert lines[0]["reason"] == "away 1"
    assert lines[1]["failures"] == 4


async def test_many_waiting_for_one_peer_log_one_line_a_change() -> None:
    back = asyncio.Event()
    asked = asyncio.Semaphore(0)

    async def ask() -> None:
        asked.release()
        if not back.is_set():
            raise PeerAway

    with own_logs() as lines:
        async with asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(
                    wait_for("peer two", ask, retry_on=PeerAway, policy=SHORT)
                )
            for _ in range(30):
                await asked.acquire()
            back.set()
    assert [line["event"] for line in lines] == ["unavailable", "available again"]
    assert not state_log.is_down("peer two")


async def test_a_peer_that_answers_at_once_is_not_worth_a_line() -> None:
    with own_logs() as lines:
        assert await wait_for("peer three", Peer(0).ask, retry_on=PeerAway) == 1
    assert lines == []


async def test_other_faults_go_through() -> None:
    async def ask() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await wait_for("peer four", ask, retry_on=PeerAway)


async def test_it_gives_up_with_the_last_error() -> None:
    peer = Peer(failures=1000)
    with pytest.raises(PeerAway):
        await wait_for(
            "peer five", peer.ask, retry_on=PeerAway, policy=SHORT, give_up_after=0.5
        )
    assert peer.calls > 1


async def test_cancelling_ends_the_wait() -> None:
    peer = Peer(failures=1000)
    task = asyncio.create_task(
        wait_for(
            "peer six",
            peer.ask,
            retry_on=PeerAway,
            policy=replace(PEER_AWAY, first_pause=60),
        )
    )
    await peer.called.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
