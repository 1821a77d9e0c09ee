"""What outlives a start: ports, generated passwords and processes, in one private file."""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import Any

from local.failure import SystemFailed
from local.processes import Process

# Below the range that the kernel gives to outgoing connections, so that a port stays free while its server is away.
_PORTS = range(20000, 32000)
_ATTEMPTS = 200
# Ports that this process has given to servers; others of this machine see a name in the kernel for each.
_reserved: set[int] = set()


def write_private(path: Path, value: object) -> None:
    """Write JSON that only this user may read, replacing the file in one step."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with open(  # noqa: PTH123
        os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        json.dump(value, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def read_private(path: Path) -> Any:
    """Read JSON written by :func:`write_private`; None when there is no such file.

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
        """Read the state, or begin an empty one."""
        state = cls(path)
        state.reload()
        return state

    def reload(self) -> None:
        """Read again what another process may have written; what there is no file of stays as it is."""
        value = read_private(self.path)
        if value is not None:
            self.ports = dict(value["ports"])
            self.secrets = dict(value["secrets"])
            self.processes = {
                name: Process(**record) for name, record in value["processes"].items()
            }
            self.servers = Path(value["servers"])

    def clear(self) -> None:
        """Forget all but where servers keep their data."""
        self.ports, self.secrets, self.processes = {}, {}, {}

    def save(self) -> None:
        """Write the state."""
        processes = {name: process.record() for name, process in self.processes.items()}
        value = {
            "ports": self.ports,
            "secrets": self.secrets,
            "processes": processes,
            "servers": str(self.servers),
        }
        write_private(self.path, value)

    def port(self, name: str) -> int:
        """Return the port of a server about to start: the one it had if that is free, else a new one."""
        port = self.ports.get(name)
        if port is None or not _is_free(port):
            self.ports[name] = port = free_port(self.ports.values())
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
        return process if process is not None and process.running else None

    def started(self, name: str, process: Process) -> None:
        """Remember a process that was started."""
        self.processes[name] = process
        self.save()

    def ended(self, name: str) -> None:
        """Forget a process that ended."""
        if self.processes.pop(name, None) is not None:
            self.save()


def free_port(taken: Collection[int] = ()) -> int:
    """Choose a port that nothing listens on and that no process of this machine has chosen for a server.

    :raises SystemFailed: none was found.
    """
    for _ in range(_ATTEMPTS):
        # The system's own numbers: those of `random` are the same in processes that begin with one seed.
        port = secrets.choice(_PORTS)
        if port not in taken and _reserve(port) and _is_free(port):
            return port
    raise SystemFailed("found no free port")


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        # As servers do: connections of the last run that are still closing do not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _reserve(port: int) -> bool:
    """Keep other processes from choosing a port between this choice and the start of its server, and while it is away.

    A name in the kernel's own space of names is given up with its process, however that ends.
    """
    if port in _reserved:
        return False
    with socket.socket(socket.AF_UNIX) as name:
        try:
            name.bind(f"\0medical-crm-connection/port/{port}")
        except OSError:
            return False
        # Left open: what lasts as long as the process is never closed.
        name.detach()
    _reserved.add(port)
    return True


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file of a system while it is changed.

    :raises SystemFailed: another process is changing it.
    """
    with path.open("a", encoding="utf-8") as file:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except OSError as error:
            raise SystemFailed(
                "another start or stop of this system is under way"
            ) from error
        yield
