"""A service of ours as a background process: a Vault or the connector."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from local.failure import SystemFailed
from local.polling import answers_within
from local.processes import Command
from local.state import State

PROJECT = Path(__file__).resolve().parent.parent
_START_WAIT = 90.0
_STOP_WAIT = 20.0
_ASK_TIMEOUT = aiohttp.ClientTimeout(total=5)
# What a service gets is what is said here, whatever the shell has set.
_OURS = ("VAULT_", "CONNECTOR_")


@dataclass(slots=True)
class Service:
    """One service process; ``settings`` are the environment variables that are its own.

    Of several processes of one service the first has the service's name, the others have a number behind it.
    """

    state: State
    service: str
    logs: Path
    settings: Mapping[str, str]
    number: int = 1

    @property
    def name(self) -> str:
        """The name by which the state knows it."""
        return process_name(self.service, self.number)

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return self.state.process(self.name) is not None

    @property
    def url(self) -> str:
        """Where it serves HTTP."""
        return f"http://127.0.0.1:{self.state.ports[self.name]}"

    @property
    def detail(self) -> str:
        """Where it is, and its process id."""
        process = self.state.process(self.name)
        return f"{self.url}, process {process.pid}" if process else "not running"

    async def start(self) -> None:
        """Start it unless it runs, and return when it is ready.

        :raises SystemFailed: it ended, or did not become ready in time.
        """
        self.spawn()
        await self.wait_ready()

    def spawn(self) -> None:
        """Start its process unless it runs; it is not ready yet."""
        if self.running:
            return
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_OURS)
        }
        environment = (
            inherited
            | {"PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"}
            | dict(self.settings)
        )
        command = Command(
            [sys.executable, "-m", f"services.{self.service}"],
            environment,
            PROJECT,
            self._log,
        )
        self.state.started(self.name, command.spawn())

    async def wait_ready(self) -> None:
        """Return when it says that it is ready.

        :raises SystemFailed: it ended, or did not become ready in time.
        """
        reason = await answers_within(_START_WAIT, self._ask)
        if reason is not None:
            raise SystemFailed(f"{self.name} is not ready: {reason}", self._log)

    async def not_ready(self) -> str | None:
        """Return None if it is ready, otherwise the reason that it or its absence gives."""
        try:
            async with (
                aiohttp.ClientSession(timeout=_ASK_TIMEOUT) as session,
                session.get(f"{self.url}/readyz") as answer,
            ):
                return None if answer.status == 200 else (await answer.text())[:300]
        except (aiohttp.ClientError, TimeoutError) as error:
            return type(error).__name__

    async def stop(self) -> None:
        """Ask it to finish its work and end, and end it if it does not."""
        process = self.state.process(self.name)
        if process is not None:
            await process.end(grace=_STOP_WAIT)
        self.state.ended(self.name)

    async def kill(self) -> None:
        """End it at once, as a crash would."""
        process = self.state.process(self.name)
        if process is not None:
            await process.end(grace=_STOP_WAIT, first=signal.SIGKILL)
        self.state.ended(self.name)

    @property
    def _log(self) -> Path:
        return self.logs / f"{self.name}.log"

    async def _ask(self) -> str | None:
        if not self.running:
            raise SystemFailed(f"{self.name} ended while starting", self._log)
        return await self.not_ready()


def process_name(service: str, number: int) -> str:
    """The name of one of a service's processes, counted from 1."""
    return service if number == 1 else f"{service}_{number}"


@dataclass(frozen=True, slots=True)
class SignIn:
    """A username and its password."""

    username: str
    password: str


@dataclass(frozen=True, slots=True)
class VaultPlan:
    """What is fixed about a Vault here: its service, virtual host, id and sign-ins by role.

    Of several Vaults of one service the first has the service's name, as of several processes.
    """

    service: str
    vhost: str
    vault_id: int
    remote_vault_id: int
    business_user: str
    number: int = 1

    @property
    def name(self) -> str:
        """The name of its process, database and user at the broker."""
        return process_name(self.service, self.number)

    def username(self, role: str) -> str:
        """Return the username of one of :data:`ROLES`, in this Vault's domain."""
        return (
            f"{self.business_user if role == BUSINESS else role}@{self.vhost}.example"
        )


MEDICAL_VAULT = VaultPlan("medical_vault", "medical", 10101, 20202, "agent")
CRM_VAULT = VaultPlan("crm_vault", "crm", 20202, 10101, "rep")
VAULTS = (MEDICAL_VAULT, CRM_VAULT)
SECOND_CRM_VAULT = VaultPlan("crm_vault", "crm2", 20203, 10101, "rep", number=2)
CONNECTOR = "connector"
ADMIN, INTEGRATION, BUSINESS = ROLES = ("admin", "integration", "business")


def vault_settings(
    plan: VaultPlan,
    port: int,
    dsn: str,
    amqp_url: str,
    sign_ins: Mapping[str, SignIn],
    files: Path,
) -> dict[str, str]:
    """Return the environment of a Vault process; ``sign_ins`` are by role, ``files`` is the folder of its files."""
    settings = {
        "VAULT_HOST": "127.0.0.1",
        "VAULT_PORT": str(port),
        "VAULT_DATABASE_DSN": dsn,
        "VAULT_AMQP_URL": amqp_url,
        "VAULT_STAGING_FOLDER": str(files),
        "VAULT_VAULT_ID": str(plan.vault_id),
        "VAULT_REMOTE_VAULT_ID": str(plan.remote_vault_id),
        "VAULT_DRAIN_SECONDS": "0",  # there is nothing in front that would send clients elsewhere
        "VAULT_LOG_FORMAT": "json",
        "VAULT_LOG_LEVEL": "INFO",
    }
    for role in ROLES:
        settings[f"VAULT_{role.upper()}_USERNAME"] = sign_ins[role].username
        settings[f"VAULT_{role.upper()}_PASSWORD"] = sign_ins[role].password
    return settings


def tls_settings(port: int, certificate: Path, key: Path) -> dict[str, str]:
    """Return what a Vault process needs in its environment to serve HTTPS too."""
    return {
        "VAULT_TLS_PORT": str(port),
        "VAULT_TLS_CERTIFICATE": str(certificate),
        "VAULT_TLS_KEY": str(key),
    }


def connector_settings(
    port: int, vaults: Mapping[str, tuple[str, SignIn, str]]
) -> dict[str, str]:
    """Return the environment of a connector; ``vaults`` has URL, sign-in and AMQP address of each by name."""
    known = [
        {
            "name": name,
            "url": url,
            "username": who.username,
            "password": who.password,
            "amqp_url": amqp_url,
        }
        for name, (url, who, amqp_url) in vaults.items()
    ]
    return {
        "CONNECTOR_HOST": "127.0.0.1",
        "CONNECTOR_PORT": str(port),
        "CONNECTOR_VAULTS": json.dumps(known),
        "CONNECTOR_LOG_FORMAT": "json",
        "CONNECTOR_LOG_LEVEL": "INFO",
    }
