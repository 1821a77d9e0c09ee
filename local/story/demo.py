"""Starts the system unless it runs, plays the story, and stops what it started: ``make demo``."""

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
    """Play the story; return 0 when every step happened."""
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
            endpoints = json.loads(arguments.endpoints.read_text())
            asyncio.run(play(endpoints, narration))
        else:
            keep = bool(os.environ.get("KEEP"))
            asyncio.run(demo(_system(), narration, keep=keep))
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
    """Return the running system; when none runs, one with two Vault CRMs, which the last chapter needs."""
    system = System(DEFAULT_DIRECTORY)
    if system.running:
        return system
    return System(DEFAULT_DIRECTORY, second_crm=True)


async def demo(system: System, narration: Narration, *, keep: bool) -> None:
    """Play the story on ``system``; stop it afterwards when it was not running before, unless ``keep``."""
    narration.say(
        "Starting PostgreSQL, RabbitMQ, the Vaults and the connector, unless they run …"
    )
    # Until the start returns: a start that fails leaves parts running, which are stopped below.
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
    narration.say("\nThe system keeps running (make stop ends it):")
    for name, endpoint in endpoints.items():
        keys = ("url", "management_url", "dsn")
        address = next(endpoint[key] for key in keys if key in endpoint)
        narration.say(f"  {name:<14} {address}")
    rabbitmq = endpoints["rabbitmq"]
    narration.say(f"  {'rabbitmq':<14} {rabbitmq['username']} / {rabbitmq['password']}")
    for vault, users in sign_ins.items():
        for role, account in users.items():
            sign_in = f"{account['username']} / {account['password']}"
            narration.say(f"  {vault:<14} {role}: {sign_in}")


if __name__ == "__main__":
    sys.exit(main())
