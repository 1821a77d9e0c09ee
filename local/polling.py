"""Bounded waiting for something to become true."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

INTERVAL = 0.1


async def holds_within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Look until ``condition`` holds, for at most ``seconds``; return whether it did."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(INTERVAL)
    return True


async def answers_within(
    seconds: float, question: Callable[[], Awaitable[str | None]]
) -> str | None:
    """Ask until ``question`` returns None, which means ready, for at most ``seconds``.

    Returns None when it became ready and otherwise the last reason why not. One call of ``question``
    must bound its own time; what it raises ends the wait.
    """
    deadline = time.monotonic() + seconds
    while (reason := await question()) is not None:
        if time.monotonic() >= deadline:
            return reason
        await asyncio.sleep(INTERVAL)
    return None


async def all_of(*steps: Awaitable[None]) -> None:
    """Run the steps side by side; when one fails the others are given up and its fault is raised."""
    tasks = [asyncio.ensure_future(step) for step in steps]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
