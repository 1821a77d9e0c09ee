"""Runs the turns of a peer: it prepares, waits for its start, and reports its end, by lines on standard streams."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn: addresses of source, target and broker, and the object to transfer: accounts or inquiries."""

    source: str
    target: str
    amqp: str
    object: str

    async def begin(self) -> None:
        """Report that all is prepared, and wait until the turn starts."""
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)

    async def end(self) -> None:
        """Report that the work is done, and wait until it has been measured."""
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
