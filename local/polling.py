"""Waits, for a bounded time, until a condition is met."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

INTERVAL = 0.1


async def holds_within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Poll ``condition`` until it returns True, for at most ``seconds``; return whether it did."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(INTERVAL)
    return True


async def answers_within(
    seconds: float, question: Callable[[], Awaitable[str | None]]
) -> str | None:
    """Call ``question`` until it returns None, which means ready, for at most ``seconds``.

    Return None when it became ready, and otherwise the last reason that it returned. ``question``
    must limit the time of one call itself; an exception from it ends the wait.
    """
    deadline = time.monotonic() + seconds
    while (reason := await question()) is not None:
        if time.monotonic() >= deadline:
            return reason
        await asyncio.sleep(INTERVAL)
    return None


async def all_of(*steps: Awaitable[None]) -> None:
    """Run the steps concurrently; when one fails, cancel the others and raise its exception."""
    tasks = [asyncio.ensure_future(step) for step in steps]
    try:
        await asyncio.gather(*tasks)
    finally:
        # gather leaves the other steps running when one fails.
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
