"""Locks by key, values no older than a moment, and waits that end with the process."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.connector.vaults.vaults import Interrupted, Patience
from shared.client.errors import VaultRefused, VaultUnavailable
from shared.runtime.waiting import FreshValue, KeyLocks, concurrently


async def test_overlapping_keys_never_run_together_and_others_do() -> None:
    locks, running, seen = KeyLocks(), set[str](), list[frozenset[str]]()

    async def work(name: str, *keys: str) -> None:
        async with locks.hold(keys):
            running.add(name)
            for _ in range(3):
                await asyncio.sleep(0)
                seen.append(frozenset(running))
            running.discard(name)

    await asyncio.gather(
        work("x", "1", "2"), work("y", "2", "3"), work("z", "4"), work("w")
    )
    assert not any({"x", "y"} <= group for group in seen)
    assert any({"x", "z", "w"} <= group for group in seen)


async def test_a_value_is_loaded_again_only_for_who_knows_of_something_later() -> None:
    loads = 0

    async def load() -> int:
        nonlocal loads
        await asyncio.sleep(0)
        loads += 1
        return loads

    fresh = FreshValue(load)
    start = datetime.now(UTC)
    assert await asyncio.gather(*(fresh.since(start) for _ in range(5))) == [1] * 5
    assert await fresh.since(start) == 1
    assert await fresh.since(datetime.now(UTC)) == 2
    assert await fresh.since(datetime.now(UTC) + timedelta(days=1)) == 3


async def test_a_load_that_fails_is_tried_again_by_the_next() -> None:
    answers = iter([None, 7])

    async def load() -> int:
        if (answer := next(answers)) is None:
            raise VaultUnavailable("down")
        return answer

    fresh = FreshValue(load)
    with pytest.raises(VaultUnavailable):
        await fresh.since(datetime.now(UTC))
    assert await fresh.since(datetime.now(UTC)) == 7


async def test_a_group_raises_its_failure_itself() -> None:
    async def fail() -> None:
        raise VaultUnavailable("down")

    async def both() -> None:
        async with concurrently() as group:
            group.create_task(fail())
            group.create_task(asyncio.Event().wait())

    with pytest.raises(VaultUnavailable):
        await both()


async def test_patience_outlasts_what_passes_and_nothing_else() -> None:
    answers = iter(
        [
            VaultUnavailable("down"),
            VaultRefused("INVALID_SESSION_ID", ""),
            VaultRefused("INVALID_DATA", ""),
        ]
    )

    async def attempt() -> None:
        raise next(answers)

    with pytest.raises(VaultRefused, match="INVALID_DATA"):
        await Patience().wait_for("a Vault that answers badly", attempt)


async def test_patience_ends_with_the_process() -> None:
    patience, tried = Patience(), asyncio.Event()

    async def attempt() -> None:
        tried.set()
        raise VaultUnavailable("down")

    waiting = asyncio.create_task(patience.wait_for("a Vault that stays away", attempt))
    await tried.wait()
    patience.end()
    with pytest.raises(Interrupted):
        await waiting
