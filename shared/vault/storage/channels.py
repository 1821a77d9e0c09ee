"""Listens for PostgreSQL's notifications, by which the processes of a Vault hear of each other's changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import asyncpg

from shared.runtime.process import end, run_until_cancelled
from shared.runtime.waiting import delays, state_log
from shared.vault.storage.database import UNREACHABLE

if TYPE_CHECKING:
    from asyncpg import Connection
    from asyncpg.pool import PoolConnectionProxy

COMPONENT_CHANGED = "component_changed"
OUTBOX = "outbox"
CONNECT_TIMEOUT = 10.0
# Seconds; rows of the outbox wait no longer than this once the database is back.
MAX_PAUSE = 3.0


class Notifications:
    """Calls back on every notification, and once after each connection that was lost and made again."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._callbacks: dict[str, Callable[[], None]] = {}
        self._task: asyncio.Task[None] | None = None

    def on(
        self,
        channel: str,
        callback: Callable[[], None],
    ) -> None:
        """Call ``callback`` whenever ``channel`` is notified; to be called before ``start``."""
        self._callbacks[channel] = callback

    async def start(self) -> None:
        """Listen until ``stop``."""
        # A connection of its own: one of the pool would be missing there for good.
        listening = run_until_cancelled("notifications", self._listen)
        self._task = asyncio.create_task(listening, name="notifications")

    async def stop(self) -> None:
        """End the listening connection."""
        await end(self._task)

    async def _listen(self) -> None:
        """Connect and listen, again whenever the connection is lost."""
        pauses = delays(ceiling=MAX_PAUSE)
        while True:
            try:
                connection = await asyncpg.connect(self._dsn, timeout=CONNECT_TIMEOUT)
            except UNREACHABLE as error:
                state_log.failed("postgresql (notifications)", error)
                await asyncio.sleep(next(pauses))
                continue
            state_log.succeeded("postgresql (notifications)")
            pauses = delays(ceiling=MAX_PAUSE)
            try:
                await self._listen_on(connection)
            finally:
                connection.terminate()

    async def _listen_on(self, connection: Connection[asyncpg.Record]) -> None:
        """Listen on a connection until it is lost."""
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            for channel in self._callbacks:
                await connection.add_listener(channel, self._heard)
            # Notifications that were sent while nobody listened are lost.
            for callback in self._callbacks.values():
                callback()
            await lost.wait()
        except (*UNREACHABLE, asyncpg.InterfaceError) as error:
            state_log.failed("postgresql (notifications)", error)

    def _heard(
        self,
        connection: Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record],
        pid: int,
        channel: str,
        payload: object,
    ) -> None:
        """Call the callback of a channel; the driver's own arguments say nothing that it needs."""
        del connection, pid, payload
        self._callbacks[channel]()
