"""Runs a private PostgreSQL with its own data directory and port, apart from the machine's instance."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from local.failure import SystemFailed
from local.polling import answers_within
from local.processes import Command
from local.server_account import Account
from local.state import State

ADMINISTRATOR = "postgres_admin"
_START_WAIT = 60.0
_STOP_WAIT = 30.0
# Error details would repeat column values, and a log is no place for those.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "synchronous_commit": "on",
    "max_wal_size": "2GB",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
# Commits still wait until the operating system has them, which loses none of them with the server's process.
_NOT_DURABLE = {
    "fsync": "off",
    "full_page_writes": "off",
    # Tests may have the data in memory (tmpfs), which WAL must not fill.
    "max_wal_size": "256MB",
}


def find_binaries() -> Path | None:
    """Return the directory of the newest PostgreSQL server on this machine; None without one."""
    # Debian keeps the server of each version out of the PATH.
    candidates = Path("/usr/lib/postgresql").glob("*/bin")
    found = [path for path in candidates if (path / "initdb").exists()]
    if found:
        return max(found, key=_version)
    initdb = shutil.which("initdb")
    if initdb is None or shutil.which("postgres") is None:
        return None
    return Path(initdb).resolve().parent


def _version(binaries: Path) -> tuple[int, ...]:
    parts = binaries.parent.name.split(".")
    # Numbers, as "9" sorts after "15" among texts.
    return tuple(int(part) for part in parts if part.isdigit())


@dataclass(slots=True)
class PrivatePostgres:
    """The PostgreSQL server of one system, run from the machine's binaries."""

    state: State
    directory: Path
    logs: Path
    account: Account | None
    name: str = "postgres"
    durable: bool = True
    """Whether what is committed outlives a crash of the machine; that of the server alone it always does."""

    @property
    def running(self) -> bool:
        """Return whether its process runs."""
        process = self.state.process(self.name)
        return process is not None

    @property
    def settings(self) -> Mapping[str, str]:
        """Return the server's settings, its port aside."""
        return _SETTINGS if self.durable else _SETTINGS | _NOT_DURABLE

    @property
    def detail(self) -> str:
        """Return its address and process id, as a text for people."""
        process = self.state.process(self.name)
        if process is None:
            return "not running"
        port = self.state.ports[self.name]
        return f"127.0.0.1:{port}, process {process.pid}"

    @property
    def dsn(self) -> str:
        """Return the administrator's address of the maintenance database."""
        return self._dsn(ADMINISTRATOR, self.state.secret("postgres_admin"), "postgres")

    def database_dsn(self, name: str, password: str) -> str:
        """Return the address of database ``name`` for the role of the same name."""
        return self._dsn(name, password, name)

    async def start(self) -> None:
        """Start the server unless it runs, with a new data directory the first time.

        :raises SystemFailed: there are no server binaries, or the server did not start.
        """
        if not self.running:
            self._spawn()
        reason = await answers_within(_START_WAIT, self._ask)
        if reason is not None:
            raise SystemFailed(f"PostgreSQL does not answer: {reason}", self._log)

    async def stop(self) -> None:
        """Shut the server down: open transactions are rolled back, committed ones are on disk."""
        # SIGINT is PostgreSQL's fast shutdown; on SIGTERM it would wait for its clients to leave.
        await self.state.end(self.name, _STOP_WAIT, signal.SIGINT)

    async def kill(self) -> None:
        """End the server at once, as a crash would."""
        await self.state.end(self.name, _STOP_WAIT, signal.SIGKILL)

    def _spawn(self) -> None:
        binaries = find_binaries()
        if binaries is None:
            raise SystemFailed(
                "no PostgreSQL server on this machine: install the Debian package 'postgresql'"
            )
        self._initialise(binaries)
        settings = {**self.settings, "port": str(self.state.port(self.name))}
        options = [f"--{name}={value}" for name, value in settings.items()]
        command = self._command([binaries / "postgres", "-D", self._data, *options])
        self.state.started(self.name, command.spawn())

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    @property
    def _log(self) -> Path:
        return self.logs / "postgres.log"

    def _dsn(self, username: str, password: str, database: str) -> str:
        port = self.state.ports[self.name]
        return f"postgresql://{username}:{password}@127.0.0.1:{port}/{database}"

    def _command(self, arguments: list[str | Path]) -> Command:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
        }
        return Command(
            arguments,
            environment,
            self.directory,
            self._log,
            self.account,
        )

    def _initialise(self, binaries: Path) -> None:
        """Create the data directory unless it exists; an interrupted attempt leaves none."""
        if self._data.exists():
            return
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # By a file: arguments of a process can be read by every user of the machine.
        password = self.directory / "password"
        password.touch(mode=0o600)
        secret = self.state.secret("postgres_admin")
        password.write_text(secret, encoding="ascii")
        if self.account:
            self.account.own(self.directory)
            self.account.own(password)
        new = self.directory / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        options = [
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-instructions",
        ]
        options.append(f"--username={ADMINISTRATOR}")
        if not self.durable:
            options.append("--no-sync")
        # The password file is removed below: the server keeps a digest.
        options.append(f"--pwfile={password}")
        command = self._command([binaries / "initdb", "-D", new, *options])
        command.run(_START_WAIT)
        password.unlink()
        # Renamed when it is complete, as its existence means that nothing is left to do.
        new.rename(self._data)

    async def _ask(self) -> str | None:
        if not self.running:
            raise SystemFailed("PostgreSQL ended while starting", self._log)
        try:
            connection = await asyncpg.connect(self.dsn, timeout=5)
        except (OSError, asyncpg.PostgresError, TimeoutError) as error:
            return type(error).__name__
        await connection.close(timeout=5)
        return None
