"""Runs a service, a Vault or the connector, as a background process."""

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
# It keeps Python from writing compiled modules: each process would compile all of the project's own, for 0.4 s.
_NOT_PASSED_ON = "PYTHONDONTWRITEBYTECODE"


@dataclass(slots=True)
class Service:
    """One service process; ``settings`` are its own environment variables.

    The first of several processes of one service has the service's name, the others also a number.
    """

    state: State
    service: str
    logs: Path
    settings: Mapping[str, str]
    number: int = 1

    @property
    def name(self) -> str:
        """Return the name of this process in the state file."""
        return process_name(self.service, self.number)

    @property
    def running(self) -> bool:
        """Return whether its process runs."""
        process = self.state.process(self.name)
        return process is not None

    @property
    def url(self) -> str:
        """Return the address at which the process serves HTTP."""
        port = self.state.ports[self.name]
        return f"http://127.0.0.1:{port}"

    @property
    def detail(self) -> str:
        """Return its address and process id, as a text for people."""
        process = self.state.process(self.name)
        if process is None:
            return "not running"
        return f"{self.url}, process {process.pid}"

    async def start(self) -> None:
        """Start the process unless it runs, and return when it is ready.

        :raises SystemFailed: the process ended, or did not become ready in time.
        """
        self.spawn()
        await self.wait_ready()

    def spawn(self) -> None:
        """Start the process unless it runs, and return before it is ready."""
        if self.running:
            return
        command = Command(
            [sys.executable, "-m", f"services.{self.service}"],
            service_environment(self.settings),
            PROJECT,
            self._log,
        )
        self.state.started(self.name, command.spawn())

    async def wait_ready(self) -> None:
        """Wait until the process is ready.

        :raises SystemFailed: the process ended, or did not become ready in time.
        """
        reason = await answers_within(_START_WAIT, self._ask)
        if reason is not None:
            text = f"{self.name} is not ready: {reason}"
            raise SystemFailed(text, self._log)

    async def not_ready(self) -> str | None:
        """Return None if the process is ready, and otherwise the reason: its answer, or the error of the call."""
        try:
            async with (
                aiohttp.ClientSession(timeout=_ASK_TIMEOUT) as session,
                session.get(f"{self.url}/readyz") as answer,
            ):
                if answer.status == 200:
                    return None
                reason = await answer.text()
                return reason[:300]
        except (aiohttp.ClientError, TimeoutError) as error:
            return type(error).__name__

    async def stop(self) -> None:
        """Ask the process to finish its work and end; kill it if it does not end in time."""
        await self.state.end(self.name, _STOP_WAIT)

    async def kill(self) -> None:
        """End the process at once, as a crash would."""
        await self.state.end(self.name, _STOP_WAIT, signal.SIGKILL)

    @property
    def _log(self) -> Path:
        return self.logs / f"{self.name}.log"

    async def _ask(self) -> str | None:
        if not self.running:
            text = f"{self.name} ended while starting"
            raise SystemFailed(text, self._log)
        return await self.not_ready()


def service_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of a service's process: this one's, with ``settings`` for the service.

    So a setting that the local system does not make itself, such as ``VAULT_BURST_LIMIT``, may come from the shell.
    """
    inherited = dict(os.environ)
    inherited.pop(_NOT_PASSED_ON, None)
    # The project need not be installed, and lines of a process that is killed are in its log.
    python = {"PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"}
    return inherited | python | dict(settings)


def process_name(service: str, number: int) -> str:
    """Return the name of one of a service's processes, counted from 1."""
    if number == 1:
        return service
    return f"{service}_{number}"


@dataclass(frozen=True, slots=True)
class SignIn:
    """A username and its password."""

    username: str
    password: str


@dataclass(frozen=True, slots=True)
class VaultPlan:
    """The local system's settings of a Vault: its service, virtual host, ids and the name of its business user.

    The first of several Vaults of one service has the service's name, the others also a number.
    """

    service: str
    vhost: str
    vault_id: int
    remote_vault_id: int
    business_user: str
    number: int = 1

    @property
    def name(self) -> str:
        """Return the name of its process, its database and its user at the broker."""
        return process_name(self.service, self.number)

    def username(self, role: str) -> str:
        """Return the username of one of :data:`ROLES`, in this Vault's domain."""
        user = self.business_user if role == BUSINESS else role
        return f"{user}@{self.vhost}.example"


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
        "VAULT_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "VAULT_DATABASE_DSN": dsn,
        "VAULT_AMQP_URL": amqp_url,
        "VAULT_STAGING_FOLDER": str(files),
        "VAULT_VAULT_ID": str(plan.vault_id),
        "VAULT_REMOTE_VAULT_ID": str(plan.remote_vault_id),
        "VAULT_DRAIN_SECONDS": "0",  # no balancer is in front that would send clients elsewhere
        "VAULT_LOG_FORMAT": "json",
        "VAULT_LOG_LEVEL": "INFO",
    }
    for role in ROLES:
        sign_in = sign_ins[role]
        prefix = f"VAULT_{role.upper()}"
        settings[f"{prefix}_USERNAME"] = sign_in.username
        settings[f"{prefix}_PASSWORD"] = sign_in.password
    return settings


def tls_settings(port: int, certificate: Path, key: Path) -> dict[str, str]:
    """Return the environment variables with which a Vault process serves HTTPS, too."""
    return {
        "VAULT_TLS_PORT": str(port),
        "VAULT_TLS_CERTIFICATE": str(certificate),
        "VAULT_TLS_KEY": str(key),
    }


def connector_settings(
    port: int, vaults: Mapping[str, tuple[str, SignIn, str]]
) -> dict[str, str]:
    """Return the environment of a connector; ``vaults`` has URL, sign-in and AMQP address of each by name."""
    entries = []
    for name, (url, sign_in, amqp_url) in vaults.items():
        entry = {
            "name": name,
            "url": url,
            "username": sign_in.username,
            "password": sign_in.password,
            "amqp_url": amqp_url,
        }
        entries.append(entry)
    return {
        "CONNECTOR_HOST": "127.0.0.1",
        "CONNECTOR_PORT": str(port),
        "CONNECTOR_VAULTS": json.dumps(entries),
        "CONNECTOR_LOG_FORMAT": "json",
        "CONNECTOR_LOG_LEVEL": "INFO",
    }
