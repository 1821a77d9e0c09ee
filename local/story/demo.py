"""``make demo``: starts the system if it does not run, plays the story, and leaves things as they were."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.failure import SystemFailed
from local.narration import Narration
from local.story import StoryFailed, play
from local.system import DEFAULT_DIRECTORY, System
from shared.client import ClientError
from shared.spark.broker_errors import SparkError


def main() -> int:
    """Play the story; 0 when every step happened."""
    parser = argparse.ArgumentParser(
        description="Play the story of the Medical-CRM Connection"
    )
    parser.add_argument(
        "--endpoints",
        type=Path,
        help="play against the system that this endpoints.json describes",
    )
    arguments = parser.parse_args()
    narration = Narration()
    try:
        if arguments.endpoints:
            asyncio.run(play(json.loads(arguments.endpoints.read_text()), narration))
        else:
            asyncio.run(demo(_system(), narration, keep=bool(os.environ.get("KEEP"))))
    except (SystemFailed, StoryFailed, ClientError, SparkError) as error:
        logs = (
            "docker compose logs"
            if arguments.endpoints
            else str(System(DEFAULT_DIRECTORY).logs)
        )
        narration.failed(f"{error}\nLogs: {logs}")
        return 1
    return 0


def _system() -> System:
    """The system that runs; where none does, one with two Vault CRMs."""
    system = System(DEFAULT_DIRECTORY)
    return system if system.running else System(DEFAULT_DIRECTORY, second_crm=True)


async def demo(system: System, narration: Narration, *, keep: bool) -> None:
    """Play against ``system``; one that was not running is stopped again unless ``keep``."""
    narration.say(
        "Starting PostgreSQL, RabbitMQ, both Vaults and the connector, unless they run …"
    )
    started = True
    try:
        started = await system.start()
        await play(system.endpoints(), narration, system.sign_ins())
        if keep:
            _print_addresses(narration, system.endpoints(), system.sign_ins())
    finally:
        if started and not keep:
            await system.stop()


def _print_addresses(
    narration: Narration, endpoints: Mapping[str, Any], sign_ins: Mapping[str, Any]
) -> None:
    narration.say("\nLeft running (make stop ends it):")
    for name, endpoint in endpoints.items():
        address = (
            endpoint.get("url") or endpoint.get("management_url") or endpoint.get("dsn")
        )
        narration.say(f"  {name:<14} {address}")
    rabbitmq = endpoints["rabbitmq"]
    narration.say(f"  {'rabbitmq':<14} {rabbitmq['username']} / {rabbitmq['password']}")
    for vault, users in sign_ins.items():
        for role, account in users.items():
            narration.say(
                f"  {vault:<14} {role}: {account['username']} / {account['password']}"
            )


if __name__ == "__main__":
    sys.exit(main())
