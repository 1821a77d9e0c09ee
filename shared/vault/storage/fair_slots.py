"""Shares slots for concurrent work fairly among those who wait, such as queries among users."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import asyncpg

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault

# Queries that wait at once; each of them costs memory and an open connection of its client.
MAX_WAITING = 500

_in_job: ContextVar[bool] = ContextVar("in_job", default=False)


class FairSlots:
    """Slots for work of many keys: ``total`` at once, of which one key has at most ``each``.

    A free slot goes to tasks that are ``ahead`` first; among these to the key with the fewest slots, and then in turn:
    the tasks of one key, however many, delay those of another by at most one.
    """

    def __init__(self, total: int, each: int) -> None:
        self._total = total
        self._each = each
        self._taken: Counter[Hashable] = Counter()
        # By whether they are behind those who are ahead, and by key; the key whose turn was last stands last.
        self._queues: dict[tuple[bool, Hashable], deque[asyncio.Future[None]]] = {}

    @property
    def waiting(self) -> int:
        """Return how many tasks wait."""
        return sum(map(len, self._queues.values()))

    @property
    def taken(self) -> int:
        """Return how many slots are taken."""
        return self._taken.total()

    def free(self, key: Hashable) -> bool:
        """Return whether a task of the key would get a slot at once."""
        return self.taken < self._total and self._taken[key] < self._each

    async def enter(
        self, key: Hashable, seconds: float, *, ahead: bool = False
    ) -> None:
        """Take a slot, or wait for one; ``leave`` returns it.

        :raises TimeoutError: none becomes free in time.
        """
        # Nobody is passed over: who waits could not have it either, or would have it.
        if self.free(key):
            self._taken[key] += 1
            return
        place = (not ahead, key)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(place, deque()).append(turn)
        try:
            async with asyncio.timeout(seconds):
                await turn
        except (asyncio.CancelledError, TimeoutError):
            # The turn may have come in the same moment.
            if turn.cancelled():
                self._withdraw(place, turn)
            else:
                self.leave(key)
            raise

    def leave(self, key: Hashable) -> None:
        """Return a slot, and assign the free ones."""
        self._taken[key] -= 1
        # Keys come and go; only those with slots have an entry.
        if not self._taken[key]:
            del self._taken[key]
        while ready := [each for each in self._queues if self.free(each[1])]:
            self._give(min(ready, key=lambda each: (each[0], self._taken[each[1]])))

    def _give(self, place: tuple[bool, Hashable]) -> None:
        """Assign a slot to the first waiting task of a queue, and move the queue to the end."""
        queue = self._queues.pop(place)
        turn = queue.popleft()
        if queue:
            self._queues[place] = queue
        # One that was cut off just now has cancelled its turn.
        if not turn.done():
            self._taken[place[1]] += 1
            turn.set_result(None)

    def _withdraw(
        self, place: tuple[bool, Hashable], turn: asyncio.Future[None]
    ) -> None:
        queue = self._queues.get(place)
        if queue is None or turn not in queue:
            return
        queue.remove(turn)
        if not queue:
            del self._queues[place]


@contextmanager
def in_job() -> Iterator[None]:
    """Run the queries of this task without slots: a process runs few jobs at once, which is limit enough."""
    token = _in_job.set(True)
    try:
        yield
    finally:
        _in_job.reset(token)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryLimits:
    """The limits of queries: how many of one user run at once, how long a query waits, and how long it may run.

    Times are in seconds.
    """

    concurrent: int = 3
    wait_seconds: float = 30.0
    timeout_seconds: float = 60.0


class QuerySlots:
    """The slots of this process's queries: ``total`` for all users, and fewer for each one.

    Queries therefore never take all connections of the pool from short calls. A free slot goes to the user with the
    fewest running queries, and among these to the first who came.
    """

    def __init__(self, limits: QueryLimits, total: int) -> None:
        self._limits = limits
        self._total = total
        self._slots = FairSlots(total, limits.concurrent)

    @asynccontextmanager
    async def slot(self, user_id: int) -> AsyncIterator[None]:
        """Occupy one of the user's slots for the block; in a job, none.

        :raises VaultFault: API_LIMIT_EXCEEDED when no slot becomes free in time, or too many queries wait already.
        """
        if _in_job.get():
            yield
            return
        await self._enter(user_id)
        try:
            yield
        finally:
            self._slots.leave(user_id)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Convert the database's error when a statement of the block takes too long.

        :raises VaultFault: OPERATION_NOT_ALLOWED.
        """
        try:
            yield
        # The server answers in time, or is away: the driver's own TimeoutError says nothing of the query.
        except asyncpg.QueryCanceledError as error:
            seconds = f"{self._limits.timeout_seconds:g} seconds"
            message = f"The query was stopped after {seconds} [query timeout]"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message) from error

    async def _enter(self, user_id: int) -> None:
        """Take a slot, or wait for one."""
        if not self._slots.free(user_id) and self._slots.waiting >= MAX_WAITING:
            raise self._exceeded()
        try:
            await self._slots.enter(user_id, self._limits.wait_seconds)
        except TimeoutError:
            raise self._exceeded() from None

    def _exceeded(self) -> VaultFault:
        message = (
            f"At most {self._limits.concurrent} queries of a user, and {self._total} of all users, run at once;"
            " try again when one has ended"
        )
        return VaultFault(ErrorType.API_LIMIT_EXCEEDED, message)
