"""Command line of the local system: ``python -m local start|stop|status|reset``; ``CRMS=2`` for two Vault CRMs."""

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

_COMMANDS = {
    "start": "start what does not run and return when all is ready",
    "stop": "stop everything; data stays",
    "status": "show every part; exit code 0 if all is up",
    "reset": "stop everything and remove its data",
}


async def _run(command: str, system: System, console: Console) -> int:
    if command == "start":
        started = await system.start()
        console.print(_table(await system.status()))
        console.print(
            "The system is running." if started else "The system was running already."
        )
        pages = (f"Pages:     {url} ({name})" for name, url in system.pages().items())
        listed = (
            f"Addresses: {system.endpoints_file}",
            f"Sign-ins:  {system.sign_ins_file}",
            *pages,
        )
        console.print("\n".join(listed), soft_wrap=True)
    elif command == "stop":
        await system.stop()
        console.print("The system is stopped; its data is kept.")
    elif command == "reset":
        await system.reset()
        console.print("The system is stopped and its data removed.")
    else:
        parts = await system.status()
        console.print(_table(parts))
        return 0 if all(part.up for part in parts) else 1
    return 0


def _table(parts: list[PartStatus]) -> Table:
    table = Table("part", "state", "where")
    for part in parts:
        table.add_row(
            part.name, "[green]up[/]" if part.up else "[red]down[/]", part.detail
        )
    return table


def main() -> int:
    """Run one command; 0 if it did what it says."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument(
        "command",
        choices=_COMMANDS,
        help="; ".join(f"{k}: {v}" for k, v in _COMMANDS.items()),
    )
    parser.add_argument(
        "--directory",
        type=Path,
        default=DEFAULT_DIRECTORY,
        help="where the system keeps its state",
    )
    arguments = parser.parse_args()
    crms = os.environ.get("CRMS", "1")
    if crms not in ("1", "2"):
        parser.error("CRMS is 1 or 2")
    system = System(arguments.directory, second_crm=crms == "2")
    try:
        return asyncio.run(_run(arguments.command, system, Console()))
    except (SystemFailed, aiohttp.ClientError) as error:
        Console(stderr=True, soft_wrap=True).print(
            f"{arguments.command} failed: {error}", markup=False
        )
        return 1


if __name__ == "__main__":
    sys.exit(main())
