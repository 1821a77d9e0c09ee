"""Starts, stops and removes the whole system on this machine, and reports its state."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from local.broker import PERMISSIONS, WITH_SECOND_CRM, prepare_broker
from local.connections import CLIENT_ID, STANDARD, End, establish, have_copy
from local.databases import Passwords, owner_of, prepare_databases
from local.failure import SystemFailed
from local.polling import all_of
from local.postgres import PrivatePostgres
from local.rabbitmq import PrivateRabbit
from local.server_account import server_account, server_directory
from local.servers import PostgresServer, RabbitServer, Server
from local.service import (
    ADMIN,
    CONNECTOR,
    CRM_VAULT,
    INTEGRATION,
    MEDICAL_VAULT,
    PROJECT,
    ROLES,
    SECOND_CRM_VAULT,
    VAULTS,
    Service,
    SignIn,
    VaultPlan,
    connector_settings,
    tls_settings,
    vault_settings,
)
from local.state import State, exclusive, write_private
from local.tls import HOST, LocalTls
from shared.client import VaultClient

DEFAULT_DIRECTORY = PROJECT / ".run"
COPY = "medical_crm_2__c"
"""The connection of the Medical Vault with the second Vault CRM."""


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One line of status: a server or service, whether it is up, and its address or the reason why it is not."""

    name: str
    up: bool
    detail: str


