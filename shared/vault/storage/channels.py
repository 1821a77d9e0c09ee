"""PostgreSQL notifications: what one process of a Vault changes, all of them hear at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import asyncpg

from shared.runtime.process import end, run_until_cancelled
from shared.runtime.retry_policies import VAULT_LOOP
from shared.runtime.waiting import state_log
from shared.vault.storage.database import UNREACHABLE

if TYPE_CHECKING:
    from asyncpg import Connection
    from asyncpg.pool import PoolConnectionProxy

COMPONENT_CHANGED = "component_changed"
OUTBOX = "outbox"
CONNECT_TIMEOUT = 10.0


class Notifications:
    """Calls back on every notification, and once after each connection that was lost and made again."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._callbacks: dict[str, Callable[[], None]] = {}
        self._task: asyncio.Task[None] | None = None

    def on(self, channel: str, callback: Callable[[], None]) -> None:
        """Call ``callback`` whenever ``channel`` is notified; to be said before ``start``."""
        self._callbacks[channel] = callback

    async def start(self) -> None:
        """Listen until ``stop``."""
        self._task = asyncio.create_task(
            run_until_cancelled("notifications", self._listen), name="notifications"
        )

    async def stop(self) -> None:
        """End the listening connection."""
        await end(self._task)

    async def _listen(self) -> None:
        pauses = VAULT_LOOP.pauses()
        while True:
            try:
                connection = await asyncpg.connect(self._dsn, timeout=CONNECT_TIMEOUT)
            except UNREACHABLE as error:
                state_log.failed("postgresql (notifications)", error)
                await asyncio.sleep(next(pauses))
                continue
            state_log.succeeded("postgresql (notifications)")
            pauses = VAULT_LOOP.pauses()
            try:
                await self._listen_on(connection)
            finally:
                connection.terminate()

    async def _listen_on(self, connection: Connection[asyncpg.Record]) -> None:
        """Listen until the connection is lost."""
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            for channel in self._callbacks:
                await connection.add_listener(channel, self._heard)
            # Whatever was notified while nobody listened.
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
        del connection, pid, payload
        self._callbacks[channel]()
