"""Stores the ports, generated passwords and processes of a system between starts, in one private file."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import Any

from local.failure import SystemFailed
from local.processes import Process

# Below the range that the kernel uses for outgoing connections, so that a port stays free while its server is stopped.
_PORTS = range(20000, 32000)
_ATTEMPTS = 200
# Ports that this process has chosen for servers; other processes of this machine see a socket name for each.
_reserved: set[int] = set()


def write_private(path: Path, value: object) -> None:
    """Write JSON that only this user may read, replacing the file in one step."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    # Created with its mode: at no time may another user open it.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    descriptor = os.open(new, flags, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(value, file, indent=2)
        file.write("\n")
        file.flush()
        # On disk before it replaces the old file, or a crash of the machine could leave an empty one.
        os.fsync(file.fileno())
    new.replace(path)


def read_private(path: Path) -> Any:
    """Read JSON written by :func:`write_private`; return None when the file does not exist.

    :raises SystemFailed: the file is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise SystemFailed(
            f"{path} cannot be read; remove it after ending the processes that it lists"
        ) from error


@dataclass(slots=True)
class State:
    """The state file of one system, written after each change."""

    path: Path
    ports: dict[str, int] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    processes: dict[str, Process] = field(default_factory=dict)
    servers: Path | None = None

    @classmethod
    def load(cls, path: Path) -> State:
        """Read the state file, or begin an empty state when there is none."""
        state = cls(path)
        state.reload()
        return state

    def reload(self) -> None:
        """Read changes that another process may have written since; change nothing when there is no file."""
        value = read_private(self.path)
        if value is None:
            return
        self.ports = dict(value["ports"])
        self.secrets = dict(value["secrets"])
        records = value["processes"]
        self.processes = {name: Process(**record) for name, record in records.items()}
        self.servers = Path(value["servers"])

    def clear(self) -> None:
        """Remove everything except the folder in which servers keep their data."""
        self.ports = {}
        self.secrets = {}
        self.processes = {}

    def save(self) -> None:
        """Write the state file."""
        processes = {name: process.record() for name, process in self.processes.items()}
        value = {
            "ports": self.ports,
            "secrets": self.secrets,
            "processes": processes,
            "servers": str(self.servers),
        }
        write_private(self.path, value)

    def port(self, name: str) -> int:
        """Return the port of a server about to start: its earlier one if that is free, otherwise a new one."""
        port = self.ports.get(name)
        if port is not None and _is_free(port):
            return port
        taken = self.ports.values()
        port = free_port(taken)
        self.ports[name] = port
        self.save()
        return port

    def secret(self, name: str) -> str:
        """Return the password by this name, generated on first use."""
        if name not in self.secrets:
            self.secrets[name] = secrets.token_hex(16)
            self.save()
        return self.secrets[name]

    def process(self, name: str) -> Process | None:
        """Return the process by this name if it runs."""
        process = self.processes.get(name)
        if process is None or not process.running:
            return None
        return process

    def started(self, name: str, process: Process) -> None:
        """Record a process that was started."""
        self.processes[name] = process
        self.save()

    async def end(
        self,
        name: str,
        grace: float,
        first: signal.Signals = signal.SIGTERM,
    ) -> None:
        """End the process by this name, if it runs, and remove its record; see :meth:`Process.end`."""
        process = self.process(name)
        if process is not None:
            await process.end(grace=grace, first=first)
        self.ended(name)

    def ended(self, name: str) -> None:
        """Remove the record of a process that ended."""
        if self.processes.pop(name, None) is not None:
            self.save()


def free_port(taken: Collection[int] = ()) -> int:
    """Return a port that nothing listens on and that no process of this machine has chosen for a server.

    :raises SystemFailed: none was found.
    """
    for _ in range(_ATTEMPTS):
        # Not by `random`: test processes begin with the same seed and would all try the same ports.
        port = secrets.choice(_PORTS)
        if port in taken:
            continue
        if _reserve(port) and _is_free(port):
            return port
    raise SystemFailed("found no free port")


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        # Servers set it too: without it, connections of the last run that are still closing would occupy the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _reserve(port: int) -> bool:
    """Reserve a port for this process; return False when one of this machine has reserved it already.

    The reservation lasts until this process ends, also while no server listens on the port.
    """
    if port in _reserved:
        return False
    # An abstract socket name, which the kernel removes with its process, however that ends; a file would stay.
    with socket.socket(socket.AF_UNIX) as name:
        try:
            name.bind(f"\0medical-crm-connection/port/{port}")
        except OSError:
            return False
        # Left open, as closing it would end the reservation.
        name.detach()
    _reserved.add(port)
    return True


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file of a system while it is changed.

    :raises SystemFailed: another process is changing it.
    """
    with path.open("a", encoding="utf-8") as file:
        # The kernel releases the lock with the process, however that ends.
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except OSError as error:
            raise SystemFailed(
                "another start or stop of this system is under way"
            ) from error
        yield
