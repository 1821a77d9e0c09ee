"""Work done at once: groups that raise the plain error, keyed locks, and values no older than a moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Generic, TypeVar

T = TypeVar("T")


@asynccontextmanager
async def concurrently() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group whose first failure is raised as itself, the other tasks having been cancelled and awaited."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def each_to_its_end(work: Iterable[Awaitable[object]]) -> None:
    """Run independent work at once, none of it broken off when other fails; the first failure is raised at the end."""
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


class KeyLocks:
    """Locks by key: a holder has all of its keys or none, so holders of disjoint keys run side by side."""

    def __init__(self) -> None:
        self._held: dict[Hashable, asyncio.Event] = {}

    @asynccontextmanager
    async def hold(self, keys: Iterable[Hashable]) -> AsyncIterator[None]:
        """Wait until none of the keys is held, then hold them all."""
        wanted = tuple(dict.fromkeys(keys))
        while (
            busy := next((self._held[key] for key in wanted if key in self._held), None)
        ) is not None:
            await busy.wait()
        released = asyncio.Event()
        self._held.update(dict.fromkeys(wanted, released))
        try:
            yield
        finally:
            for key in wanted:
                del self._held[key]
            released.set()


class FreshValue(Generic[T]):
    """A loaded value that is loaded again when it may be older than what the asker already knows.

    A value whose load *started* before the asker's moment could miss a change made just before that moment.
    Askers share one load at a time.
    """

    def __init__(self, load: Callable[[], Awaitable[T]]) -> None:
        self._load = load
        self._value: T | None = None
        self._started: datetime | None = None
        self._loading = asyncio.Lock()

    async def since(self, moment: datetime) -> T:
        """The value as it was at ``moment`` or later; raises what the load raises.

        A moment that lies ahead of this clock counts as now.
        """
        needed = min(moment, datetime.now(UTC))
        if self._value is None or self._started is None or self._started < needed:
            async with self._loading:
                if (
                    self._value is None
                    or self._started is None
                    or self._started < needed
                ):
                    started = datetime.now(UTC)
                    self._value = await self._load()
                    self._started = started
        return self._value
