"""Real PostgreSQL and RabbitMQ for tests: at addresses in the environment, in Docker, or from local binaries."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import docker
from docker.errors import DockerException
from testcontainers.core.container import DockerContainer

from local.broker import broker_answers, management_api
from local.failure import SystemFailed
from local.polling import answers_within
from local.postgres import PrivatePostgres, find_binaries
from local.rabbitmq import PrivateRabbit, find_server
from local.server_account import server_account, server_directory
from local.servers import PostgresServer, RabbitServer
from local.state import State
from local.system import System
from local.system_parts import PRODUCTION

POSTGRES_IMAGE = "postgres:17"
RABBITMQ_IMAGE = "rabbitmq:4-management"
# The environment variable with the directory of a run, in which each of its workers has directories of its own.
RUN_DIRECTORY = "TEST_RUN_DIRECTORY"
_STATE_FILES = ("state.json", "postgres.json", "rabbitmq.json")
_MEMORY = "/dev/shm"  # noqa: S108  what is made in it has names of its own
_ROOM = 8 * 2**30
_START_WAIT = 120.0
_STOP_WAIT = 20.0
_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Vhost:
    """An empty virtual host for one test: its AMQP address as administrator, and the management API."""

    name: str
    amqp_url: str
    management_url: str
    username: str
    password: str


@dataclass(slots=True)
class ExternalPostgres:
    """A PostgreSQL server that the environment names; it is neither started nor stopped."""

    dsn: str
    name: str = "postgres"
    running: bool = True

    @property
    def detail(self) -> str:
        return urlsplit(self.dsn).netloc.rpartition("@")[2]

    def database_dsn(self, name: str, password: str) -> str:
        parts = urlsplit(self.dsn)
        place = parts.netloc.rpartition("@")[2]
        return urlunsplit(
            parts._replace(netloc=f"{name}:{password}@{place}", path=f"/{name}")
        )

    async def start(self) -> None:
        reason = await answers_within(_START_WAIT, self._ask)
        if reason is not None:
            raise SystemFailed(f"PostgreSQL at {self.detail} does not answer: {reason}")

    async def stop(self) -> None:
        """Leave it as it is."""

    async def kill(self) -> None:
        raise SystemFailed("a server given by its address is not ours to kill")

    async def _ask(self) -> str | None:
        try:
            connection = await asyncpg.connect(self.dsn, timeout=5)
        except (OSError, asyncpg.PostgresError, TimeoutError) as error:
            return type(error).__name__
        await connection.close(timeout=5)
        return None


@dataclass(slots=True)
class ExternalRabbit:
    """A RabbitMQ server that the environment names; it is neither started nor stopped."""

    amqp_url: str
    management_url: str
    name: str = "rabbitmq"
    running: bool = True

    @property
    def detail(self) -> str:
        return urlsplit(self.amqp_url).netloc.rpartition("@")[2]

    @property
    def username(self) -> str:
        return urlsplit(self.amqp_url).username or "guest"

    @property
    def password(self) -> str:
        return urlsplit(self.amqp_url).password or "guest"

    def vhost_url(self, username: str, password: str, vhost: str) -> str:
        return f"amqp://{username}:{password}@{self.detail}/{vhost}"

    async def start(self) -> None:
        who = (self.username, self.password)
        reason = await answers_within(
            _START_WAIT, lambda: broker_answers(self.management_url, who)
        )
        if reason is not None:
            raise SystemFailed(
                f"RabbitMQ at {self.management_url} does not answer: {reason}"
            )

    async def stop(self) -> None:
        """Leave it as it is."""

    async def discard(self) -> None:
        await self.stop()

    async def kill(self) -> None:
        raise SystemFailed("a server given by its address is not ours to kill")


class DockerPostgres(ExternalPostgres):
    """PostgreSQL in a container, on a port that stays the same after a kill and restart."""

    def __init__(self, port: int) -> None:
        password = secrets.token_hex(8)
        super().__init__(
            f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres", running=False
        )
        container = DockerContainer(POSTGRES_IMAGE).with_env(
            "POSTGRES_PASSWORD", password
        )
        self._container = _Container(container.with_bind_ports(5432, port))

    async def start(self) -> None:
        await self._container.start()
        await super().start()
        self.running = True

    async def stop(self) -> None:
        await self._container.stop()
        self.running = False

    async def kill(self) -> None:
        await self._container.kill()
        self.running = False

    def remove(self) -> None:
        self._container.remove()


class DockerRabbit(ExternalRabbit):
    """RabbitMQ in a container, on ports that stay the same after a kill and restart."""

    def __init__(self, port: int, management_port: int) -> None:
        password = secrets.token_hex(8)
        address = f"amqp://admin:{password}@127.0.0.1:{port}"
        super().__init__(address, f"http://127.0.0.1:{management_port}", running=False)
        container = (
            DockerContainer(RABBITMQ_IMAGE)
            .with_bind_ports(5672, port)
            .with_bind_ports(15672, management_port)
        )
        container = container.with_env("RABBITMQ_DEFAULT_USER", "admin").with_env(
            "RABBITMQ_DEFAULT_PASS", password
        )
        self._container = _Container(container)

    async def start(self) -> None:
        await self._container.start()
        await super().start()
        self.running = True

    async def stop(self) -> None:
        await self._container.stop()
        self.running = False

    async def kill(self) -> None:
        await self._container.kill()
        self.running = False

    def remove(self) -> None:
        self._container.remove()


class _Container:
    """A container that can be killed and started again with its data."""

    def __init__(self, container: DockerContainer) -> None:
        # The reaper is an image that not every registry mirror has; what is started here is removed here.
        os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
        self._container = container
        self._created = False

    async def start(self) -> None:
        if self._created:
            await asyncio.to_thread(self._wrapped().start)
        else:
            await asyncio.to_thread(self._container.start)
            self._created = True

    async def kill(self) -> None:
        await asyncio.to_thread(self._wrapped().kill)

    async def stop(self) -> None:
        if self._created:
            await asyncio.to_thread(self._wrapped().stop)

    def remove(self) -> None:
        if self._created:
            self._container.stop()

    def _wrapped(self) -> Any:
        return self._container.get_wrapped_container()


@dataclass(frozen=True, slots=True)
class Provider:
    """Makes servers; each call returns one that is not started yet. ``close`` removes their files."""

    kind: str
    directory: Path
    containers: list[DockerPostgres | DockerRabbit] = field(default_factory=list)

    @classmethod
    def choose(cls, *, private: bool = False) -> Provider:
        """Return the first available provider: addresses in the environment, a Docker engine, local binaries.

        ``TEST_SERVERS`` (docker or local) selects one. With ``private`` its servers may be killed by tests: none at an
        address, and local binaries first, since they start faster.

        :raises SystemFailed: there is none.
        """
        forced = os.environ.get("TEST_SERVERS")
        available = {
            "environment": _has_addresses,
            "docker": _has_docker,
            "local": _has_binaries,
        }
        order = ("local", "docker") if private else tuple(available)
        for kind in (forced,) if forced in available else order:
            if available[kind]():
                return cls(kind, new_directory(os.environ.get(RUN_DIRECTORY)))
        raise SystemFailed(
            "no servers for tests: set TEST_POSTGRES_DSN, TEST_RABBITMQ_URL and TEST_RABBITMQ_MANAGEMENT_URL, "
            "start a Docker engine, or install the Debian packages 'postgresql' and 'rabbitmq-server'"
        )

    def postgres(self) -> PostgresServer:
        """Return a PostgreSQL server."""
        if self.kind == "environment":
            return ExternalPostgres(os.environ["TEST_POSTGRES_DSN"])
        state, logs, base = self._place("postgres")
        if self.kind == "docker":
            container = DockerPostgres(state.port("postgres"))
            self.containers.append(container)
            return container
        return PrivatePostgres(
            state, base / "postgres", logs, server_account("postgres"), durable=False
        )

    def rabbitmq(self) -> RabbitServer:
        """Return a RabbitMQ server."""
        if self.kind == "environment":
            return ExternalRabbit(
                os.environ["TEST_RABBITMQ_URL"].rstrip("/"),
                os.environ["TEST_RABBITMQ_MANAGEMENT_URL"],
            )
        state, logs, base = self._place("rabbitmq")
        if self.kind == "docker":
            container = DockerRabbit(state.port("amqp"), state.port("management"))
            self.containers.append(container)
            return container
        return PrivateRabbit(state, base / "rabbitmq", logs, server_account("rabbitmq"))

    def close(self) -> None:
        """Remove containers and files of servers, which must be stopped."""
        for container in self.containers:
            container.remove()
        for file in self.directory.glob("*.json"):
            shutil.rmtree(
                State.load(file).servers or self.directory, ignore_errors=True
            )
        shutil.rmtree(self.directory, ignore_errors=True)

    def _place(self, name: str) -> tuple[State, Path, Path]:
        logs = self.directory / "logs"
        logs.mkdir(exist_ok=True)
        state = State.load(self.directory / f"{name}.json")
        state.servers = server_directory(
            self.directory, [server_account("postgres"), server_account("rabbitmq")]
        )
        return state, logs, state.servers


def new_directory(parent: str | None = None) -> Path:
    """Make a directory that the servers' accounts may enter, unlike pytest's own; in memory, if that suffices."""
    where = parent or _memory()
    directory = Path(tempfile.mkdtemp(prefix="connection-test-", dir=where))
    directory.chmod(0o711)
    return directory


def _memory() -> str | None:
    """Return a folder that is in memory and has room for the servers of a run; None without one."""
    try:
        room = min(shutil.disk_usage(_MEMORY).free, _available())
    except OSError:
        return None
    # Each test's database is thousands of files, which ext4 takes four times as long to make and to remove.
    return _MEMORY if room >= _ROOM else None


def _available() -> int:
    """Return how many bytes of memory may be taken without swapping."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    known = dict(line.split(":") for line in lines)
    return int(known["MemAvailable"].split()[0]) * 1024


