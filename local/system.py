"""Starts, stops and removes the whole system on this machine, and reports its state."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass

import asyncpg

from local.broker import PERMISSIONS, WITH_SECOND_CRM, prepare_broker
from local.connections import CLIENT_ID, STANDARD, End, ensure_copy, establish
from local.databases import Passwords, owner_of, prepare_databases
from local.failure import SystemFailed
from local.polling import all_of
from local.processes import Command
from local.servers import Server
from local.service import (
    ADMIN,
    CONNECTOR,
    CRM_VAULT,
    MEDICAL_VAULT,
    PROJECT,
    SECOND_CRM_VAULT,
    Service,
    VaultPlan,
    service_environment,
)
from local.state import exclusive, write_private
from local.system_parts import SystemParts
from local.vault_migration import migrate_database
from shared.client import VaultClient

DEFAULT_DIRECTORY = PROJECT / ".run"
SUPERVISOR = "supervisor"
# More than a start that is under way needs to be broken off.
SUPERVISOR_GRACE = 5.0
COPY = "medical_crm_2__c"
"""The connection of the Medical Vault with the second Vault CRM."""


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One line of status: a server or service, whether it is up, and its address or the reason why it is not."""

    name: str
    up: bool
    detail: str


class System(SystemParts):
    """PostgreSQL, RabbitMQ, the Vaults and the connector, with their state in one directory.

    One process at a time may change a system; another process may stop what one has started.
    """

    @property
    def running(self) -> bool:
        """Return whether the process of every part runs."""
        services = self._known_services()
        # No known services: the system was never started.
        return bool(services) and all(part.running for part in self.parts)

    @property
    def parts(self) -> list[Server]:
        """Return every part that was started before, servers first."""
        services = self._known_services()
        return [self.postgres, self.rabbitmq, *services] if services else []

    @property
    def supervised(self) -> bool:
        """Return whether a process runs that starts parts again."""
        return self._state.process(SUPERVISOR) is not None

    def supervise(self) -> None:
        """Start the supervisor, which restarts every part that ends or hangs, unless it runs already."""
        self._state.reload()
        if self.supervised:
            return
        with self._changing():
            command = Command(
                [sys.executable, "-m", "local.supervision", self.directory],
                service_environment({}),
                PROJECT,
                self.logs / f"{SUPERVISOR}.log",
            )
            self._state.started(SUPERVISOR, command.spawn())

    async def start(self) -> bool:
        """Start every part that is not running, wait until all are ready, and return whether anything was started.

        :raises SystemFailed: a part did not start; the parts that did start keep running.
        """
        parts = await self.status()
        if all(part.up for part in parts):
            return False
        with self._changing():
            admits = asyncio.Event()
            if self._admitted_before():
                admits.set()
            # The broker takes longest.
            await all_of(self._start_rabbit(admits), self._start_vaults(admits))
            await self._start_connector()
        return True

    def _admitted_before(self) -> bool:
        """Return whether the broker has its users from an earlier, complete start."""
        known = all(plan.name in self._state.ports for plan in self._plans)
        return known and self.sign_ins_file.exists()

    async def start_servers(self) -> None:
        """Start both servers, and create databases, roles, virtual hosts, users and permissions.

        :raises SystemFailed: a server did not start or refused.
        """
        with self._changing():
            await all_of(self._start_postgres(), self._start_rabbit(asyncio.Event()))

    def _vaults(self) -> list[Service]:
        return [each for each in self._services() if each.service != CONNECTOR]

    async def _start_vaults(self, admits: asyncio.Event) -> None:
        """Start PostgreSQL, then the Vaults, once the broker ``admits`` them, and wait until all of them are ready.

        :raises SystemFailed: PostgreSQL or a Vault did not start, or a database could not be migrated.
        """
        await self._start_postgres()
        names = [plan.name for plan in self._plans]
        running = [self._state.process(name) for name in names]
        # A Vault that runs serves the certificate that it has read at its start.
        if not any(running):
            self._tls.ensure()
        new = [name for name in names if name not in self._state.ports]
        if new:
            await self._stop_connector()
        vaults = self._vaults()
        await self._migrate(vaults)
        # A Vault is ready without the broker; one that refuses it is none that it may wait for.
        await admits.wait()
        await _all_ready(vaults)

    async def _start_connector(self) -> None:
        """Start the connector, and write the endpoints file when it is ready and the connections are established.

        :raises SystemFailed: the connector did not become ready.
        """
        services = self._services()
        connectors = [each for each in services if each.service == CONNECTOR]
        # Both Vaults are called in turn, so both have to be ready.
        await all_of(_all_ready(connectors), self._establish())
        write_private(self.sign_ins_file, self.sign_ins())
        # Last: its existence says that the system is ready.
        write_private(self.endpoints_file, self.endpoints())

    async def _migrate(self, vaults: Sequence[Service]) -> None:
        """Migrate the databases of the Vaults that do not run, as far as they are not up to date."""
        steps = [
            migrate_database(vault, self.owner_dsn(vault.name))
            for vault in vaults
            if not vault.running
        ]
        await all_of(*steps)

    async def _stop_connector(self) -> None:
        """Stop the connector, which learns of a new Vault by its settings at the next start."""
        for service in self._known_services():
            if service.service == CONNECTOR:
                await service.stop()

    async def stop(self) -> None:
        """Stop all parts in reverse order and keep their data.

        :raises SystemFailed: a process could not be ended.
        """
        await self._end_parts(self.rabbitmq.stop)

    async def _end_parts(self, end_broker: Callable[[], Awaitable[None]]) -> None:
        # Before anything else: it would start again what is ended here, and may be doing so.
        self._state.reload()
        supervisor = self._state.process(SUPERVISOR)
        if supervisor is not None:
            await supervisor.end(grace=SUPERVISOR_GRACE)
        with self._changing():
            self._state.ended(SUPERVISOR)
            # First, as its existence says that the system is ready.
            self.endpoints_file.unlink(missing_ok=True)
            # The connector first, so that it finishes its work while the Vaults still answer.
            await self._stop_connector()
            await all_of(*(service.stop() for service in self._known_services()))
            await all_of(end_broker(), self.postgres.stop())

    async def reset(self) -> None:
        """Stop all parts and remove data, state and logs."""
        await self._end_parts(self.rabbitmq.discard)
        servers = self._state.servers
        if servers is not None:
            shutil.rmtree(servers, ignore_errors=True)
            # Systems of other directories may have their data beside it.
            with suppress(OSError):
                servers.parent.rmdir()
        self._tls.remove()
        lock = self.directory / "lock"
        for path in (self._state.path, self.sign_ins_file, lock):
            path.unlink(missing_ok=True)
        self._state.clear()
        for folder in (self.logs, self._files):
            shutil.rmtree(folder, ignore_errors=True)
        if not any(self.directory.iterdir()):
            self.directory.rmdir()

    async def kill(self, name: str) -> None:
        """Kill one part, as a crash would."""
        with self._changing():
            await self._part(name).kill()

    async def revive(self, name: str) -> None:
        """Kill one part if it still runs, and start it; a service is not waited for.

        :raises SystemFailed: a server did not start, or another process is changing the system.
        """
        with self._changing():
            part = self._part(name)
            await part.kill()
            # A service is ready when the other parts are, which may have to be started after it.
            if isinstance(part, Service):
                part.spawn()
            else:
                await part.start()

    async def restart(self, name: str) -> None:
        """Stop one part if it runs, start it, and return when it is ready.

        :raises SystemFailed: the part did not become ready.
        """
        with self._changing():
            part = self._part(name)
            await part.stop()
            await part.start()

    async def status(self) -> list[PartStatus]:
        """Return the state of every part."""
        parts = []
        for server in (self.postgres, self.rabbitmq):
            part = PartStatus(server.name, server.running, server.detail)
            parts.append(part)
        known = {service.name: service for service in self._known_services()}
        names = [plan.name for plan in self._plans]
        for name in (*names, CONNECTOR):
            service = known.get(name)
            part = await _service_status(name, service)
            parts.append(part)
        return parts

    async def _establish(self) -> None:
        """Establish the connection of each Vault CRM with the Medical Vault, unless it is established already."""
        urls = {service.name: service.url for service in self._known_services()}
        async with AsyncExitStack() as stack:

            async def end(plan: VaultPlan, connection: str = STANDARD) -> End:
                account = self._sign_in(plan, ADMIN)
                client = VaultClient(
                    urls[plan.name],
                    account.username,
                    account.password,
                    client_id=CLIENT_ID,
                )
                await stack.enter_async_context(client)
                return End(client, connection)

            crm = await end(CRM_VAULT)
            medical = await end(MEDICAL_VAULT)
            await establish(crm, medical)
            if SECOND_CRM_VAULT in self._plans:
                # A connection has one Vault at its other end, so a second Vault CRM needs a copy.
                copy = await end(MEDICAL_VAULT, COPY)
                second = await end(SECOND_CRM_VAULT)
                name = "Medical-CRM Connection 2"
                await ensure_copy(copy, name, SECOND_CRM_VAULT.vault_id)
                await establish(second, copy)

    async def _start_postgres(self) -> None:
        await self.postgres.start()
        passwords = {}
        for plan in self._plans:
            owner = owner_of(plan.name)
            passwords[plan.name] = Passwords(
                service=self._state.secret(f"database_{plan.name}"),
                owner=self._state.secret(f"database_{owner}"),
            )
        try:
            await prepare_databases(self.postgres.dsn, passwords)
        except (OSError, asyncpg.PostgresError) as error:
            reason = type(error).__name__
            raise SystemFailed(f"cannot prepare the databases: {reason}") from error

    async def _start_rabbit(self, admits: asyncio.Event) -> None:
        """Start the broker, and set ``admits`` when it has its users."""
        await self.rabbitmq.start()
        administrator = (self.rabbitmq.username, self.rabbitmq.password)
        users = WITH_SECOND_CRM if SECOND_CRM_VAULT in self._plans else PERMISSIONS
        passwords = {name: self.broker_password(name) for name in users}
        url = self.rabbitmq.management_url
        await prepare_broker(url, administrator, passwords, users)
        admits.set()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Prevent other processes from changing this system during the block, after reading their earlier changes."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with exclusive(self.directory / "lock"):
            self._state.reload()
            yield


async def _service_status(name: str, service: Service | None) -> PartStatus:
    if service is None or not service.running:
        return PartStatus(name, up=False, detail="not running")
    reason = await service.not_ready()
    if reason is not None:
        return PartStatus(name, up=False, detail=reason)
    return PartStatus(name, up=True, detail=service.detail)


async def _all_ready(services: Sequence[Service]) -> None:
    """Start the services that do not run, and wait until all are ready."""
    for service in services:
        service.spawn()
    await all_of(*(service.wait_ready() for service in services))
