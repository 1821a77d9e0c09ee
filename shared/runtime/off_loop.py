"""Runs work that would block the event loop in a thread, one piece at a time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

# Of the thread, whenever the event loop has something to do: an answer takes dozens of its steps.
SWITCH_SECONDS = 0.001


def _switch_threads_often() -> None:
    sys.setswitchinterval(SWITCH_SECONDS)


# One: several threads would share the interpreter with the event loop, and hold several large bodies in memory.
_THREAD = ThreadPoolExecutor(1, "off_loop", _switch_threads_often)


async def off_loop(
    function: Callable[Arguments, Result],
    /,
    *arguments: Arguments.args,
    **named: Arguments.kwargs,
) -> Result:
    """Run a function in the thread for such work, and return its result.

    Its Python code shares the processor with the event loop, a single C call does not.
    """
    loop = asyncio.get_running_loop()
    work = partial(function, *arguments, **named)
    return await loop.run_in_executor(_THREAD, work)
