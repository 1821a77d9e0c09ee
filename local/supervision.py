"""Restarts every part of a local system that has ended or hangs: ``python -m local.supervision DIRECTORY [PART]``.

With a part it restarts that one and ends. Without one it watches until it is stopped; a separate process starts each
part, so that the parts outlive both.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import asyncpg

from local.failure import SystemFailed
from local.postgres import PrivatePostgres
from local.rabbitmq import PrivateRabbit
from local.servers import Server
from local.service import Service
from local.system import System
from shared.runtime.logging import first_line, get_logger
from shared.runtime.retry_policies import SUPERVISION

_log = get_logger(__name__)

LOOK_SECONDS = 2.0
PROBE_SECONDS = 5.0
# A process that is only busy for a moment is not ended.
SILENT_PROBES = 3
# Longer than a server needs to start.
START_SECONDS = 150.0
# A part that has run so long was started well: its next end begins with short pauses again.
STEADY_SECONDS = 120.0


@dataclass(slots=True)
class Watch:
    """The state of one part: consecutive probes without an answer, and when it may be restarted."""

    silent: int = 0
    begun: float = 0.0
    not_before: float = 0.0
    pauses: Iterator[float] = field(default_factory=SUPERVISION.pauses)

    def due(self, now: float, *, running: bool, answers: bool) -> bool:
        """Return whether the part is to be restarted now, by its last probe."""
        self.silent = 0 if answers or not running else self.silent + 1
        if running and self.silent < SILENT_PROBES:
            return False
        return now >= self.not_before

    def started(self, now: float) -> None:
        """Note that the part is restarted; the pause until the next restart grows."""
        if now - self.begun > STEADY_SECONDS:
            self.pauses = SUPERVISION.pauses()
        self.silent = 0
        self.begun = now
        self.not_before = now + next(self.pauses)


async def answers(part: Server) -> bool:
    """Return whether a part answers within ``PROBE_SECONDS``; an error or a refused connection is an answer, too."""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            if isinstance(part, Service):
                await _get(f"{part.url}/healthz")
            elif isinstance(part, PrivateRabbit):
                await _get(part.management_url)
            elif isinstance(part, PrivatePostgres):
                connection = await asyncpg.connect(part.dsn, timeout=PROBE_SECONDS)
                connection.terminate()
    except TimeoutError:
        return False
    # A part that is starting refuses; one that has ended is seen by its process.
    except (OSError, aiohttp.ClientError, asyncpg.PostgresError):
        return True
    return True


async def _get(url: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        await answer.read()


async def watch(directory: Path) -> None:
    """Probe every part repeatedly, and restart those that are due, until cancelled."""
    watches: dict[str, Watch] = {}
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        # Made anew, with the state that other processes have written meanwhile.
        parts = System(directory).parts
        seen = await asyncio.gather(*(answers(part) for part in parts))
        for part, answered in zip(parts, seen, strict=True):
            now = time.monotonic()
            known = watches.setdefault(part.name, Watch())
            running = part.running
            if known.due(now, running=running, answers=answered):
                known.started(now)
                reason = "hangs" if running else "ended"
                _log.warning("part is started again", part=part.name, reason=reason)
                await _start(directory, part.name)


async def _start(directory: Path, part: str) -> None:
    command = [sys.executable, "-m", "local.supervision", str(directory), part]
    process = await asyncio.create_subprocess_exec(*command)
    try:
        async with asyncio.timeout(START_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def main() -> int:
    """Watch the system of a directory, or restart one of its parts; return the exit code."""
    directory = Path(sys.argv[1])
    try:
        if len(sys.argv) > 2:
            part = sys.argv[2]
            asyncio.run(System(directory).revive(part))
        else:
            asyncio.run(watch(directory))
    except SystemFailed as error:
        # Another process changes the system, or the part did not start: the next look sees what came of it.
        _log.warning("part was not started", reason=first_line(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
