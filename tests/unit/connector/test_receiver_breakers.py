"""Receivers that hang: which messages are posted to one, by a clock that only the test moves."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from services.connector.delivery.receiver_allowance import (
    ALLOWANCE_SECONDS,
    FREE_SECONDS,
    REGAINED_A_SECOND,
)
from services.connector.delivery.receiver_breakers import (
    SLOW_SECONDS,
    Breaker,
    Breakers,
    Unreachable,
)
from shared.runtime.retry_policies import DELIVERY, HANGING_RECEIVER
from tests.unit.connector.messages import logged

LIMIT = 30.0
FIRST = HANGING_RECEIVER.first_pause
# Pauses vary at random.
LONGEST_FIRST = FIRST * (1 + HANGING_RECEIVER.spread)
SHORTEST_FIRST = FIRST * (1 - HANGING_RECEIVER.spread)


@dataclass
class Receiver:
    """Answers after a time with a status; without one it is out of reach."""

    limit: float = LIMIT
    now: float = 0
    posted: int = 0
    breaker: Breaker = field(init=False)

    def __post_init__(self) -> None:
        self.breaker = Breakers(self.limit, lambda: self.now).of(1, "partner__c")

    async def post(self, status: int | None, seconds: float) -> bool:
        """Whether a message was posted, to which the receiver answers so."""
        before = self.posted

        async def answer() -> int:
            self.posted += 1
            self.now += seconds
            if status is None:
                raise Unreachable("away")
            return status

        # By either of the two, which the count tells apart.
        with suppress(Unreachable):
            await self.breaker.post(answer)
        return self.posted > before

    async def hang(self) -> None:
        assert await self.post(None, LIMIT)


# What became of a message: status (None: nothing came), after which seconds → whether the next one is posted at once.
OUTCOMES = {
    "taken": (200, 0.1, True),
    "taken slowly": (200, LIMIT - 1, True),
    "refused at once": (500, 0.1, True),
    "redirected at once": (302, 0.1, True),
    "out of reach at once": (None, 0.1, True),
    "refused slowly": (500, SLOW_SECONDS, False),
    "closed slowly": (None, SLOW_SECONDS, False),
    "not answered": (None, LIMIT, False),
}


@pytest.mark.parametrize(
    ("status", "seconds", "next_one"), OUTCOMES.values(), ids=OUTCOMES
)
async def test_only_what_fails_slowly_keeps_others_back(
    status: int | None, seconds: float, next_one: bool
) -> None:
    receiver = Receiver()
    assert await receiver.post(status, seconds)
    assert await receiver.post(200, 0) == next_one


@pytest.mark.parametrize(
    ("status", "seconds", "next_one"), OUTCOMES.values(), ids=OUTCOMES
)
async def test_a_trial_decides_whether_others_follow(
    status: int | None, seconds: float, next_one: bool
) -> None:
    receiver = Receiver()
    await receiver.hang()
    receiver.now += SHORTEST_FIRST * 0.99
    assert not await receiver.post(200, 0)
    receiver.now += LONGEST_FIRST
    assert await receiver.post(status, seconds)
    assert await receiver.post(200, 0) == next_one


async def test_a_time_limit_below_what_is_slow_is_one_too() -> None:
    receiver = Receiver(limit=SLOW_SECONDS / 10)
    assert await receiver.post(None, receiver.limit)
    assert not await receiver.post(200, 0)


async def test_pauses_grow_between_trials_and_begin_anew_after_an_answer() -> None:
    receiver = Receiver()
    pauses = [HANGING_RECEIVER.pause_before(trial) for trial in range(2, 12)]
    assert pauses[-1] == HANGING_RECEIVER.longest_pause
    for pause in pauses:
        await receiver.hang()
        receiver.now += pause * (1 - HANGING_RECEIVER.spread) * 0.99
        assert not await receiver.post(200, 0)
        receiver.now += pause * 2 * HANGING_RECEIVER.spread + 0.1 * pause
    assert await receiver.post(200, 0)
    await receiver.hang()
    receiver.now += LONGEST_FIRST
    assert await receiver.post(200, 0)


async def test_one_message_at_a_time_is_a_trial() -> None:
    receiver, answered = Receiver(), asyncio.Event()
    await receiver.hang()
    receiver.now += LONGEST_FIRST

    async def late() -> int:
        await answered.wait()
        return 200

    trial = asyncio.create_task(receiver.breaker.post(late))
    await asyncio.sleep(0)
    assert not await receiver.post(200, 0)
    answered.set()
    assert await trial == 200
    assert await receiver.post(200, 0)


async def test_a_trial_that_is_cancelled_leaves_room_for_the_next() -> None:
    receiver = Receiver()
    await receiver.hang()
    receiver.now += LONGEST_FIRST

    async def never() -> int:
        return await asyncio.Future[int]()

    trial = asyncio.create_task(receiver.breaker.post(never))
    await asyncio.sleep(0)
    trial.cancel()
    await asyncio.wait([trial])
    assert await receiver.post(200, 0)


async def test_messages_that_hang_together_are_one_failure() -> None:
    receiver, over = Receiver(), asyncio.Event()

    async def late() -> int:
        await over.wait()
        raise Unreachable("no answer in time")

    with logged() as events:
        together = [asyncio.create_task(receiver.breaker.post(late)) for _ in range(4)]
        await asyncio.sleep(0)
        receiver.now += LIMIT
        over.set()
        await asyncio.wait(together)
        receiver.now += LONGEST_FIRST
        await receiver.hang()
        receiver.now += HANGING_RECEIVER.longest_pause
        assert await receiver.post(200, 0)
        assert await receiver.post(200, 0)
    assert events == ["receiver.hangs", "receiver.hangs_no_longer"]


# Seconds of each answer → whether a receiver gets messages without end that takes all of them.
PATIENCE = {0.05: True, FREE_SECONDS: True, 1.0: True, 2.9: False, LIMIT - 1: False}


@pytest.mark.parametrize(("seconds", "endless"), PATIENCE.items())
async def test_a_receiver_that_accepts_slowly_gets_no_more_than_its_allowance(
    seconds: float, endless: bool
) -> None:
    receiver = Receiver()
    posts = 2_000
    for _ in range(posts):
        await receiver.post(200, seconds)
    assert (receiver.posted == posts) == endless
    if not endless:
        # What is regained while it answers is less than what it spends.
        spent = receiver.posted * (seconds - FREE_SECONDS)
        regained = receiver.now * REGAINED_A_SECOND
        assert spent <= ALLOWANCE_SECONDS + regained + seconds


async def test_what_a_slow_receiver_has_used_up_comes_back() -> None:
    receiver = Receiver()
    while await receiver.post(200, LIMIT - 1):
        pass
    over = LIMIT / REGAINED_A_SECOND
    receiver.now += over
    assert await receiver.post(200, LIMIT - 1)
    receiver.now += ALLOWANCE_SECONDS / REGAINED_A_SECOND
    in_a_row = 0
    while await receiver.post(200, LIMIT - 1):
        in_a_row += 1
    assert in_a_row >= ALLOWANCE_SECONDS // LIMIT


async def test_one_that_accepts_now_and_then_and_leaves_the_next_is_bounded_too() -> (
    None
):
    receiver = Receiver()
    hour = 3600.0
    held = 0.0
    while receiver.now < hour:
        before = receiver.now
        for status in (None, 200):
            await receiver.post(status, LIMIT - 1)
        held += receiver.now - before
        receiver.now += 1
    assert held <= ALLOWANCE_SECONDS + REGAINED_A_SECOND * hour + 2 * LIMIT


def test_connections_have_breakers_of_their_own() -> None:
    breakers = Breakers(LIMIT)
    known = [breakers.of(1, "a__c"), breakers.of(1, "b__c"), breakers.of(2, "a__c")]
    assert len(set(map(id, known))) == 3
    assert breakers.of(1, "a__c") is known[0]


def test_one_lost_answer_of_a_receiver_that_is_well_costs_no_message() -> None:
    pauses = [
        DELIVERY.pause_before(attempt) for attempt in range(2, DELIVERY.attempts + 1)
    ]
    shortest = sum(pauses) * (1 - DELIVERY.spread)
    assert shortest > LONGEST_FIRST
