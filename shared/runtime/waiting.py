"""Waits for other tasks and peers: for a peer to come back, tasks to end, a key to be free, a value to be loaded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Hashable,
    Iterable,
    Iterator,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from shared.runtime.logging import first_line, get_logger
from shared.runtime.retry_policies import BACKGROUND_WORK, PEER_AWAY, RetryPolicy

T = TypeVar("T")
_log = get_logger(__name__)


@dataclass(slots=True)
class _Outage:
    """The outage of a peer, shared by all tasks that wait for it in this process."""

    since: float | None = None
    failures: int = 0


@dataclass(slots=True)
class StateLog:
    """Logs when a named peer goes down and when it is up again; ``outages`` has the peers that are down."""

    outages: dict[str, _Outage] = field(default_factory=dict)

    def failed(self, name: str, error: BaseException) -> None:
        """Count a failure; the first one since the peer was last up is logged."""
        outage = self.outages.setdefault(name, _Outage())
        outage.failures += 1
        # One line for an outage: a hundred messages that wait for one Vault would else repeat it each second.
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
        outage = self.outages.pop(name, None)
        if outage is not None and outage.since is not None:
            seconds = round(time.monotonic() - outage.since, 1)
            _log.info(
                "available again", peer=name, failures=outage.failures, seconds=seconds
            )

    def is_down(self, name: str) -> bool:
        """Return whether the latest attempt to reach the peer failed."""
        return name in self.outages


state_log = StateLog()


async def wait_for(
    name: str,
    attempt: Callable[[], Awaitable[T]],
    *,
    retry_on: type[Exception] | tuple[type[Exception], ...],
    policy: RetryPolicy = PEER_AWAY,
    give_up_after: float | None = None,
) -> T:
    """Call ``attempt`` until it raises no ``retry_on``, and return its result.

    Between calls it waits with the growing pauses of ``policy``. Any other exception, and cancellation, is raised at
    once. With ``give_up_after`` seconds the last error is raised when that time is over; without it the wait ends only
    by cancellation: a message handler waits so until a peer is back. ``attempt`` must limit its own time.
    """
    deadline = None if give_up_after is None else time.monotonic() + give_up_after
    # Hardly a call needs any.
    pauses: Iterator[float] | None = None
    while True:
        try:
            result = await attempt()
        except retry_on as error:
            state_log.failed(name, error)
            pauses = pauses or policy.pauses()
            pause = next(pauses)
            # Ended before the pause instead of after it, because it would end too late.
            if deadline is not None and time.monotonic() + pause > deadline:
                raise
            await asyncio.sleep(pause)
        else:
            state_log.succeeded(name)
            return result


@asynccontextmanager
async def concurrently() -> AsyncIterator[asyncio.TaskGroup]:
    """Open a task group whose first failure is raised as itself, once the other tasks are cancelled and have ended."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    # Callers catch the errors of one call, and know nothing of groups; the others were caused by the first.
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def each_to_its_end(work: Iterable[Awaitable[object]]) -> None:
    """Run independent work at once; a failure cancels nothing else, and the first one is raised at the end."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


class KeyLocks:
    """Locks by key: a holder has all of its keys or none, so that holders of disjoint keys run at the same time.

    No task waits while it holds only some of its keys, so that no two holders wait for each other.
    """

    def __init__(self) -> None:
        self._released: dict[Hashable, asyncio.Event] = {}

    def holds(self, key: Hashable) -> bool:
        """Return whether a task holds the key."""
        return key in self._released

    async def all_free(self) -> None:
        """Wait until no task holds any key."""
        while self._released:
            released = next(iter(self._released.values()))
            await released.wait()

    @asynccontextmanager
    async def hold(self, keys: Iterable[Hashable]) -> AsyncIterator[None]:
        """Wait until all of the keys are free, and lock them while the body runs."""
        wanted = tuple(dict.fromkeys(keys))
        # All keys are looked at again after each wait: others may have taken some of them meanwhile.
        while not self._released.keys().isdisjoint(wanted):
            busy = next(key for key in wanted if key in self._released)
            await self._released[busy].wait()
        # Nothing is awaited between the look and this, so that no other task comes in between.
        released = asyncio.Event()
        self._released.update(dict.fromkeys(wanted, released))
        try:
            yield
        finally:
            for key in wanted:
                del self._released[key]
            released.set()


@dataclass(frozen=True, slots=True)
class _Loaded(Generic[T]):
    value: T
    started: datetime


class FreshValue(Generic[T]):
    """A cached value that is loaded again when it may be older than the moment that the caller knows of.

    A value whose load *started* before the caller's moment could miss a change made just before that moment. Callers
    share one load at a time.
    """

    def __init__(
        self,
        load: Callable[[], Awaitable[T]],
        refresh: Callable[[T, datetime], Awaitable[T | None]] | None = None,
    ) -> None:
        """Take ``load``, and ``refresh``, which may bring a value up to a later moment with less work.

        ``refresh`` returns None when the value has to be loaded again.
        """
        self._load = load
        self._refresh = refresh
        self._loaded: _Loaded[T] | None = None
        self._loading = asyncio.Lock()

    async def since(self, moment: datetime) -> T:
        """Return the value as it was at ``moment`` or later.

        :raises Exception: what the load raises.
        """
        # Moments come from other clocks: one ahead of this clock would have every call load again.
        needed = min(moment, datetime.now(UTC))
        known = self._loaded
        if known is not None and known.started >= needed:
            return known.value
        async with self._loading:
            # The task that had the lock before has most likely loaded what is needed.
            known = self._loaded
            if known is None or known.started < needed:
                known = self._loaded = await self._renewed(known, needed)
        return known.value

    async def _renewed(self, known: _Loaded[T] | None, needed: datetime) -> _Loaded[T]:
        if known is not None and self._refresh is not None:
            refreshed = await self._refresh(known.value, needed)
            if refreshed is not None:
                # It may have changed right afterwards: it may be outdated for later moments.
                return _Loaded(refreshed, needed)
        started = datetime.now(UTC)
        value = await self._load()
        return _Loaded(value, started)


CANCEL_AGAIN_SECONDS = 0.5


async def run_until_cancelled(
    name: str,
    work: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    """Run ``work`` again, after a growing pause, whenever it returns or raises.

    For background loops that have to live as long as the process: a fault in one is logged with its trace and never
    ends it silently. Only cancellation ends it.
    """
    pauses = BACKGROUND_WORK.pauses()
    while True:
        try:
            await work()
            _log.warning("background work ended, starting it again", work=name)
        except Exception:  # noqa: BLE001  whatever it was, the work has to go on
            _log.exception("background work failed, starting it again", work=name)
        await asyncio.sleep(next(pauses))


async def end(task: asyncio.Task[None] | None) -> None:
    """Cancel a task and return when it has ended, also by an error; None is a task that was never started."""
    # Drivers lose a cancellation that arrives in the instant at which a call of theirs is answered, and the task goes
    # on: so it is cancelled until it has ended.
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_AGAIN_SECONDS)
