"""Several processes of one Vault as an operator starts them, and a balancer in front of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import aiohttp
import asyncpg

from local.service import Service
from local.state import State
from tests.service.vault.served import PASSWORD, USERNAMES, Api

READY_INTERVAL = 0.1
BLOCK = 65536


@dataclass
class Fleet:
    """Processes of a Medical Vault on one database, counted from 1; ``apis`` are their APIs, without a session."""

    state: State
    dsn: str
    amqp_url: str
    http: aiohttp.ClientSession
    more: Mapping[str, str] = field(default_factory=dict)
    processes: list[Service] = field(default_factory=list)

    def add(self, number: int) -> None:
        """Plan one more process; it is not started."""
        folder = self.state.path.parent
        settings = {
            "VAULT_HOST": "127.0.0.1",
            "VAULT_PORT": str(self.state.port(f"vault_{number}")),
            "VAULT_DATABASE_DSN": self.dsn,
            "VAULT_DATABASE_CONNECTIONS": "6",
            "VAULT_AMQP_URL": self.amqp_url,
            "VAULT_STAGING_FOLDER": str(folder / "files"),
            "VAULT_LOAD_EXAMPLE_DATA": "false",
            "VAULT_DRAIN_SECONDS": "1",
            "VAULT_JOB_LEASE_SECONDS": "3",
            "VAULT_JOB_POLL_SECONDS": "0",
            "VAULT_BURST_LIMIT": "1000000",
            "VAULT_SIGN_IN_LIMIT": "100000",
        }
        for role, variable in (
            ("admin", "ADMIN"),
            ("integration", "INTEGRATION"),
            ("user", "BUSINESS"),
        ):
            settings |= {
                f"VAULT_{variable}_USERNAME": USERNAMES[role],
                f"VAULT_{variable}_PASSWORD": PASSWORD,
            }
        settings |= self.more
        service = Service(self.state, "medical_vault", folder, settings, number)
        self.state.ports[service.name] = int(settings["VAULT_PORT"])
        self.processes.append(service)

    @property
    def apis(self) -> list[Api]:
        return [Api(self.http, process.url) for process in self.processes]

    async def all_run(self) -> None:
        """Have every process running and ready, side by side."""
        for process in self.processes:
            process.spawn()
        await asyncio.gather(*(process.wait_ready() for process in self.processes))

    async def signed_in(self, role: str = "admin") -> list[Api]:
        """Every process's API with one session, which the first process has opened."""
        first, *others = self.apis
        session = await first.signed_in(role)
        assert session.session_id is not None
        return [
            session,
            *(Api(self.http, api.url, session.session_id) for api in others),
        ]

    async def fetchval(self, sql: str, *values: object) -> object:
        """A value read directly from the database."""
        connection = await asyncpg.connect(self.dsn, timeout=10)
        try:
            return await connection.fetchval(sql, *values)
        finally:
            await connection.close(timeout=10)


@asynccontextmanager
async def fleet(
    dsn: str,
    amqp_url: str,
    folder: Path,
    size: int = 3,
    more: Mapping[str, str] | None = None,
) -> AsyncIterator[Fleet]:
    """Start ``size`` processes at the same moment on an empty database; ``more`` are further settings of all."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http:
        made = Fleet(State.load(folder / "state.json"), dsn, amqp_url, http, more or {})
        made.state.servers = folder
        for number in range(1, size + 1):
            made.add(number)
        try:
            await made.all_run()
            yield made
        finally:
            await asyncio.gather(*(process.kill() for process in made.processes))


class Balancer:
    """Passes TCP connections in turn to the processes that are ready."""

    def __init__(self, processes: list[Service]) -> None:
        self._turns = cycle(processes)
        self._size = len(processes)
        self._ready = {process.name for process in processes}
        self._processes = processes
        self.url = ""

    async def watch(self) -> None:
        """Poll the readiness of every process."""
        while True:
            reasons = await asyncio.gather(
                *(process.not_ready() for process in self._processes)
            )
            known = zip(self._processes, reasons, strict=True)
            self._ready = {process.name for process, reason in known if reason is None}
            await asyncio.sleep(READY_INTERVAL)

    async def accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        for _ in range(self._size):
            process = next(self._turns)
            if process.name not in self._ready:
                continue
            with suppress(OSError):
                there, back = await asyncio.open_connection(
                    "127.0.0.1", process.state.ports[process.name]
                )
                await asyncio.gather(_pump(reader, back), _pump(there, writer))
                return
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(BLOCK):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def balanced(processes: list[Service]) -> AsyncIterator[str]:
    """The address of a balancer in front of the processes."""
    balancer = Balancer(processes)
    server = await asyncio.start_server(balancer.accept, "127.0.0.1", 0)
    watching = asyncio.create_task(balancer.watch())
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        watching.cancel()
        server.close()
