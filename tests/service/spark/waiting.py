"""Waiting for a condition, bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from shared.spark.connection import BrokerConnection
from shared.spark.topology import queue_state


async def until(condition: Callable[[], bool]) -> None:
    """Return when the condition is met; it is polled."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  states of the package under test have no events
            await asyncio.sleep(0.01)


async def emptied(connection: BrokerConnection, queue: str) -> None:
    """Return when the queue is empty; only correct when it has no consumers any more."""
    async with asyncio.timeout(60):
        while True:
            state = await queue_state(connection, queue)
            assert state is not None
            if not state.messages:
                return
            await asyncio.sleep(0.02)
