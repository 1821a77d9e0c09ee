"""Stores the active faults of one process in memory, and decides which calls or messages each fault applies to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.runtime.telemetry import metrics
from shared.vault.rehearsal.fault import CallFault, Fault, QueueFault
from shared.vault.rehearsal.path_patterns import PathPattern, segment_matches

MAX_SWITCHES = 20
WHOLE = 100  # percent

# By these an administrator ends what has been switched on, and others see that it is on: they are never struck.
NEVER_STRUCK = tuple(
    PathPattern.read(text)
    for text in (
        "/api/*/services/rehearsal/**",
        "/ui/rehearsal/**",
        "/ui/sign-in",
        "/ui/sign-out",
        "/ui/password",
        "/ui/static/**",
        "/metrics",
    )
)
# Struck only by a switch that names them: clients could not begin, or supervisors would end the process.
STRUCK_BY_NAME = tuple(
    PathPattern.read(text)
    for text in (
        "/api/*/auth",
        "/auth/discovery",
        "/auth/oauth/session/*",
        "/healthz",
        "/readyz",
    )
)


@dataclass(frozen=True, slots=True)
class Target:
    """The calls or messages that a switch applies to: by path, method, user and client; or by queue.

    Empty texts mean all; ``path`` is None for a fault of queues.
    """

    path: PathPattern | None
    method: str = ""
    user: str = ""
    client_id: str = ""
    queue: str = "*"

    def may_strike(self, method: str, path: str, client_id: str) -> bool:
        """Return whether a switch may apply to a call, before its user is known."""
        if self.path is None or self.method not in ("", method):
            return False
        if self.client_id not in ("", client_id) or not self.path.matches(path):
            return False
        return self.path.names(path) or not _matched(STRUCK_BY_NAME, path)


@dataclass(slots=True)
class Switch:
    """An active fault: it applies to the next ``calls`` calls or messages, or to ``share`` percent until its end.

    One of ``calls`` and ``share`` is None. ``seconds`` is the duration of each fault.
    """

    switch_id: str
    fault: Fault
    target: Target
    calls: int | None
    share: int | None
    seconds: float
    until: datetime
    set_by: str
    struck: int = 0
    _gathered: int = 0

    @property
    def used_up(self) -> bool:
        """Return whether the fault has been applied to all the calls that the switch is for."""
        return self.calls is not None and self.struck >= self.calls

    def strikes(self) -> bool:
        """Count one more matching call or message, and return whether the fault applies to this one."""
        if self.used_up:
            return False
        if self.share is not None:
            # Evenly spread, not drawn: of a hundred calls exactly so many.
            self._gathered += self.share
            if self._gathered < WHOLE:
                return False
            self._gathered -= WHOLE
        self.struck += 1
        if self.used_up:
            metrics.fault_switches.dec()
        metrics.faults_struck.labels(self.fault.name).inc()
        return True

    def described(self) -> str:
        """Return a description of the switch, in one line."""
        amount = f"{self.share} %" if self.calls is None else f"the next {self.calls}"
        target = self.target
        if target.path is None:
            what = f"messages of queue {target.queue}"
        else:
            verb = target.method or "every method"
            what = f"calls, {verb} {target.path.text}"
        whose = ""
        if target.user:
            whose += f", user {target.user}"
        if target.client_id:
            whose += f", client {target.client_id}"
        return f"{self.fault.name}: {amount} {what}{whose}"


def _now() -> datetime:
    return datetime.now(UTC)


class Switches:
    """The switches of one process; each ends at its time, and with the process.

    ``known_by_id`` also contains used up and expired ones. It is nearly always empty: check it before asking about each
    call or message.
    """

    def __init__(self, clock: Callable[[], datetime] = _now) -> None:
        self._clock = clock
        self.known_by_id: dict[str, Switch] = {}

    @property
    def now(self) -> datetime:
        """Return the present time, by which switches end."""
        return self._clock()

    def known(self) -> list[Switch]:
        """Return the switches that have not ended, also used up ones, in the order of their begin."""
        now = self.now
        overdue = [each for each in self.known_by_id.values() if each.until <= now]
        for switch in overdue:
            self._forget(switch)
        return list(self.known_by_id.values())

    def on(self) -> list[Switch]:
        """Return the switches that may still apply."""
        return [each for each in self.known() if not each.used_up]

    def add(self, switch: Switch) -> bool:
        """Add a switch; return False without adding it when too many are active."""
        if len(self.on()) >= MAX_SWITCHES:
            return False
        used_up = [each for each in self.known() if each.used_up]
        # What is used up is shown for as long as there is room for it.
        too_many = max(0, len(self.known_by_id) + 1 - MAX_SWITCHES)
        for former in used_up[:too_many]:
            self._forget(former)
        self.known_by_id[switch.switch_id] = switch
        metrics.fault_switches.inc()
        return True

    def remove(self, switch_id: str | None) -> list[Switch]:
        """End one switch, or with None all; return the ended ones."""
        ended = [s for s in self.known() if switch_id in (None, s.switch_id)]
        for switch in ended:
            self._forget(switch)
        return ended

    def _forget(self, switch: Switch) -> None:
        del self.known_by_id[switch.switch_id]
        # What is used up was taken off the count by its last strike.
        if not switch.used_up:
            metrics.fault_switches.dec()

    def has(self, switch_id: str) -> bool:
        """Return whether a switch has not ended."""
        return any(each.switch_id == switch_id for each in self.known())

    def for_call(self, method: str, path: str, client_id: str) -> Iterator[Switch]:
        """Yield the switches that may apply to a call, before its user is known.

        :meth:`Switch.strikes` counts the call.
        """
        on = self.on()
        if _matched(NEVER_STRUCK, path):
            return
        for switch in on:
            if not isinstance(switch.fault, CallFault):
                continue
            if switch.target.may_strike(method, path, client_id):
                yield switch

    def for_message(self, queue: str) -> Iterator[Switch]:
        """Yield the switches that may apply to a message of a queue."""
        for switch in self.on():
            if not isinstance(switch.fault, QueueFault):
                continue
            if segment_matches(switch.target.queue, queue):
                yield switch


def _matched(patterns: Iterable[PathPattern], path: str) -> bool:
    return any(pattern.matches(path) for pattern in patterns)
