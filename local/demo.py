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

from local.narration import Narration
from local.story import StoryFailed, play
from local.system import System, SystemFailed
from shared.client import ClientError
from shared.spark.errors import SparkError

RUN_DIRECTORY = Path(".run")


def main() -> int:
    """Play the story; 0 when every step happened."""
    parser = argparse.ArgumentParser(description="Play the story of the Medical-CRM Connection")
    parser.add_argument("--endpoints", type=Path, help="play against the system that this endpoints.json describes")
    arguments = parser.parse_args()
    narration = Narration()
    if arguments.endpoints:
        return _play(narration, json.loads(arguments.endpoints.read_text()), None, arguments.endpoints)
    system = System(RUN_DIRECTORY)
    running = system.is_running()
    try:
        if not running:
            narration.say("Starting PostgreSQL, RabbitMQ, both Vaults and the connector …")
        system.start()
        code = _play(narration, system.endpoints(), system.sign_ins(), system.logs)
        if os.environ.get("KEEP") and code == 0:
            _print_addresses(narration, system.endpoints(), system.sign_ins())
    except SystemFailed as error:
        narration.failed(f"{error}\nLogs: {system.logs}")
        return 1
    finally:
        if not running and not os.environ.get("KEEP"):
            system.stop()
    return code


def _play(narration: Narration, endpoints: Mapping[str, Any], sign_ins: Mapping[str, Any] | None, logs: Path) -> int:
    try:
        asyncio.run(play(endpoints, narration, sign_ins))
    except (StoryFailed, ClientError, SparkError) as error:
        narration.failed(f"{error}\nLogs: {logs}")
        return 1
    return 0


def _print_addresses(narration: Narration, endpoints: Mapping[str, Any], sign_ins: Mapping[str, Any]) -> None:
    narration.say("\nLeft running (make stop ends it):")
    for name, endpoint in endpoints.items():
        address = endpoint.get("url") or endpoint.get("management_url") or endpoint.get("dsn")
        user = f"  {endpoint['username']} / {endpoint['password']}" if "username" in endpoint else ""
        narration.say(f"  {name:<14} {address}{user}")
    for vault, users in sign_ins.items():
        for role, account in users.items():
            narration.say(f"  {vault:<14} {role}: {account['username']} / {account['password']}")


if __name__ == "__main__":
    sys.exit(main())
