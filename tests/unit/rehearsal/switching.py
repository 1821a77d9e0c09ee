"""Switches whose clock a test moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from shared.vault.rehearsal.fault_switches import Switch, Switches
from shared.vault.rehearsal.switch_request import SwitchRequest


@dataclass
class Rehearsed:
    """The switches of a process, and its time."""

    now: datetime = datetime(2026, 1, 31, 10, tzinfo=UTC)
    switches: Switches = field(init=False)
    _count: int = 0

    def __post_init__(self) -> None:
        self.switches = Switches(lambda: self.now)

    def on(self, fault: str, **fields: str) -> Switch:
        wanted = SwitchRequest(fault=fault, **fields)
        self._count += 1
        made = wanted.switch(str(self._count), wanted.target(), self.now, "admin")
        assert self.switches.add(made)
        return made

    def later(self, **passed: float) -> None:
        self.now += timedelta(**passed)
