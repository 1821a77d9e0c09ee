"""Proves the compose file: builds the image, brings everything up, plays the story, takes everything down."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from local.broker import CRM_2, management_api
from local.failure import SystemFailed
from local.polling import answers_within
from local.service import CRM_VAULT, MEDICAL_VAULT, PROJECT, SECOND_CRM_VAULT, VaultPlan
from local.state import State, write_private

_BUILD_WAIT = 900
_UP_WAIT = 400
_STORY_WAIT = 300
_DOWN_WAIT = 180
_JOIN_WAIT = 60.0


def main() -> int:
    """Run the proof under a project of its own, on free ports and with passwords of its own; 0 if it held."""
    name = f"connection-test-{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory(prefix=name) as directory:
        state = State.load(Path(directory) / "state.json")
        state.servers = Path(directory)
        settings = _settings(state, name)
        compose = ["docker", "compose", "--project-name", name]
        two = [*compose, "--profile", "two-crm"]
        try:
            _run([*compose, "build", "--quiet"], settings, _BUILD_WAIT)
            _run(
                [*compose, "up", "--detach", "--wait", "--wait-timeout", str(_UP_WAIT)],
                settings,
                _UP_WAIT + 60,
            )
            endpoints = Path(directory) / "endpoints.json"
            write_private(endpoints, _endpoints(settings))
            _run(
                [
                    sys.executable,
                    "-m",
                    "local.story.demo",
                    "--endpoints",
                    str(endpoints),
                ],
                settings,
                _STORY_WAIT,
            )
            _run([*two, "up", "--detach", "--wait", "crm-vault-2"], settings, _UP_WAIT)
            _run([*two, "run", "--rm", "connection-setup-2"], settings, _UP_WAIT)
            asyncio.run(_joined(settings))
            write_private(endpoints, _endpoints(settings, second_crm=True))
            _run(
                [
                    sys.executable,
                    "-m",
                    "local.story.demo",
                    "--endpoints",
                    str(endpoints),
                ],
                settings,
                _STORY_WAIT,
            )
        except (
            subprocess.CalledProcessError,
            subprocess.TimeoutExpired,
            SystemFailed,
        ) as error:
            print(f"compose test failed: {_said(error)}", file=sys.stderr)
            subprocess.run(
                [*compose, "ps", "--all"],
                cwd=PROJECT,
                env=settings,
                check=False,
                timeout=60,
            )
            subprocess.run(
                [*compose, "logs", "--tail", "60"],
                cwd=PROJECT,
                env=settings,
                check=False,
                timeout=60,
            )
            return 1
        finally:
            down = [
                *compose,
                "--profile",
                "two-crm",
                "down",
                "--volumes",
                "--remove-orphans",
                "--rmi",
                "local",
                "--timeout",
                "20",
            ]
            subprocess.run(
                down, cwd=PROJECT, env=settings, check=False, timeout=_DOWN_WAIT
            )
    print(
        "The compose file brings the whole system up, the story plays on it, and again with a second Vault CRM."
    )
    return 0


def _settings(state: State, name: str) -> dict[str, str]:
    """Return the environment of every command: free ports, generated passwords, an image tag of this run."""
    ports = ("AMQP_PORT", "RABBITMQ_MANAGEMENT_PORT", "POSTGRES_PORT")
    services = (
        "MEDICAL_VAULT_PORT",
        "CRM_VAULT_PORT",
        "CRM_VAULT_2_PORT",
        "CONNECTOR_PORT",
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
    chosen["IMAGE_TAG"] = name
    chosen["PYTHONPATH"] = str(PROJECT)
    return dict(os.environ) | chosen


def _endpoints(settings: dict[str, str], *, second_crm: bool = False) -> dict[str, Any]:
    """Return where the composed system is, in the form of ``.run/endpoints.json``."""

    def vault(plan: VaultPlan, domain: str, port: str, password: str) -> dict[str, Any]:
        return {
            "url": f"http://127.0.0.1:{settings[port]}",
            "username": f"admin@{domain}.example",
            "password": settings[password],
            "vault_id": plan.vault_id,
        }

    broker, database = settings["RABBITMQ_PASSWORD"], settings["POSTGRES_PASSWORD"]
    second = vault(SECOND_CRM_VAULT, "crm2", "CRM_VAULT_2_PORT", "CRM_2_ADMIN_PASSWORD")
    return {
        "medical_vault": vault(
            MEDICAL_VAULT, "medical", "MEDICAL_VAULT_PORT", "MEDICAL_ADMIN_PASSWORD"
        ),
        "crm_vault": vault(CRM_VAULT, "crm", "CRM_VAULT_PORT", "CRM_ADMIN_PASSWORD"),
        **({SECOND_CRM_VAULT.name: second} if second_crm else {}),
        "connector": {"url": f"http://127.0.0.1:{settings['CONNECTOR_PORT']}"},
        "rabbitmq": {
            "amqp_url": f"amqp://admin:{broker}@127.0.0.1:{settings['AMQP_PORT']}",
            "management_url": f"http://127.0.0.1:{settings['RABBITMQ_MANAGEMENT_PORT']}",
            "username": "admin",
            "password": broker,
        },
        "postgres": {
            "dsn": f"postgresql://postgres_admin:{database}@127.0.0.1:{settings['POSTGRES_PORT']}/postgres"
        },
    }


async def _joined(settings: dict[str, str]) -> None:
    """Wait until the connector consumes the queues of the second Vault CRM; raises SystemFailed."""
    administrator = ("admin", settings["RABBITMQ_PASSWORD"])

    async def reason() -> str | None:
        async with (
            management_api(
                f"http://127.0.0.1:{settings['RABBITMQ_MANAGEMENT_PORT']}",
                administrator,
            ) as session,
            session.get(f"/api/consumers/{CRM_2}") as answer,
        ):
            queues = {consumer["queue"]["name"] for consumer in await answer.json()}
            missing = {
                "crm_to_medical_outbound_queue__v",
                "medical_to_crm_inbound__v",
            } - queues
            return f"nobody consumes {', '.join(sorted(missing))}" if missing else None

    if (problem := await answers_within(_JOIN_WAIT, reason)) is not None:
        raise SystemFailed(
            f"the connector has not joined the second Vault CRM: {problem}"
        )


def _run(command: list[str], settings: dict[str, str], seconds: float) -> None:
    print(f"$ {' '.join(command)}", flush=True)
    subprocess.run(command, cwd=PROJECT, env=settings, check=True, timeout=seconds)


def _said(
    error: subprocess.CalledProcessError | subprocess.TimeoutExpired | SystemFailed,
) -> str:
    if isinstance(error, SystemFailed):
        return str(error)
    command = " ".join(error.cmd)
    how = (
        f"exit code {error.returncode}"
        if isinstance(error, subprocess.CalledProcessError)
        else "took too long"
    )
    return f"{command}: {how}"


if __name__ == "__main__":
    sys.exit(main())
