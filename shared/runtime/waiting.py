"""Waiting for something that will come back: growing pauses, one log line per change of state."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from shared.runtime.logging import first_line, get_logger

T = TypeVar("T")
_log = get_logger(__name__)


def delays(
    first: float = 0.1, factor: float = 2.0, ceiling: float = 15.0, jitter: float = 0.2
) -> Iterator[float]:
    """Yield pauses in seconds without end: ``first``, growing by ``factor`` up to ``ceiling``.

    Each is shortened or lengthened by up to ``jitter`` of itself, so that many processes waiting for
    one peer do not come back at the same instant.
    """
    pause = first
    while True:
        # Spreading retries needs no unpredictable source.
        yield min(ceiling, pause * random.uniform(1 - jitter, 1 + jitter))  # noqa: S311
        pause = min(ceiling, pause * factor)


@dataclass(slots=True)
class _Outage:
    """One peer's state, shared by all that wait for it in this process."""

    since: float | None = None
    failures: int = 0


@dataclass(slots=True)
class StateLog:
    """Writes one line when a named peer goes down and one when it is up again."""

    _outages: dict[str, _Outage] = field(default_factory=dict)

    def failed(self, name: str, error: BaseException) -> None:
        """Count a failure; the first one since the peer was last up is logged."""
        outage = self._outages.setdefault(name, _Outage())
        outage.failures += 1
        if outage.since is None:
            outage.since = time.monotonic()
            _log.warning(
                "unavailable",
                peer=name,
                error=type(error).__qualname__,
                reason=first_line(error),
            )

    def succeeded(self, name: str) -> None:
        """Note that the peer answered; logged with counts when it was down before."""
        outage = self._outages.pop(name, None)
        if outage is not None and outage.since is not None:
            seconds = round(time.monotonic() - outage.since, 1)
            _log.info(
                "available again", peer=name, failures=outage.failures, seconds=seconds
            )

    def is_down(self, name: str) -> bool:
        """Whether the last thing heard of the peer was a failure."""
        return name in self._outages


state_log = StateLog()


async def wait_for(
    name: str,
    attempt: Callable[[], Awaitable[T]],
    *,
    retry_on: type[Exception] | tuple[type[Exception], ...],
    first: float = 0.1,
    ceiling: float = 15.0,
    give_up_after: float | None = None,
) -> T:
    """Call ``attempt`` until it does not raise ``retry_on``, and return what it returns.

    Between calls it waits with growing pauses (seconds, at most ``ceiling``). Any other exception, and
    cancellation, goes through at once. With ``give_up_after`` seconds the last error is raised when
    that time is over; without it only cancellation ends the wait, which is what a message handler
    wants that holds its delivery until a peer is back. ``attempt`` must bound its own time.
    """
    deadline = None if give_up_after is None else time.monotonic() + give_up_after
    pauses = delays(first=first, ceiling=ceiling)
    while True:
        try:
            result = await attempt()
        except retry_on as error:
            state_log.failed(name, error)
            pause = next(pauses)
            if deadline is not None and time.monotonic() + pause > deadline:
                raise
            await asyncio.sleep(pause)
        else:
            state_log.succeeded(name)
            return result
