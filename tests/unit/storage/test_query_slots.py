"""Slots limit the running queries of a user and of all users; the next query waits in a fair order or is refused."""

from __future__ import annotations

import asyncio

import pytest

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault
from shared.vault.storage import fair_slots
from shared.vault.storage.fair_slots import QueryLimits, QuerySlots, in_job


class Query:
    """A query that runs until the test ends it."""

    def __init__(self, slots: QuerySlots, user_id: int) -> None:
        self.running = asyncio.Event()
        self.end = asyncio.Event()
        self.task = asyncio.create_task(self._run(slots, user_id))

    async def _run(self, slots: QuerySlots, user_id: int) -> None:
        async with slots.slot(user_id):
            self.running.set()
            await self.end.wait()

    async def ended(self) -> None:
        self.end.set()
        await self.task


async def begun(slots: QuerySlots, *users: int) -> list[Query]:
    """Queries of these users, started in this order."""
    queries = [Query(slots, user) for user in users]
    await settled()
    return queries


async def settled() -> None:
    """Run all tasks until each waits."""
    for _ in range(5):
        await asyncio.sleep(0)


def running(queries: list[Query]) -> list[bool]:
    return [query.running.is_set() and not query.task.done() for query in queries]


def limits(concurrent: int = 2, wait_seconds: float = 30) -> QueryLimits:
    return QueryLimits(concurrent=concurrent, wait_seconds=wait_seconds)


async def test_of_one_user_and_of_all_users_so_many_run() -> None:
    slots = QuerySlots(limits(), 3)
    queries = await begun(slots, 1, 1, 1, 2, 3)
    assert running(queries) == [True, True, False, True, False]
    for query in queries:
        await query.ended()
    assert not slots._slots.taken
    assert not slots._slots.waiting


async def test_a_free_slot_is_given_to_the_user_with_the_fewest_and_then_in_order() -> (
    None
):
    slots = QuerySlots(limits(), 4)
    queries = await begun(slots, 1, 1, 2, 2, 1, 2, 3, 4)
    order = []
    for ending in range(4):
        before = running(queries)
        await queries[ending].ended()
        await settled()
        order += [
            index
            for index, now in enumerate(running(queries))
            if now and not before[index]
        ]
    assert order == [6, 4, 7, 5]
    for query in queries[4:]:
        await query.ended()


async def test_who_waits_too_long_is_refused() -> None:
    slots = QuerySlots(limits(1, wait_seconds=0), 2)
    async with slots.slot(7):
        with pytest.raises(VaultFault, match="At most 1") as refused:
            async with slots.slot(7):
                pass
        assert refused.value.error.type is ErrorType.API_LIMIT_EXCEEDED
    async with slots.slot(7):
        pass


async def test_so_many_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fair_slots, "MAX_WAITING", 0)
    slots = QuerySlots(limits(1), 1)
    async with slots.slot(7):
        for user in (7, 8):
            with pytest.raises(VaultFault, match="At most 1"):
                async with slots.slot(user):
                    pass


@pytest.mark.parametrize("granted", [False, True])
async def test_a_cancelled_wait_leaves_nothing_behind(granted: bool) -> None:
    slots = QuerySlots(limits(1), 1)
    await slots._enter(7)
    [waiting] = await begun(slots, 7)
    if granted:
        slots._slots.leave(7)
    waiting.task.cancel()
    await asyncio.gather(waiting.task, return_exceptions=True)
    if not granted:
        slots._slots.leave(7)
    assert not slots._slots.taken
    assert not slots._slots.waiting


async def test_the_queries_of_a_job_take_no_slot() -> None:
    slots = QuerySlots(limits(1, wait_seconds=0), 1)
    async with slots.slot(7):
        with in_job():
            async with slots.slot(7):
                pass
        with pytest.raises(VaultFault):
            async with slots.slot(7):
                pass
