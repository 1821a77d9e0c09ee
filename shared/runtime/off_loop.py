"""Runs work that would hold the event loop in a thread beside it, one piece at a time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

LARGE = 64 * 2**10
"""Bytes of a text from which on it is read in the thread; a shorter one takes less time than the change of threads."""

# Of the thread, whenever the event loop has something to do: an answer takes dozens of its steps.
GIVE_WAY_SECONDS = 0.001


def _give_way_often() -> None:
    sys.setswitchinterval(GIVE_WAY_SECONDS)


# One: several threads would share the interpreter with the event loop, and hold several large bodies in memory.
_THREAD = ThreadPoolExecutor(1, "off_loop", _give_way_often)


async def off_loop(
    function: Callable[Arguments, Result],
    /,
    *arguments: Arguments.args,
    **named: Arguments.kwargs,
) -> Result:
    """Return the function's result; its steps in Python give way to the event loop, a single call into C does not."""
    loop = asyncio.get_running_loop()
    work = partial(function, *arguments, **named)
    return await loop.run_in_executor(_THREAD, work)


async def read_off_loop(
    function: Callable[[bytes], Result],
    text: bytes,
    large: int = LARGE,
) -> Result:
    """Return what the function reads from a text, at once when it has fewer than ``large`` bytes."""
    if len(text) < large:
        return function(text)
    return await off_loop(function, text)
