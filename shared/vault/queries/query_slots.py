"""How many queries of one user run at once in this process; the next one waits, but not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault

MAX_WAITING = 500  # queries of one user


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """How many queries of a user run at once, how long another one waits, and how long one may take in seconds."""

    concurrent: int = 5
    wait_seconds: float = 30.0
    timeout_seconds: float = 60.0  # of the database's statements; named in the error


@dataclass(slots=True)
class _Slots:
    free: asyncio.Semaphore
    users: int = 0  # queries that run or wait


@dataclass(slots=True)
class QuerySlots:
    """The slots of every user who has a query now."""

    limits: QueryLimits
    _by_user: dict[int, _Slots] = field(default_factory=dict)

    @asynccontextmanager
    async def slot(self, user_id: int) -> AsyncIterator[None]:
        """Hold one of the user's slots for the block; raises VaultFault API_LIMIT_EXCEEDED when none comes free."""
        slots = self._by_user.setdefault(
            user_id, _Slots(asyncio.Semaphore(self.limits.concurrent))
        )
        if slots.users >= self.limits.concurrent + MAX_WAITING:
            raise self._exceeded()
        slots.users += 1
        try:
            try:
                async with asyncio.timeout(self.limits.wait_seconds):
                    await slots.free.acquire()
            except TimeoutError:
                raise self._exceeded() from None
            try:
                yield
            finally:
                slots.free.release()
        finally:
            slots.users -= 1
            if not slots.users:
                self._by_user.pop(user_id, None)

    def _exceeded(self) -> VaultFault:
        message = f"At most {self.limits.concurrent} queries of a user run at once; try again when they have been answered"
        return VaultFault(ErrorType.API_LIMIT_EXCEEDED, message)
