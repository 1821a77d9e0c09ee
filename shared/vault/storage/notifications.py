"""PostgreSQL notifications: what one process of a Vault changes, all of them hear at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import asyncpg
import structlog

from shared.runtime.waiting import delays

if TYPE_CHECKING:
    from asyncpg import Connection
    from asyncpg.pool import PoolConnectionProxy

log = structlog.get_logger(__name__)

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
        self._task = asyncio.create_task(self._listen(), name="notifications")

    async def stop(self) -> None:
        """End the listening connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _listen(self) -> None:
        pauses = delays()
        while True:
            lost = asyncio.Event()
            try:
                connection = await asyncpg.connect(self._dsn, timeout=CONNECT_TIMEOUT)
            except (OSError, TimeoutError, asyncpg.PostgresError) as error:
                log.info("notifications.waiting", reason=type(error).__name__)
                await asyncio.sleep(next(pauses))
                continue
            pauses = delays()
            try:
                connection.add_termination_listener(lambda _: lost.set())
                for channel in self._callbacks:
                    await connection.add_listener(channel, self._heard)
                for callback in self._callbacks.values():
                    callback()
                await lost.wait()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.info("notifications.lost", reason=type(error).__name__)
            finally:
                connection.terminate()

    def _heard(
        self,
        connection: Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record],
        pid: int,
        channel: str,
        payload: object,
    ) -> None:
        del connection, pid, payload
        self._callbacks[channel]()