async def end_what_is_left(*directories: Path) -> None:
    """End the processes in state files below these directories, and remove the servers' files elsewhere.

    After a complete run there are none. An interrupted run gives its workers a few seconds, which are too short to stop
    servers.
    """
    # A walk passes over folders that a worker is just removing.
    walks = (os.walk(directory) for directory in directories)
    found = [
        Path(folder, name)
        for walk in walks
        for folder, _, names in walk
        for name in names
    ]
    for file in (file for file in found if file.name in _STATE_FILES):
        try:
            state = State.load(file)
        except SystemFailed:  # written by a test as it should not be
            continue
        for name, process in state.processes.items():
            # PostgreSQL would wait for its clients after the other signal.
            await process.end(
                grace=_STOP_WAIT,
                first=signal.SIGINT if name == "postgres" else signal.SIGTERM,
            )
        if state.servers is not None:
            shutil.rmtree(state.servers, ignore_errors=True)


def _has_addresses() -> bool:
    names = ("TEST_POSTGRES_DSN", "TEST_RABBITMQ_URL", "TEST_RABBITMQ_MANAGEMENT_URL")
    return all(os.environ.get(name) for name in names)


def _has_docker() -> bool:
    try:
        client = docker.from_env(timeout=5)
    except DockerException:
        return False
    client.close()
    return True


