"""Waiting for something that will come back: growing pauses, one log line per change of state."""

from __future__ import annotations

import asyncio
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Hashable,
    Iterable,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, TypeVar

from shared.runtime.logging import first_line, get_logger
from shared.runtime.retry_policies import PEER_AWAY, RetryPolicy

T = TypeVar("T")
_log = get_logger(__name__)


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
    policy: RetryPolicy = PEER_AWAY,
    give_up_after: float | None = None,
) -> T:
    """Call ``attempt`` until it does not raise ``retry_on``, and return what it returns.

    Between calls it waits with the growing pauses of ``policy``. Any other exception, and
    cancellation, goes through at once. With ``give_up_after`` seconds the last error is raised when
    that time is over; without it only cancellation ends the wait, which is what a message handler
    wants that holds its delivery until a peer is back. ``attempt`` must bound its own time.
    """
    deadline = None if give_up_after is None else time.monotonic() + give_up_after
    pauses = policy.pauses()
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


@asynccontextmanager
async def concurrently() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group whose first failure is raised as itself, the other tasks having been cancelled and awaited."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def each_to_its_end(work: Iterable[Awaitable[object]]) -> None:
    """Run independent work at once, none of it broken off when other fails; the first failure is raised at the end."""
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


class KeyLocks:
    """Locks by key: a holder has all of its keys or none, so holders of disjoint keys run side by side."""

    def __init__(self) -> None:
        self._held: dict[Hashable, asyncio.Event] = {}

    @asynccontextmanager
    async def hold(self, keys: Iterable[Hashable]) -> AsyncIterator[None]:
        """Wait until none of the keys is held, then hold them all."""
        wanted = tuple(dict.fromkeys(keys))
        while (
            busy := next((self._held[key] for key in wanted if key in self._held), None)
        ) is not None:
            await busy.wait()
        released = asyncio.Event()
        self._held.update(dict.fromkeys(wanted, released))
        try:
            yield
        finally:
            for key in wanted:
                del self._held[key]
            released.set()


class FreshValue(Generic[T]):
    """A loaded value that is loaded again when it may be older than what the asker already knows.

    A value whose load *started* before the asker's moment could miss a change made just before that moment.
    Askers share one load at a time.
    """

    def __init__(self, load: Callable[[], Awaitable[T]]) -> None:
        self._load = load
        self._value: T | None = None
        self._started: datetime | None = None
        self._loading = asyncio.Lock()

    async def since(self, moment: datetime) -> T:
        """The value as it was at ``moment`` or later; raises what the load raises.

        A moment that lies ahead of this clock counts as now.
        """
        needed = min(moment, datetime.now(UTC))
        if self._value is None or self._started is None or self._started < needed:
            async with self._loading:
                if (
                    self._value is None
                    or self._started is None
                    or self._started < needed
                ):
                    started = datetime.now(UTC)
                    self._value = await self._load()
                    self._started = started
        return self._value
