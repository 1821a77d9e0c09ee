"""Tests the Compose file: builds the images, starts the system, tries its proxy, plays the story, removes it all."""

from __future__ import annotations

import asyncio
import os
import secrets
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from local.broker import CRM_2, management_api
from local.compose_front import ProxyPort
from local.failure import SystemFailed
from local.polling import answers_within
from local.service import CRM_VAULT, MEDICAL_VAULT, PROJECT, SECOND_CRM_VAULT, VaultPlan
from local.state import State, write_private

_BUILD_WAIT = 900
_UP_WAIT = 400
_STORY_WAIT = 300
_DOWN_WAIT = 180
_JOIN_WAIT = 60.0
_EVERY_ADDRESS = "0.0.0.0"  # noqa: S104  nothing is to listen there  # nosec B104


def main() -> int:
    """Run the test in a Compose project of its own, on free ports; return 0 if it passed."""
    # Free ports, and a name and passwords of its own: a system of the same machine is not touched.
    name = f"connection-test-{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory(prefix=name) as folder:
        directory = Path(folder)
        state = State.load(directory / "state.json")
        # Part of the state file, though the servers of this test are containers.
        state.servers = directory
        settings = _settings(state, name)
        compose = ["docker", "compose", "--project-name", name]
        try:
            _play(compose, settings, directory)
        except (
            subprocess.CalledProcessError,
            subprocess.TimeoutExpired,
            SystemFailed,
        ) as error:
            print(f"compose test failed: {_reason(error)}", file=sys.stderr)
            # Before everything is removed, the logs with it.
            _try([*compose, "ps", "--all"], settings, 60)
            _try([*compose, "logs", "--tail", "60"], settings, 60)
            return 1
        finally:
            down = [*compose, "--profile", "two-crm", "down"]
            options = ["--volumes", "--remove-orphans", "--rmi", "local"]
            _try([*down, *options, "--timeout", "20"], settings, _DOWN_WAIT)
    print("The story played on the composed system with one Vault CRM and with two.")
    return 0


def _play(compose: list[str], settings: dict[str, str], directory: Path) -> None:
    """Play the story with one Vault CRM, add the second one, and play it again."""
    two = [*compose, "--profile", "two-crm"]
    endpoints = directory / "endpoints.json"
    play = [sys.executable, "-m", "local.story.demo", "--endpoints", str(endpoints)]
    wait = ["--detach", "--wait", "--wait-timeout", str(_UP_WAIT)]
    _run([*compose, "build", "--quiet"], settings, _BUILD_WAIT)
    _refuses_known_passwords(compose, settings)
    # Compose's own limit ends first, and names the service that is not ready.
    _run([*compose, "up", *wait], settings, _UP_WAIT + 60)
    asyncio.run(_proxy_port(compose, settings, directory).check())
    write_private(endpoints, _endpoints(settings))
    _run(play, settings, _STORY_WAIT)
    _run([*two, "up", *wait], settings, _UP_WAIT + 60)
    # The connector was started before this Vault, and looks for it from time to time.
    asyncio.run(_joined(settings))
    write_private(endpoints, _endpoints(settings, second_crm=True))
    _run(play, settings, _STORY_WAIT)


def _refuses_known_passwords(compose: list[str], settings: dict[str, str]) -> None:
    """Try to publish the system with a known password.

    :raises SystemFailed: the system was published, or the reason was not printed.
    """
    # An empty variable takes its default.
    published = settings | {"BIND": _EVERY_ADDRESS, "CRM_OWNER_PASSWORD": ""}
    up = [*compose, "up", "--detach", "postgres", "rabbitmq"]
    code, _ = _outcome(up, published)
    _, running = _outcome([*compose, "ps", "--quiet", "--status", "running"], published)
    _, reason = _outcome([*compose, "logs", "--no-color", "password-check"], published)
    if code == 0 or running or "Set CRM_OWNER_PASSWORD, or" not in reason:
        raise SystemFailed(f"a known password was published: {reason}")


def _outcome(command: list[str], settings: dict[str, str]) -> tuple[int, str]:
    """Return the exit code of a command, and its standard output."""
    print(f"$ {' '.join(command)}", flush=True)
    ended = subprocess.run(
        command,
        cwd=PROJECT,
        env=settings,
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        timeout=_UP_WAIT,
    )
    return ended.returncode, ended.stdout


def _proxy_port(
    compose: list[str], settings: dict[str, str], directory: Path
) -> ProxyPort:
    """Return the proxy's port for the Medical Vault, with the system's certificate authority to trust."""
    ca_file = directory / "ca.pem"
    copy = [*compose, "cp", "proxy:/var/lib/tls/ca.pem", str(ca_file)]
    _run(copy, settings, _UP_WAIT)
    return ProxyPort(
        int(settings["MEDICAL_VAULT_TLS_PORT"]),
        ssl.create_default_context(cafile=str(ca_file)),
        int(settings["PROXY_CONNECTIONS_PER_ADDRESS"]),
    )