def _has_binaries() -> bool:
    return find_binaries() is not None and find_server() is not None


@asynccontextmanager
async def private_system(
    *, second_crm: bool = False, domain_type: str = PRODUCTION
) -> AsyncIterator[System]:
    """Yield a whole system, not started, of which every part may be killed; it is removed afterwards."""
    provider = Provider.choose(private=True)
    if provider.kind == "local":
        system = System(
            provider.directory / "system",
            second_crm=second_crm,
            domain_type=domain_type,
            durable=False,
        )
    else:
        postgres, rabbitmq = provider.postgres(), provider.rabbitmq()
        system = System(
            provider.directory / "system",
            postgres=postgres,
            rabbitmq=rabbitmq,
            second_crm=second_crm,
            domain_type=domain_type,
        )
    try:
        yield system
    finally:
        await system.reset()
        provider.close()


@asynccontextmanager
async def connected_as_administrator(
    server: PostgresServer, database: str | None = None
) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Yield an administrator's connection to a database, by default the one for maintenance."""
    connection = await asyncpg.connect(
        server.dsn, database=database, timeout=_TIMEOUT, command_timeout=_TIMEOUT
    )
    try:
        yield connection
    finally:
        await connection.close(timeout=_TIMEOUT)


@asynccontextmanager
async def fresh_database(server: PostgresServer) -> AsyncIterator[str]:
    """Yield the address of an empty database owned by a role of its own; both are dropped afterwards."""
    name, password = f"test_{secrets.token_hex(6)}", secrets.token_hex(8)
    async with connected_as_administrator(server) as connection:
        await connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        await connection.execute(f"CREATE DATABASE {name} OWNER {name}")
        try:
            yield server.database_dsn(name, password)
        finally:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
            await connection.execute(f"DROP ROLE {name}")


@asynccontextmanager
async def fresh_vhost(server: RabbitServer) -> AsyncIterator[Vhost]:
    """Yield an empty virtual host; it is deleted afterwards with its contents."""
    name = f"test_{secrets.token_hex(6)}"
    async with management_api(
        server.management_url, (server.username, server.password), _TIMEOUT
    ) as api:
        await api.put(f"/api/vhosts/{name}", json={}, raise_for_status=True)
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        await api.put(
            f"/api/permissions/{name}/{server.username}",
            json=everything,
            raise_for_status=True,
        )
        try:
            amqp_url = server.vhost_url(server.username, server.password, name)
            yield Vhost(
                name, amqp_url, server.management_url, server.username, server.password
            )
        finally:
            await api.delete(f"/api/vhosts/{name}", raise_for_status=True)
