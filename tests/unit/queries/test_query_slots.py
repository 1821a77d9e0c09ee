"""Slots: five queries of a user at once, the next one waits and is let in or refused."""

from __future__ import annotations

import asyncio

import pytest

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault
from shared.vault.queries import queries as query_slots
from shared.vault.queries.queries import QueryLimits, QuerySlots


async def held(
    slots: QuerySlots, user_id: int, entered: asyncio.Event, leave: asyncio.Event
) -> None:
    async with slots.slot(user_id):
        entered.set()
        await leave.wait()


async def test_the_next_one_waits_until_one_has_left() -> None:
    slots = QuerySlots(QueryLimits(concurrent=2, wait_seconds=30))
    leave, entered = asyncio.Event(), [asyncio.Event() for _ in range(3)]
    async with asyncio.TaskGroup() as tasks:
        for event in entered:
            tasks.create_task(held(slots, 7, event, leave))
        await asyncio.gather(entered[0].wait(), entered[1].wait())
        assert not entered[2].is_set()
        async with slots.slot(8):
            pass  # another user is not held up
        leave.set()
        await entered[2].wait()
    assert not slots._by_user


async def test_who_waits_too_long_is_refused() -> None:
    slots = QuerySlots(QueryLimits(concurrent=1, wait_seconds=0))
    async with slots.slot(7):
        with pytest.raises(VaultFault, match="At most 1") as refused:
            async with slots.slot(7):
                pass
        assert refused.value.error.type is ErrorType.API_LIMIT_EXCEEDED
    async with slots.slot(7):
        pass


async def test_so_many_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_slots, "MAX_WAITING", 0)
    slots = QuerySlots(QueryLimits(concurrent=1, wait_seconds=30))
    async with slots.slot(7):
        with pytest.raises(VaultFault, match="At most 1"):
            async with slots.slot(7):
                pass


async def test_a_cancelled_wait_leaves_nothing_behind() -> None:
    slots = QuerySlots(QueryLimits(concurrent=1, wait_seconds=30))
    entered, leave = asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(held(slots, 7, entered, leave))
    await entered.wait()
    waiting = asyncio.create_task(held(slots, 7, asyncio.Event(), leave))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    leave.set()
    await first
    assert not slots._by_user
