"""Limits the queries that run at once, so that they never take all connections of the pool from the small calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import asyncpg

from shared.protocol.error_types import ErrorType
from shared.runtime.waiting import FairSlots
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


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryLimits:
    """The limits of queries: how many of one user run at once, how long a further one waits, and how long one may run.

    Times are in seconds.
    """

    concurrent: int = 3
    wait_seconds: float = 30.0
    timeout_seconds: float = 60.0


class QuerySlots:
    """The slots of this process: ``total`` of all users, and fewer of each one.

    A slot that becomes free is given to the user with the fewest running queries, and of these to the first who came.
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
