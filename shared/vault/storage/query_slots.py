"""Limits the queries that run at once, so that they never take all connections of the pool from the small calls."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import asyncpg

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault

# Queries that wait at once; each of them costs memory and an open connection of its client.
MAX_WAITING = 500

_in_job: ContextVar[bool] = ContextVar("in_job", default=False)


@contextmanager
def in_job() -> Iterator[None]:
    """Have the queries of this task run without slots: a process runs few jobs at once, which are limit enough."""
    token = _in_job.set(True)
    try:
        yield
    finally:
        _in_job.reset(token)


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """The limits of queries: how many of one user run at once, how long a further one waits, and how long one may run.

    Times are in seconds.
    """

    concurrent: int = 3
    wait_seconds: float = 30.0
    timeout_seconds: float = 60.0


@dataclass(slots=True, eq=False)
class _Waiting:
    """A query that waits for its turn."""

    user_id: int
    turn: asyncio.Future[None]


class QuerySlots:
    """The slots of this process: ``total`` of all users, and fewer of each one.

    A slot that becomes free is given to the user with the fewest running queries, and of these to the first who came.
    """

    def __init__(self, limits: QueryLimits, total: int) -> None:
        self._limits = limits
        self._total = total
        self._running: Counter[int] = Counter()
        self._waiting: list[_Waiting] = []

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
            self._leave(user_id)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Say in the API's way that the database has stopped a statement of the block for taking too long.

        :raises VaultFault: OPERATION_NOT_ALLOWED.
        """
        try:
            yield
        # The server answers in time, or is away: the driver's own TimeoutError says nothing of the query.
        except asyncpg.QueryCanceledError as error:
            seconds = f"{self._limits.timeout_seconds:g} seconds"
            message = f"The query was stopped after {seconds} [query timeout]"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message) from error

    def _may_run(self, user_id: int) -> bool:
        free = self._running.total() < self._total
        return free and self._running[user_id] < self._limits.concurrent

    async def _enter(self, user_id: int) -> None:
        """Take a slot, or wait for one."""
        # Nobody is passed over: who waits could not run either, or would be running.
        if self._may_run(user_id):
            self._running[user_id] += 1
            return
        if len(self._waiting) >= MAX_WAITING:
            raise self._exceeded()
        waiting = _Waiting(user_id, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(self._limits.wait_seconds):
                await self._wait_for_turn(waiting)
        except TimeoutError:
            raise self._exceeded() from None

    async def _wait_for_turn(self, waiting: _Waiting) -> None:
        """Wait until the slot is the query's; a wait that is cut off leaves none occupied."""
        try:
            await waiting.turn
        except asyncio.CancelledError:
            # Its turn may have come in the same moment.
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            else:
                self._leave(waiting.user_id)
            raise

    def _leave(self, user_id: int) -> None:
        """Give a slot back, and give the free ones out."""
        self._running[user_id] -= 1
        # Users come and go; only those with queries have an entry.
        if not self._running[user_id]:
            del self._running[user_id]
        while ready := [each for each in self._waiting if self._may_run(each.user_id)]:
            first = min(ready, key=lambda each: self._running[each.user_id])
            self._waiting.remove(first)
            self._running[first.user_id] += 1
            # One that was cut off since gives it back itself.
            if not first.turn.done():
                first.turn.set_result(None)

    def _exceeded(self) -> VaultFault:
        message = (
            f"At most {self._limits.concurrent} queries of a user, and {self._total} of all users, run at once;"
            " try again when one has ended"
        )
        return VaultFault(ErrorType.API_LIMIT_EXCEEDED, message)
