"""Counts calls against limits, and refuses callers while the Vault is in configuration mode.

A process counts calls in memory; once a second it adds its counts to the database and reads those of the others. So no
call waits for the count, and a limit may be exceeded by the calls of one second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg
import structlog

from shared.protocol.error_types import ErrorType
from shared.runtime.waiting import state_log
from shared.vault.access.permissions import Grant, authorize, connects, granted
from shared.vault.errors import VaultFault
from shared.vault.storage.database import COMPONENT_CHANGED, UNREACHABLE

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.storage.database import Database


BURST_WINDOW = 300  # seconds
SHARE_SECONDS = 1.0
NAME = "postgresql (burst limit)"
SHARING_FAULTS = (*UNREACHABLE, asyncpg.PostgresError, asyncpg.InterfaceError)

SHARE = """
INSERT INTO platform.api_usage AS u (user_id, burst_window, calls)
SELECT user_id, $1, calls FROM unnest($2::bigint[], $3::bigint[]) AS c (user_id, calls) ORDER BY user_id
ON CONFLICT (user_id, burst_window) DO UPDATE SET calls = u.calls + excluded.calls
RETURNING user_id, calls
"""
FORGET_OLD = "DELETE FROM platform.api_usage WHERE burst_window < $1"


@dataclass(frozen=True, slots=True)
class Usage:
    """The part of a limit that a caller has used; ``delay`` is in seconds."""

    limit: int
    remaining: int
    delay: float = 0.0
    exceeded: bool = False


@dataclass(slots=True)
class Count:
    """The calls of one user in the window: the last shared count, and this process's calls since then."""

    shared: int = 0
    own: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most calls in a window, for users and for connections' users, whose calls carry the transfers."""

    users: int
    connections: int


class BurstLimits:
    """Counts the calls of users."""

    def __init__(
        self,
        database: Database,
        limits: Limits,
        delay: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._limits = limits
        self._delay = delay
        self._clock = clock
        self._window = 0
        self._counts: dict[int, Count] = {}
        self._counted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def count(self, caller: Caller) -> Usage:
        """Count a call, and return the caller's usage of the limit; beyond the limit it is exceeded and has a delay."""
        window = int(self._clock() // BURST_WINDOW)
        if window != self._window:
            self._window, self._counts = window, {}
        count = self._counts.setdefault(caller.user_id, Count())
        count.own += 1
        self._counted.set()
        limit = self._limits.connections if connects(caller) else self._limits.users
        calls = count.shared + count.own
        exceeded = calls > limit
        remaining = max(0, limit - calls)
        return Usage(limit, remaining, self._delay if exceeded else 0.0, exceeded)

    async def start(self) -> None:
        """Start sharing the counts, until ``stop``."""
        self._task = asyncio.create_task(self._keep_sharing(), name="burst")

    async def stop(self) -> None:
        """Stop sharing counts; those since the last sharing are lost."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def share(self) -> None:
        """Add this process's counts to the database, and read the sums of all processes."""
        # Cleared before the counts are read: a call counted while this waits is shared the next time.
        self._counted.clear()
        window = self._window
        counted = {user: count.own for user, count in self._counts.items() if count.own}
        users, calls = list(counted), list(counted.values())
        async with self._database.connection() as connection:
            rows = await connection.fetch(SHARE, window, users, calls)
            await connection.execute(FORGET_OLD, window)
        # Another window has begun meanwhile: its counts have nothing to do with these.
        if window != self._window:
            return
        for row in rows:
            count = self._counts[row["user_id"]]
            count.shared = row["calls"]
            count.own -= counted[row["user_id"]]

    async def _keep_sharing(self) -> None:
        while True:
            await self._counted.wait()
            await asyncio.sleep(SHARE_SECONDS)
            try:
                await self.share()
            except SHARING_FAULTS as error:
                # What was counted is still there, and is shared the next time.
                self._counted.set()
                state_log.failed(NAME, error)
            else:
                state_log.succeeded(NAME)


log = structlog.get_logger(__name__)


class ConfigurationMode:
    """Caches whether configuration mode is on; a change is announced to all processes like a change of components."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._switches = 0
        self.enabled = False

    async def load(self) -> None:
        """Read whether the mode is on; called at start, and whenever components or the mode have changed."""
        switches = self._switches
        async with self._database.connection() as connection:
            enabled = await connection.fetchval(
                "SELECT enabled FROM platform.configuration_mode"
            )
        # Switched here meanwhile, it is known better than what was read, and is announced and read again.
        if switches == self._switches:
            self.enabled = enabled

    async def switch(self, caller: Caller, *, enabled: bool) -> None:
        """Switch the mode on or off, for all processes.

        :raises VaultFault: INSUFFICIENT_ACCESS.
        """
        authorize(caller, Grant.EXECUTE_MDL)
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE platform.configuration_mode SET enabled = $1", enabled
            )
            # Every process reads components and this mode again when it hears of it.
            await connection.execute("SELECT pg_notify($1, '')", COMPONENT_CHANGED)
        # At once in this process, which answers the call.
        self._switches += 1
        self.enabled = enabled
        log.info("configuration_mode.switched", enabled=enabled, user_id=caller.user_id)

    def admit(self, caller: Caller) -> None:
        """Check that the caller may use the Vault now: administrators always, others unless configuration mode is on.

        :raises VaultFault: CONFIGURATION_MODE_ENABLED when the mode is on and the caller is no administrator.
        """
        if not self.enabled or granted(caller, Grant.EXECUTE_MDL):
            return
        message = "The Vault is in configuration mode; only administrators have access"
        raise VaultFault(ErrorType.CONFIGURATION_MODE_ENABLED, message)
