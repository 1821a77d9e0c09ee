"""Polls the database server, and ends the statements that wait for it when it does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg

from shared.runtime.retry_policies import VAULT_LOOP
from shared.runtime.waiting import end, run_until_cancelled, state_log
from shared.vault.storage.database import OUTAGES

NAME = "postgresql (pulse)"
INTERVAL_SECONDS = 2.0
# A server that is only busy answers so small a statement long before that.
SILENCE_SECONDS = 8.0


class Pulse:
    """Keeps a connection of its own, and calls ``silent`` when the server leaves a statement on it unanswered.

    A frozen server, or one behind a link that loses all packets, closes no connection: callers would wait for the
    longest time that a statement may take.
    """

    def __init__(
        self,
        dsn: str,
        silent: Callable[[], None],
        *,
        interval: float = INTERVAL_SECONDS,
        silence: float = SILENCE_SECONDS,
    ) -> None:
        self._dsn = dsn
        self._silent = silent
        self._interval = interval
        self._silence = silence
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start asking, until ``stop``."""
        asking = run_until_cancelled("pulse", self._ask)
        self._task = asyncio.create_task(asking, name="pulse")

    async def stop(self) -> None:
        """End the connection."""
        await end(self._task)

    async def _ask(self) -> None:
        pauses = VAULT_LOOP.pauses()
        while True:
            try:
                connection = await asyncpg.connect(self._dsn, timeout=self._silence)
            except OUTAGES as error:
                self._note(error)
                await asyncio.sleep(next(pauses))
                continue
            pauses = VAULT_LOOP.pauses()
            try:
                await self._ask_on(connection)
            except (*OUTAGES, asyncpg.InterfaceError) as error:
                self._note(error)
            finally:
                connection.terminate()

    async def _ask_on(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        """Poll until a statement is not answered.

        :raises TimeoutError: a statement is not answered in time.
        """
        while True:
            # The driver's own timeout would ask the server to cancel the statement, and wait for that.
            asking = asyncio.ensure_future(connection.fetchval("SELECT 1"))
            await asyncio.wait([asking], timeout=self._silence)
            # An event loop that was held up itself sees the answer only now.
            done, _ = await asyncio.wait([asking], timeout=1.0)
            if not done:
                connection.terminate()
                await asyncio.gather(asking, return_exceptions=True)
                raise TimeoutError("no answer in time")
            asking.result()
            state_log.succeeded(NAME)
            await asyncio.sleep(self._interval)

    def _note(self, error: Exception) -> None:
        state_log.failed(NAME, error)
        # Other faults reach those who wait by themselves.
        if isinstance(error, TimeoutError):
            self._silent()
