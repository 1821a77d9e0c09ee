"""Reads the command line of the local system: ``python -m local start|stop|status|reset``.

``CRMS=2`` in the environment asks for two Vault CRMs, ``DOMAIN_TYPE=sandbox`` for Vaults of a sandbox domain.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.table import Table

from local.failure import SystemFailed
from local.system import DEFAULT_DIRECTORY, PartStatus, System
from local.system_parts import DOMAIN_TYPE, PRODUCTION, SANDBOX

_COMMANDS = {
    "start": "start every part that is not running and return when all are ready",
    "stop": "stop all parts and keep their data",
    "status": "show every part; exit code 0 if all are up",
    "reset": "stop all parts and remove their data",
}


async def _run(command: str, system: System, console: Console) -> int:
    if command == "start":
        await _start(system, console)
    elif command == "stop":
        await system.stop()
        console.print("The system is stopped. Its data is kept.")
    elif command == "reset":
        await system.reset()
        console.print("The system is stopped and its data is removed.")
    else:
        parts = await system.status()
        console.print(_table(parts))
        if not system.supervised:
            console.print("Parts that end are not started again: no supervisor runs.")
        # Scripts wait for the system by this exit code.
        return 0 if all(part.up for part in parts) else 1
    return 0


async def _start(system: System, console: Console) -> None:
    started = await system.start()
    # Only here: whoever starts a system by code decides what happens to its parts.
    system.supervise()
    parts = await system.status()
    console.print(_table(parts))
    if started:
        console.print("The system is running.")
    else:
        console.print("The system was already running.")
    lines = [
        f"Addresses: {system.endpoints_file}",
        f"Sign-ins:  {system.sign_ins_file}",
    ]
    for name, url in system.pages().items():
        lines.append(f"Pages:     {url} ({name})")
    # A wrapped path or address could not be copied from the terminal.
    console.print("\n".join(lines), soft_wrap=True)


def _table(parts: list[PartStatus]) -> Table:
    table = Table("part", "state", "where")
    for part in parts:
        state = "[green]up[/]" if part.up else "[red]down[/]"
        table.add_row(part.name, state, part.detail)
    return table


def main() -> int:
    """Run one command and return the exit code: 0 when it succeeded."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = [f"{name}: {text}" for name, text in _COMMANDS.items()]
    parser.add_argument("command", choices=_COMMANDS, help="; ".join(commands))
    parser.add_argument(
        "--directory",
        type=Path,
        default=DEFAULT_DIRECTORY,
        help="where the system keeps its state",
    )
    arguments = parser.parse_args()
    # A variable, as make passes it on: `CRMS=2 make start`.
    crms = os.environ.get("CRMS", "1")
    if crms not in ("1", "2"):
        parser.error("CRMS is 1 or 2")
    if os.environ.get(DOMAIN_TYPE, PRODUCTION) not in (PRODUCTION, SANDBOX):
        parser.error(f"{DOMAIN_TYPE} is {PRODUCTION} or {SANDBOX}")
    system = System(arguments.directory, second_crm=crms == "2")
    try:
        return asyncio.run(_run(arguments.command, system, Console()))
    except (SystemFailed, aiohttp.ClientError) as error:
        console = Console(stderr=True, soft_wrap=True)
        # Without markup: a path in brackets would be read as a style.
        console.print(f"{arguments.command} failed: {error}", markup=False)
        return 1


if __name__ == "__main__":
    sys.exit(main())
