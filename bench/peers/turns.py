"""Lets a peer take turns: it prepares, waits for its beginning, and tells its end, line by line with who measures."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn: addresses of the source, the target and the broker, and what is transferred: accounts or inquiries."""

    source: str
    target: str
    amqp: str
    object: str

    async def begin(self) -> None:
        """Tell that all is prepared, and wait until the turn begins."""
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)

    async def end(self) -> None:
        """Tell that the work is done, and wait until it has been measured."""
        print("done", flush=True)
        await asyncio.to_thread(sys.stdin.readline)


async def turns(arguments: Sequence[str]) -> AsyncIterator[Turn]:
    """Yield the turns: the program's arguments are the addresses, standard input names the object of each turn."""
    source, target, amqp = arguments[1:4]
    while True:
        line = await asyncio.to_thread(sys.stdin.readline)
        if not line.strip():
            return
        yield Turn(source, target, amqp, line.strip())
