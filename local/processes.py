"""Starting background processes, knowing them again by id and start time, and ending them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from local.failure import SystemFailed
from local.polling import holds_within
from local.server_account import Account

_PROC = Path("/proc")
_KILL_WAIT = 10.0
_REMNANT_WAIT = 3.0
# Our own children, kept so that an ended one is reaped and never counts as running.
_children: dict[int, subprocess.Popen[bytes]] = {}


class ProcessRecord(TypedDict):
    """A process identity as it stands in the state file."""

    pid: int
    started: int
    boot: str


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this machine; the start time (clock ticks since boot) tells a recycled id apart."""

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """Return the running process with this id; None when there is none, or only its remains."""
        fields = _stat(pid)
        # Asked after the look: what was dead by then is reaped here, so that its id is free for whoever
        # takes a dead process's id for a living one, as a PostgreSQL server that starts again does.
        if (child := _children.get(pid)) is not None and child.poll() is not None:
            del _children[pid]
            return None
        if fields is None or fields[0] in "ZX":
            return None
        return cls(pid, int(fields[19]), _boot())

    @property
    def running(self) -> bool:
        """Whether this very process still runs."""
        return Process.of(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Signal this process; another one that has its id by now never gets the signal."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            # The handle is bound to one process: what is true of it now stays true until it is signalled.
            if self.running:
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return
        finally:
            os.close(handle)

    async def end(
        self, *, grace: float, first: signal.Signals = signal.SIGTERM
    ) -> bool:
        """End it and what it started: ``first``, after ``grace`` seconds SIGKILL. Return whether it obeyed.

        :raises SystemFailed: it still runs after SIGKILL.
        """
        members = _offspring(self.pid) if self.running else []
        self.send(first)
        obeyed = await holds_within(grace, lambda: not self.running)
        if not obeyed:
            self.send(signal.SIGKILL)
            if not await holds_within(_KILL_WAIT, lambda: not self.running):
                raise SystemFailed(f"process {self.pid} does not end")
        if not await holds_within(
            _REMNANT_WAIT, lambda: not any(member.running for member in members)
        ):
            for member in members:
                member.send(signal.SIGKILL)
            await holds_within(
                _KILL_WAIT, lambda: not any(member.running for member in members)
            )
        return obeyed

    def record(self) -> ProcessRecord:
        """Return the form that the state file keeps."""
        return {"pid": self.pid, "started": self.started, "boot": self.boot}


@dataclass(frozen=True, slots=True)
class Command:
    """What to start, with which environment, where, writing to which log, and as whom."""

    arguments: Sequence[str | Path]
    environment: Mapping[str, str]
    directory: Path
    log: Path
    account: Account | None = None

    def spawn(self) -> Process:
        """Start it in a session of its own, so that it outlives whoever started it.

        :raises SystemFailed: it could not be started, or ended at once.
        """
        try:
            with self.log.open("ab") as log:
                child = subprocess.Popen(
                    [str(argument) for argument in self.arguments],
                    env=dict(self.environment),
                    cwd=self.directory,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    **(self.account.popen_arguments() if self.account else {}),
                )
        except OSError as error:
            raise SystemFailed(
                f"cannot start {self.arguments[0]}: {error.strerror}", self.log
            ) from error
        _children[child.pid] = child
        process = Process.of(child.pid)
        if process is None:
            raise SystemFailed(
                f"{Path(self.arguments[0]).name} ended at once", self.log
            )
        return process

    def run(self, seconds: float) -> None:
        """Run it to its end, within ``seconds``.

        :raises SystemFailed: it failed or took longer.
        """
        try:
            with self.log.open("ab") as log:
                subprocess.run(
                    [str(argument) for argument in self.arguments],
                    env=dict(self.environment),
                    cwd=self.directory,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    timeout=seconds,
                    check=True,
                    **(self.account.popen_arguments() if self.account else {}),
                )
        except (OSError, subprocess.SubprocessError) as error:
            raise SystemFailed(
                f"{Path(self.arguments[0]).name} failed: {type(error).__name__}",
                self.log,
            ) from error


def _offspring(leader: int) -> list[Process]:
    """Return what runs below a process, and what else runs in its session."""
    stats = {
        int(entry.name): _stat(int(entry.name))
        for entry in _PROC.iterdir()
        if entry.name.isdigit()
    }
    links = {
        pid: (int(fields[1]), int(fields[3])) for pid, fields in stats.items() if fields
    }
    found = {leader}
    while (
        more := {
            pid for pid, (parent, session) in links.items() if {parent, session} & found
        }
        - found
    ):
        found |= more
    return [process for pid in found - {leader} if (process := Process.of(pid))]


def _stat(pid: int) -> list[str] | None:
    """Return the fields of ``/proc/{pid}/stat`` from the third (state) on."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def _boot() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
