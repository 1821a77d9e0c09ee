"""Starts background processes, recognizes them by id and start time, and ends them."""

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
    """The identity of a process in the state file."""

    pid: int
    started: int
    boot: str


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this machine; ``started`` (clock ticks since boot) distinguishes it from a later one with its id."""

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """Return the running process with this id; None when it does not exist or is a zombie."""
        fields = _stat(pid)
        # Reaped after its state was read: an ended child is a zombie that still has fields.
        if pid in _reap():
            return None
        # Z: zombie, X: dead.
        if fields is None or fields[0] in "ZX":
            return None
        started = int(fields[19])
        return cls(pid, started, _boot())

    @property
    def running(self) -> bool:
        """Return whether this process still runs; a later process with the same id does not count."""
        current = Process.of(self.pid)
        return current == self

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this process, and never to a later one with its id."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            # The handle is bound to one process: if that is this one, the id cannot be reused before the signal.
            if self.running:
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return
        finally:
            os.close(handle)

    async def end(
        self, *, grace: float, first: signal.Signals = signal.SIGTERM
    ) -> bool:
        """End this process and those below it; return whether it ended within ``grace`` seconds after ``first``.

        After ``grace`` seconds the processes get SIGKILL.

        :raises SystemFailed: a process still runs after SIGKILL.
        """
        # Listed before the signal: children of an ended process have another parent.
        members = _offspring(self.pid) if self.running else []

        def ended() -> bool:
            return not self.running

        def all_ended() -> bool:
            return not any(member.running for member in members)

        self.send(first)
        obeyed = await holds_within(grace, ended)
        if not obeyed:
            self.send(signal.SIGKILL)
            if not await holds_within(_KILL_WAIT, ended):
                raise SystemFailed(f"process {self.pid} does not end")
        if not await holds_within(_REMNANT_WAIT, all_ended):
            for member in members:
                member.send(signal.SIGKILL)
            await holds_within(_KILL_WAIT, all_ended)
        return obeyed

    def record(self) -> ProcessRecord:
        """Return the record for the state file."""
        return {
            "pid": self.pid,
            "started": self.started,
            "boot": self.boot,
        }


@dataclass(frozen=True, slots=True)
class Command:
    """A command line with its environment, working directory, log file and user account."""

    arguments: Sequence[str | Path]
    environment: Mapping[str, str]
    directory: Path
    log: Path
    account: Account | None = None

    def spawn(self) -> Process:
        """Start the command in a session of its own, so that it outlives this process.

        :raises SystemFailed: the command could not be started, or ended at once.
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
                    # Ctrl-C in the terminal does not reach it.
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
        """Run the command to its end, for at most ``seconds``.

        :raises SystemFailed: the command failed or took longer.
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


def _reap() -> set[int]:
    """Free the ids of all our ended children, and return them.

    All, not only the requested one: another process may end a server, so that nobody here asks for it again, and a
    PostgreSQL server that starts would take the zombie named in its lock file for a living server.
    """
    ended = {pid for pid, child in _children.items() if child.poll() is not None}
    for pid in ended:
        del _children[pid]
    return ended


def _offspring(leader: int) -> list[Process]:
    """Return the processes below a process, and those in sessions that it or one of these leads."""
    links: dict[int, set[int]] = {}
    for entry in _PROC.iterdir():
        fields = _stat(int(entry.name)) if entry.name.isdigit() else None
        if fields is not None:
            parent, session = int(fields[1]), int(fields[3])
            links[int(entry.name)] = {parent, session}
    found = {leader}
    more = found
    while more:
        linked = {pid for pid, origins in links.items() if origins & found}
        more = linked - found
        found |= more
    processes = [Process.of(pid) for pid in found - {leader}]
    return [process for process in processes if process is not None]


def _stat(pid: int) -> list[str] | None:
    """Return the fields of ``/proc/{pid}/stat`` from the third (state) on; None when the process does not exist."""
    file = _PROC / str(pid) / "stat"
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field, the name, may have spaces and brackets in it; the rest begins after its last bracket.
    _, _, rest = text.rpartition(")")
    return rest.split()


def _boot() -> str:
    # Start times count from boot: after a restart of the machine, another process may have the same id and time.
    file = _PROC / "sys/kernel/random/boot_id"
    text = file.read_text(encoding="ascii")
    return text.strip()