def _settings(state: State, name: str) -> dict[str, str]:
    """Return the environment of every command: free ports, generated passwords, an image tag of this run."""
    ports = ("AMQP_PORT", "RABBITMQ_MANAGEMENT_PORT", "POSTGRES_PORT")
    services = (
        "MEDICAL_VAULT_PORT",
        "CRM_VAULT_PORT",
        "CRM_VAULT_2_PORT",
        "CONNECTOR_PORT",
        "MEDICAL_VAULT_TLS_PORT",
        "CRM_VAULT_TLS_PORT",
        "CRM_VAULT_2_TLS_PORT",
        "CONNECTOR_TLS_PORT",
    )
    passwords = (
        *(
            "RABBITMQ_PASSWORD",
            "POSTGRES_PASSWORD",
            "MEDICAL_DATABASE_PASSWORD",
            "CRM_DATABASE_PASSWORD",
        ),
        *("MEDICAL_OWNER_PASSWORD", "CRM_OWNER_PASSWORD"),
        *(
            "BROKER_MEDICAL_VAULT_PASSWORD",
            "BROKER_CRM_VAULT_PASSWORD",
            "BROKER_CONNECTOR_PASSWORD",
        ),
        *(
            "MEDICAL_ADMIN_PASSWORD",
            "MEDICAL_INTEGRATION_PASSWORD",
            "MEDICAL_BUSINESS_PASSWORD",
        ),
        *(
            "CRM_2_DATABASE_PASSWORD",
            "CRM_2_OWNER_PASSWORD",
            "BROKER_CRM_VAULT_2_PASSWORD",
        ),
        *(
            "CRM_2_ADMIN_PASSWORD",
            "CRM_2_INTEGRATION_PASSWORD",
            "CRM_2_BUSINESS_PASSWORD",
        ),
        *("CRM_ADMIN_PASSWORD", "CRM_INTEGRATION_PASSWORD", "CRM_BUSINESS_PASSWORD"),
    )
    chosen = {port: str(state.port(port)) for port in (*ports, *services)}
    chosen |= {password: state.secret(password) for password in passwords}
    # The recipient of an answer opens its link without the proxy's certificate, as the story calls the Vaults.
    chosen["MEDICAL_VAULT_PUBLIC_URL"] = (
        f"http://127.0.0.1:{chosen['MEDICAL_VAULT_PORT']}"
    )
    chosen["IMAGE_TAG"] = name
    chosen["FRONT_NETWORK"] = f"198.19.{secrets.randbelow(256)}"
    chosen["PROXY_CONNECTIONS_PER_ADDRESS"] = "20"
    chosen["PYTHONPATH"] = str(PROJECT)
    return dict(os.environ) | chosen


def _endpoints(settings: dict[str, str], *, second_crm: bool = False) -> dict[str, Any]:
    """Return the addresses and sign-ins of the composed system, in the form of ``.run/endpoints.json``."""

    def vault(plan: VaultPlan, domain: str, port: str, password: str) -> dict[str, Any]:
        return {
            "url": f"http://127.0.0.1:{settings[port]}",
            "username": f"admin@{domain}.example",
            "password": settings[password],
            "vault_id": plan.vault_id,
        }

    broker, database = settings["RABBITMQ_PASSWORD"], settings["POSTGRES_PASSWORD"]
    amqp_port, database_port = settings["AMQP_PORT"], settings["POSTGRES_PORT"]
    server = f"postgres_admin:{database}@127.0.0.1:{database_port}"
    endpoints: dict[str, Any] = {
        "medical_vault": vault(
            MEDICAL_VAULT,
            "medical",
            "MEDICAL_VAULT_PORT",
            "MEDICAL_ADMIN_PASSWORD",
        ),
        "crm_vault": vault(
            CRM_VAULT,
            "crm",
            "CRM_VAULT_PORT",
            "CRM_ADMIN_PASSWORD",
        ),
        "connector": {"url": f"http://127.0.0.1:{settings['CONNECTOR_PORT']}"},
        "rabbitmq": {
            "amqp_url": f"amqp://admin:{broker}@127.0.0.1:{amqp_port}",
            "management_url": _management_url(settings),
            "username": "admin",
            "password": broker,
        },
        "postgres": {"dsn": f"postgresql://{server}/postgres"},
    }
    if second_crm:
        endpoints[SECOND_CRM_VAULT.name] = vault(
            SECOND_CRM_VAULT,
            "crm2",
            "CRM_VAULT_2_PORT",
            "CRM_2_ADMIN_PASSWORD",
        )
    return endpoints


def _management_url(settings: dict[str, str]) -> str:
    port = settings["RABBITMQ_MANAGEMENT_PORT"]
    return f"http://127.0.0.1:{port}"


async def _joined(settings: dict[str, str]) -> None:
    """Wait until the connector consumes the queues of the second Vault CRM.

    :raises SystemFailed: the connector does not consume them within a minute.
    """
    administrator = ("admin", settings["RABBITMQ_PASSWORD"])
    expected = {"crm_to_medical_outbound_queue__v", "medical_to_crm_inbound__v"}

    async def reason() -> str | None:
        async with (
            management_api(_management_url(settings), administrator) as session,
            session.get(f"/api/consumers/{CRM_2}") as answer,
        ):
            consumers = await answer.json()
        queues = {consumer["queue"]["name"] for consumer in consumers}
        missing = sorted(expected - queues)
        return f"no consumer of {', '.join(missing)}" if missing else None

    problem = await answers_within(_JOIN_WAIT, reason)
    if problem is not None:
        raise SystemFailed(
            f"the connector has not joined the second Vault CRM: {problem}"
        )


def _run(command: list[str], settings: dict[str, str], seconds: float) -> None:
    print(f"$ {' '.join(command)}", flush=True)
    subprocess.run(command, cwd=PROJECT, env=settings, check=True, timeout=seconds)


def _try(command: list[str], settings: dict[str, str], seconds: float) -> None:
    subprocess.run(command, cwd=PROJECT, env=settings, check=False, timeout=seconds)


def _reason(
    error: subprocess.CalledProcessError | subprocess.TimeoutExpired | SystemFailed,
) -> str:
    if isinstance(error, SystemFailed):
        return str(error)
    command = " ".join(error.cmd)
    if isinstance(error, subprocess.CalledProcessError):
        return f"{command}: exit code {error.returncode}"
    return f"{command}: took too long"


if __name__ == "__main__":
    sys.exit(main())
