"""The whole system on this machine: started, asked, stopped and removed as one."""

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
    """One line of status: a server or service, whether it is up, and where or why not."""

    name: str
    up: bool
    detail: str


class System:
    """PostgreSQL, RabbitMQ, the Vaults and the connector, with their state in one directory.

    A system that was once started with a second Vault CRM has it until its reset.
    Servers are private instances unless others are given. One process at a time may change a system;
    what one process started, another may stop.
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
        # Servers that run as another user pass through, and read nothing here.
        self.directory.chmod(0o711)
        self._state = State.load(self.directory / "state.json")
        self._tls = LocalTls(self.directory / "tls")
        self.postgres: PostgresServer = postgres or self._private_postgres()
        self.rabbitmq: RabbitServer = rabbitmq or self._private_rabbit()

    @property
    def _plans(self) -> tuple[VaultPlan, ...]:
        second = self._second_crm or SECOND_CRM_VAULT.name in self._state.ports
        return (*VAULTS, SECOND_CRM_VAULT) if second else VAULTS

    @property
    def endpoints_file(self) -> Path:
        """The file that says where everything is, while services run."""
        return self.directory / "endpoints.json"

    @property
    def sign_ins_file(self) -> Path:
        """The file with the sign-ins of every role."""
        return self.directory / "sign_ins.json"

    @property
    def running(self) -> bool:
        """Whether every part's process runs."""
        services = self._known_services()
        return (
            self.postgres.running
            and self.rabbitmq.running
            and bool(services)
            and all(s.running for s in services)
        )

    async def start(self) -> bool:
        """Start all that does not run and return when all is ready; whether there was anything to start.

        :raises SystemFailed: something did not start; what did start keeps running.
        """
        if all(part.up for part in await self.status()):
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
            if all(self._state.process(plan.name) is None for plan in self._plans):
                self._tls.ensure()
            if any(plan.name not in self._state.ports for plan in self._plans):
                for service in self._known_services():
                    if service.service == CONNECTOR:
                        await service.stop()  # it is to know of the Vault that comes
            for service in self._services():
                service.spawn()
            await all_of(*(service.wait_ready() for service in self._services()))
            await self._establish()
            write_private(self.sign_ins_file, self.sign_ins())
            write_private(self.endpoints_file, self.endpoints())

    async def stop(self) -> None:
        """Stop everything in reverse order; the data stays. Nothing runs afterwards.

        :raises SystemFailed: a process could not be ended.
        """
        with self._changing():
            self.endpoints_file.unlink(missing_ok=True)
            for service in reversed(self._known_services()):
                await service.stop()
            await self.rabbitmq.stop()
            await self.postgres.stop()

    async def reset(self) -> None:
        """Stop everything and remove data, state and logs."""
        await self.stop()
        if self._state.servers is not None:
            shutil.rmtree(self._state.servers, ignore_errors=True)
            with suppress(OSError):  # others may have their data beside it
                self._state.servers.parent.rmdir()
        self._tls.remove()
        for path in (self._state.path, self.sign_ins_file, self.directory / "lock"):
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
        parts = [
            PartStatus(server.name, server.running, server.detail)
            for server in (self.postgres, self.rabbitmq)
        ]
        known = {service.name: service for service in self._known_services()}
        for name in (*(plan.name for plan in self._plans), CONNECTOR):
            if name not in known or not known[name].running:
                parts.append(PartStatus(name, up=False, detail="not running"))
                continue
            reason = await known[name].not_ready()
            parts.append(
                PartStatus(
                    name,
                    reason is None,
                    known[name].detail if reason is None else reason,
                )
            )
        return parts

    def endpoints(self) -> dict[str, Any]:
        """Return addresses and administrators' sign-ins of everything, in the form of the endpoints file."""
        services = {service.name: service for service in self._known_services()}
        vaults = {
            plan.name: {
                "url": services[plan.name].url,
                "https_url": f"https://{HOST}:{self._state.ports[_tls_port(plan.name)]}",
                "ca_file": str(self._tls.ca_file),
                **asdict(self._sign_in(plan, ADMIN)),
                "vault_id": plan.vault_id,
            }
            for plan in self._plans
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
        """Return where the pages of each Vault are, by its name."""
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
        return self.postgres.database_dsn(
            vault, self._state.secret(f"database_{vault}")
        )

    def owner_dsn(self, vault: str) -> str:
        """Return the address of a Vault's database, as the role that owns it."""
        dsn = urlsplit(self.database_dsn(vault))
        place, secret = (
            dsn.netloc.rpartition("@")[2],
            self._state.secret(f"database_{owner_of(vault)}"),
        )
        return urlunsplit(dsn._replace(netloc=f"{owner_of(vault)}:{secret}@{place}"))

    def broker_password(self, username: str) -> str:
        """Return the password of one of the services' users on the broker."""
        return self._state.secret(f"broker_{username}")

    def _sign_in(self, plan: VaultPlan, role: str) -> SignIn:
        return SignIn(plan.username(role), self._state.secret(f"{plan.name}_{role}"))

    def further_connectors(self, count: int) -> list[Service]:
        """More connector processes beside the running system's own, each with a port of its own; not started yet."""
        (first,) = [
            service
            for service in self._known_services()
            if service.service == CONNECTOR
        ]
        more = [replace(first, number=number) for number in range(2, count + 2)]
        ports = {service.name: str(self._state.port(service.name)) for service in more}
        return [
            replace(s, settings={**first.settings, "CONNECTOR_PORT": ports[s.name]})
            for s in more
        ]

    def _services(self) -> list[Service]:
        """Return every service in starting order, with a port for each."""
        for name in (*(plan.name for plan in self._plans), CONNECTOR):
            if self._state.process(name) is None:
                self._state.port(name)
                if name != CONNECTOR:
                    self._state.port(_tls_port(name))
        return self._known_services()

    def _known_services(self) -> list[Service]:
        """Return the services that have a port, which is all or none of them."""
        if CONNECTOR not in self._state.ports:
            return []
        services = []
        plans = [plan for plan in self._plans if plan.name in self._state.ports]
        for plan in plans:
            sign_ins = {role: self._sign_in(plan, role) for role in ROLES}
            amqp_url = self._amqp_url(plan.name, plan.vhost)
            port = self._state.ports[plan.name]
            files = self._files if plan.number == 1 else self._files / plan.name
            settings = vault_settings(
                plan, port, self.database_dsn(plan.name), amqp_url, sign_ins, files
            )
            settings["VAULT_OWNER_DSN"] = self.owner_dsn(plan.name)
            if (tls_port := self._state.ports.get(_tls_port(plan.name))) is not None:
                settings |= tls_settings(tls_port, self._tls.certificate, self._tls.key)
            services.append(
                Service(self._state, plan.service, self.logs, settings, plan.number)
            )
        peers = {
            plan.vhost: (
                vault.url,
                self._sign_in(plan, INTEGRATION),
                self._amqp_url(CONNECTOR, plan.vhost),
            )
            for plan, vault in zip(plans, services, strict=True)
        }
        settings = connector_settings(self._state.ports[CONNECTOR], peers)
        if self._tls.ca_file.exists():
            settings["CONNECTOR_CA_FILE"] = str(self._tls.ca_file)
        return [*services, Service(self._state, CONNECTOR, self.logs, settings)]

    def _part(self, name: str) -> Server:
        parts: Sequence[Server] = [
            self.postgres,
            self.rabbitmq,
            *self._known_services(),
        ]
        for part in parts:
            if part.name == name:
                return part
        raise SystemFailed(f"there is no part {name}")

    def _amqp_url(self, username: str, vhost: str) -> str:
        return self.rabbitmq.vhost_url(username, self.broker_password(username), vhost)

    async def _establish(self) -> None:
        """Establish the connection of each Vault CRM with the Medical Vault, unless that was done before."""
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
                return End(await stack.enter_async_context(client), connection)

            await establish(await end(CRM_VAULT), await end(MEDICAL_VAULT))
            if SECOND_CRM_VAULT in self._plans:
                copy = await end(MEDICAL_VAULT, COPY)
                await have_copy(
                    copy, "Medical-CRM Connection 2", SECOND_CRM_VAULT.vault_id
                )
                await establish(await end(SECOND_CRM_VAULT), copy)

    async def _start_postgres(self) -> None:
        await self.postgres.start()
        try:
            passwords = {
                plan.name: Passwords(
                    *(
                        self._state.secret(f"database_{r}")
                        for r in (plan.name, owner_of(plan.name))
                    )
                )
                for plan in self._plans
            }
            await prepare_databases(self.postgres.dsn, passwords)
        except (OSError, asyncpg.PostgresError) as error:
            raise SystemFailed(
                f"cannot prepare the databases: {type(error).__name__}"
            ) from error

    async def _start_rabbit(self) -> None:
        await self.rabbitmq.start()
        administrator = (self.rabbitmq.username, self.rabbitmq.password)
        users = WITH_SECOND_CRM if SECOND_CRM_VAULT in self._plans else PERMISSIONS
        passwords = {name: self.broker_password(name) for name in users}
        await prepare_broker(
            self.rabbitmq.management_url, administrator, passwords, users
        )

    def _private_postgres(self) -> PrivatePostgres:
        account = server_account("postgres")
        return PrivatePostgres(
            self._state, self._servers_directory() / "postgres", self.logs, account
        )

    def _private_rabbit(self) -> PrivateRabbit:
        account = server_account("rabbitmq")
        return PrivateRabbit(
            self._state, self._servers_directory() / "rabbitmq", self.logs, account
        )

    def _servers_directory(self) -> Path:
        if self._state.servers is None:
            accounts = [server_account("postgres"), server_account("rabbitmq")]
            self._state.servers = server_directory(self.directory, accounts)
        return self._state.servers

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Keep other processes from changing this system, and see what they changed before."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with exclusive(self.directory / "lock"):
            self._state.reload()
            yield


def _tls_port(vault: str) -> str:
    """The name under which the state keeps a Vault's port for HTTPS."""
    return f"{vault}_https"