class System:
    """PostgreSQL, RabbitMQ, the Vaults and the connector, with their state in one directory.

    A system that was once started with a second Vault CRM has it until its reset.
    Servers are private instances unless others are passed in. One process at a time may change a system;
    another process may stop what one has started.
    """

    def __init__(
        self,
        directory: Path,
        *,
        postgres: PostgresServer | None = None,
        rabbitmq: RabbitServer | None = None,
        second_crm: bool = False,
    ) -> None:
        self._second_crm = second_crm
        self.directory = directory.absolute()
        self.logs = self.directory / "logs"
        self._files = self.directory / "files"  # of the Vaults; a folder each
        self.logs.mkdir(parents=True, exist_ok=True)
        # Servers that run as another user pass through to their data, and can list nothing here.
        self.directory.chmod(0o711)
        state_file = self.directory / "state.json"
        self._state = State.load(state_file)
        self._tls = LocalTls(self.directory / "tls")
        self.postgres: PostgresServer = postgres or self._private_postgres()
        self.rabbitmq: RabbitServer = rabbitmq or self._private_rabbit()

    @property
    def _plans(self) -> tuple[VaultPlan, ...]:
        # Its port in the state shows that an earlier start had it.
        existing = SECOND_CRM_VAULT.name in self._state.ports
        if self._second_crm or existing:
            return (*VAULTS, SECOND_CRM_VAULT)
        return VAULTS

    @property
    def endpoints_file(self) -> Path:
        """Return the file with the address of every part, which exists while services run."""
        return self.directory / "endpoints.json"

    @property
    def sign_ins_file(self) -> Path:
        """Return the file with the sign-ins of every role."""
        return self.directory / "sign_ins.json"

    @property
    def running(self) -> bool:
        """Return whether the process of every part runs."""
        services = self._known_services()
        # No known services: the system was never started.
        if not services:
            return False
        parts: list[Server] = [self.postgres, self.rabbitmq, *services]
        return all(part.running for part in parts)

    async def start(self) -> bool:
        """Start every part that is not running, wait until all are ready, and return whether anything was started.

        :raises SystemFailed: a part did not start; the parts that did start keep running.
        """
        parts = await self.status()
        if all(part.up for part in parts):
            return False
        await self.start_servers()
        await self.start_services()
        return True

    async def start_servers(self) -> None:
        """Start both servers, and create databases, roles, virtual hosts, users and permissions.

        :raises SystemFailed: a server did not start or refused.
        """
        with self._changing():
            await all_of(self._start_postgres(), self._start_rabbit())

    async def start_services(self) -> None:
        """Start both Vaults and the connector, and write the endpoints file when all are ready.

        :raises SystemFailed: a service did not become ready.
        """
        with self._changing():
            names = [plan.name for plan in self._plans]
            running = [self._state.process(name) for name in names]
            # A Vault that runs serves the certificate that it has read at its start.
            if not any(running):
                self._tls.ensure()
            new = [name for name in names if name not in self._state.ports]
            if new:
                await self._stop_connector()
            for service in self._services():
                service.spawn()
            waits = [service.wait_ready() for service in self._services()]
            await all_of(*waits)
            await self._establish()
            write_private(self.sign_ins_file, self.sign_ins())
            # Last: its existence says that the system is ready.
            write_private(self.endpoints_file, self.endpoints())

    async def _stop_connector(self) -> None:
        """Stop the connector, which learns of a new Vault by its settings at the next start."""
        for service in self._known_services():
            if service.service == CONNECTOR:
                await service.stop()

    async def stop(self) -> None:
        """Stop all parts in reverse order and keep their data.

        :raises SystemFailed: a process could not be ended.
        """
        with self._changing():
            self.endpoints_file.unlink(missing_ok=True)
            services = self._known_services()
            # The connector first, so that it finishes its work while the Vaults still answer.
            for service in reversed(services):
                await service.stop()
            await self.rabbitmq.stop()
            await self.postgres.stop()

    async def reset(self) -> None:
        """Stop all parts and remove data, state and logs."""
        await self.stop()
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
        """End one part at once, as a crash would."""
        with self._changing():
            await self._part(name).kill()

    async def restart(self, name: str) -> None:
        """Stop one part if it runs, start it, and return when it is ready.

        :raises SystemFailed: it did not become ready.
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

    def endpoints(self) -> dict[str, Any]:
        """Return addresses and administrators' sign-ins of everything, in the form of the endpoints file."""
        services = {service.name: service for service in self._known_services()}
        vaults = {}
        for plan in self._plans:
            tls_port = self._state.ports[_tls_port(plan.name)]
            vaults[plan.name] = {
                "url": services[plan.name].url,
                "https_url": f"https://{HOST}:{tls_port}",
                "ca_file": str(self._tls.ca_file),
                **asdict(self._sign_in(plan, ADMIN)),
                "vault_id": plan.vault_id,
            }
        return {
            **vaults,
            "connector": {"url": services[CONNECTOR].url},
            "rabbitmq": {
                "amqp_url": self.rabbitmq.amqp_url,
                "management_url": self.rabbitmq.management_url,
                "username": self.rabbitmq.username,
                "password": self.rabbitmq.password,
            },
            "postgres": {"dsn": self.postgres.dsn},
        }

    def pages(self) -> dict[str, str]:
        """Return the address of each Vault's pages, by the Vault's name."""
        endpoints = self.endpoints()
        return {plan.name: f"{endpoints[plan.name]['url']}/ui/" for plan in self._plans}

    def sign_ins(self) -> dict[str, dict[str, dict[str, str]]]:
        """Return username and password by Vault and role: admin, integration, business (the agent, the rep)."""
        return {
            plan.name: {role: asdict(self._sign_in(plan, role)) for role in ROLES}
            for plan in self._plans
        }

    def process_ids(self) -> dict[str, int]:
        """Return the process id of every part that runs here; a part's children are its own."""
        return {
            name: process.pid
            for name, process in self._state.processes.items()
            if process.running
        }

    def database_dsn(self, vault: str) -> str:
        """Return the address of a Vault's database, as its own role."""
        password = self._state.secret(f"database_{vault}")
        return self.postgres.database_dsn(vault, password)

    def owner_dsn(self, vault: str) -> str:
        """Return the address of a Vault's database, as the role that owns it."""
        owner = owner_of(vault)
        password = self._state.secret(f"database_{owner}")
        dsn = urlsplit(self.database_dsn(vault))
        _, _, place = dsn.netloc.rpartition("@")
        dsn = dsn._replace(netloc=f"{owner}:{password}@{place}")
        return urlunsplit(dsn)

    def broker_password(self, username: str) -> str:
        """Return the password of one of the services' users on the broker."""
        return self._state.secret(f"broker_{username}")

    def _sign_in(self, plan: VaultPlan, role: str) -> SignIn:
        return SignIn(plan.username(role), self._state.secret(f"{plan.name}_{role}"))

    def further_connectors(self, count: int) -> list[Service]:
        """Return ``count`` more connector processes, each with a port of its own, which are not started yet."""
        known = {service.name: service for service in self._known_services()}
        first = known[CONNECTOR]
        more = []
        for number in range(2, count + 2):
            service = replace(first, number=number)
            port = self._state.port(service.name)
            settings = {**first.settings, "CONNECTOR_PORT": str(port)}
            more.append(replace(service, settings=settings))
        return more

    def _services(self) -> list[Service]:
        """Return every service in starting order, with a port for each."""
        names = [plan.name for plan in self._plans]
        for name in (*names, CONNECTOR):
            # The port of a process that runs is not free, so asking for it would choose another one.
            if self._state.process(name) is not None:
                continue
            self._state.port(name)
            if name != CONNECTOR:
                self._state.port(_tls_port(name))
        return self._known_services()

    def _known_services(self) -> list[Service]:
        """Return the services that have a port, which is all or none of them."""
        if CONNECTOR not in self._state.ports:
            return []
        services = []
        peers = {}
        plans = [plan for plan in self._plans if plan.name in self._state.ports]
        for plan in plans:
            vault = self._vault(plan)
            services.append(vault)
            sign_in = self._sign_in(plan, INTEGRATION)
            amqp_url = self._amqp_url(CONNECTOR, plan.vhost)
            peers[plan.vhost] = (vault.url, sign_in, amqp_url)
        port = self._state.ports[CONNECTOR]
        settings = connector_settings(port, peers)
        if self._tls.ca_file.exists():
            settings["CONNECTOR_CA_FILE"] = str(self._tls.ca_file)
        connector = Service(self._state, CONNECTOR, self.logs, settings)
        return [*services, connector]

    def _vault(self, plan: VaultPlan) -> Service:
        sign_ins = {role: self._sign_in(plan, role) for role in ROLES}
        amqp_url = self._amqp_url(plan.name, plan.vhost)
        # Vaults keep files below this folder by the Vault's name, which the two Vault CRMs share.
        files = self._files if plan.number == 1 else self._files / plan.name
        settings = vault_settings(
            plan,
            self._state.ports[plan.name],
            self.database_dsn(plan.name),
            amqp_url,
            sign_ins,
            files,
        )
        settings["VAULT_OWNER_DSN"] = self.owner_dsn(plan.name)
        tls_port = self._state.ports.get(_tls_port(plan.name))
        # Systems of earlier versions have no port for HTTPS until their next start.
        if tls_port is not None:
            settings |= tls_settings(tls_port, self._tls.certificate, self._tls.key)
        return Service(self._state, plan.service, self.logs, settings, plan.number)

    def _part(self, name: str) -> Server:
        parts: Sequence[Server] = [
            self.postgres,
            self.rabbitmq,
            *self._known_services(),
        ]
        for part in parts:
            if part.name == name:
                return part
        raise SystemFailed(f"the system has no part {name}")

    def _amqp_url(self, username: str, vhost: str) -> str:
        password = self.broker_password(username)
        return self.rabbitmq.vhost_url(username, password, vhost)

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
                await have_copy(copy, name, SECOND_CRM_VAULT.vault_id)
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

    async def _start_rabbit(self) -> None:
        await self.rabbitmq.start()
        administrator = (self.rabbitmq.username, self.rabbitmq.password)
        users = WITH_SECOND_CRM if SECOND_CRM_VAULT in self._plans else PERMISSIONS
        passwords = {name: self.broker_password(name) for name in users}
        url = self.rabbitmq.management_url
        await prepare_broker(url, administrator, passwords, users)

    def _private_postgres(self) -> PrivatePostgres:
        account = server_account("postgres")
        directory = self._servers_directory() / "postgres"
        return PrivatePostgres(self._state, directory, self.logs, account)

    def _private_rabbit(self) -> PrivateRabbit:
        account = server_account("rabbitmq")
        directory = self._servers_directory() / "rabbitmq"
        return PrivateRabbit(self._state, directory, self.logs, account)

    def _servers_directory(self) -> Path:
        if self._state.servers is None:
            accounts = [server_account("postgres"), server_account("rabbitmq")]
            self._state.servers = server_directory(self.directory, accounts)
        return self._state.servers

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Keep other processes from changing this system during the block, and read what they changed before."""
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


def _tls_port(vault: str) -> str:
    """Return the name under which the state keeps a Vault's port for HTTPS."""
    return f"{vault}_https"
