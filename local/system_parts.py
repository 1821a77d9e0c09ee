"""Describes the parts of a system on this machine: their settings, addresses and sign-ins."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from local.databases import owner_of
from local.failure import SystemFailed
from local.postgres import PrivatePostgres
from local.rabbitmq import PrivateRabbit
from local.server_account import server_account, server_directory
from local.servers import PostgresServer, RabbitServer, Server
from local.service import (
    ADMIN,
    CONNECTOR,
    INTEGRATION,
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
from local.state import State
from local.tls import HOST, LocalTls

DOMAIN_TYPE = "DOMAIN_TYPE"
"""The variable with the domain type of the Vaults."""
PRODUCTION, SANDBOX = "production", "sandbox"


class SystemParts:
    """The servers and services of one system, according to the state in its directory.

    A system that was once started with a second Vault CRM has it until its reset. ``domain_type`` is that of its
    Vaults; by default that in the environment, or production. Servers are private instances unless others are passed
    in; a private PostgreSQL that is not ``durable`` loses committed data when the machine crashes.
    """

    def __init__(
        self,
        directory: Path,
        *,
        postgres: PostgresServer | None = None,
        rabbitmq: RabbitServer | None = None,
        second_crm: bool = False,
        domain_type: str | None = None,
        durable: bool = True,
    ) -> None:
        self._second_crm = second_crm
        self._durable = durable
        # In the environment, so that the process that starts parts again starts the same ones.
        self._domain_type = domain_type or os.environ.get(DOMAIN_TYPE, PRODUCTION)
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
        """Return the id of every process that runs here, including the supervisor's; not those of their children."""
        return {
            name: process.pid
            for name, process in self._state.processes.items()
            if process.running
        }

    def database_dsn(self, vault: str) -> str:
        """Return the address of a Vault's database for its service role."""
        password = self._state.secret(f"database_{vault}")
        return self.postgres.database_dsn(vault, password)

    def owner_dsn(self, vault: str) -> str:
        """Return the address of a Vault's database for the role that owns it."""
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
        """Return the services that have a port: either all or none."""
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
        settings["VAULT_DOMAIN_TYPE"] = self._domain_type
        connector_port = self._state.ports[CONNECTOR]
        settings["VAULT_CONNECTOR_URL"] = f"http://127.0.0.1:{connector_port}"
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

    def _private_postgres(self) -> PrivatePostgres:
        account = server_account("postgres")
        directory = self._servers_directory() / "postgres"
        return PrivatePostgres(
            self._state, directory, self.logs, account, durable=self._durable
        )

    def _private_rabbit(self) -> PrivateRabbit:
        account = server_account("rabbitmq")
        directory = self._servers_directory() / "rabbitmq"
        return PrivateRabbit(self._state, directory, self.logs, account)

    def _servers_directory(self) -> Path:
        if self._state.servers is None:
            accounts = [server_account("postgres"), server_account("rabbitmq")]
            self._state.servers = server_directory(self.directory, accounts)
        return self._state.servers


def _tls_port(vault: str) -> str:
    """Return the name under which the state keeps a Vault's port for HTTPS."""
    return f"{vault}_https"
