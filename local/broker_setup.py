"""Prepares the RabbitMQ that environment variables name: ``python -m local.broker_setup``, run once by Compose."""

from __future__ import annotations

import asyncio
import os
import sys

import aiohttp

from local.broker import PERMISSIONS, WITH_SECOND_CRM, broker_answers, prepare_broker
from local.failure import SystemFailed
from local.polling import answers_within

_WAIT = 120.0
SECOND = "crm_vault_2"
"""The user of a second Vault CRM; without a password for it, one Vault CRM is prepared."""


def _variable(user: str) -> str:
    name = user.upper()
    return f"BROKER_{name}_PASSWORD"


async def _prepare(
    url: str, administrator: tuple[str, str], passwords: dict[str, str]
) -> None:
    reason = await answers_within(_WAIT, lambda: broker_answers(url, administrator))
    if reason is not None:
        raise SystemFailed(f"RabbitMQ does not answer: {reason}")
    users = WITH_SECOND_CRM if SECOND in passwords else PERMISSIONS
    await prepare_broker(url, administrator, passwords, users)


def main() -> int:
    """Create virtual hosts, users and permissions; return 0 when all of them exist."""
    try:
        url = os.environ["RABBITMQ_MANAGEMENT_URL"]
        administrator = (os.environ["RABBITMQ_USER"], os.environ["RABBITMQ_PASSWORD"])
        users = WITH_SECOND_CRM if _variable(SECOND) in os.environ else PERMISSIONS
        passwords = {name: os.environ[_variable(name)] for name in users}
        asyncio.run(_prepare(url, administrator, passwords))
    except KeyError as error:
        print(f"the environment lacks {error.args[0]}", file=sys.stderr)
        # As a wrong command line: repeating it would not help, unlike a broker that is away.
        return 2
    except (SystemFailed, aiohttp.ClientError) as error:
        print(f"broker setup failed: {error}", file=sys.stderr)
        return 1
    print(f"virtual hosts and users are ready: {', '.join(users)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
