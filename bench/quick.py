"""Measures the ratios in under three minutes, and prints changes since an earlier run.

``make bench-quick`` starts a PostgreSQL server of its own, prints a line for each scenario with its ratio, and writes
them as JSON to ``.run/bench-quick.json``. With ``--before FILE`` a line has the ratio of that file if it has changed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from bench import growth, quiet
from bench.peers import small_calls
from local.system import DEFAULT_DIRECTORY

SIZES = (2_000, 20_000)
# Ratios of one run vary by a fifth; what moves by more has moved.
MOVED = 0.25


async def measured() -> dict[str, float]:
    """Return the ratio of each scenario: of growth, between two sizes; of small calls, to a bare endpoint's."""
    ratios = {}
    for name, by_size in (await growth.run(SIZES)).items():
        ratios[f"growth: {name}"] = by_size[SIZES[-1]] / by_size[SIZES[0]]
    for name, figures in (await small_calls.run(workers=False)).items():
        ratios[f"beside a bare endpoint: {name}"] = figures["ratio"]
    return {name: round(ratio, 2) for name, ratio in ratios.items()}


def lines(ratios: Mapping[str, float], before: Mapping[str, float]) -> list[str]:
    """Return a line for each scenario: its name, its ratio, and the change of the ratio."""
    shown = []
    for name, ratio in ratios.items():
        former = before.get(name)
        moved = ""
        if former and abs(ratio / former - 1) > MOVED:
            moved = f"  was {former:.2f}"
        shown.append(f"{name:<60} {ratio:6.2f}{moved}")
    return shown


def main() -> int:
    """Print the lines, write the figures, and return 0."""
    parser = argparse.ArgumentParser(
        prog="bench.quick", description="Ratios in under three minutes"
    )
    parser.add_argument(
        "--json",
        type=Path,
        default=DEFAULT_DIRECTORY / "bench-quick.json",
        help="file for the figures",
    )
    parser.add_argument("--before", type=Path, help="figures of an earlier time")
    arguments = parser.parse_args()
    before = {}
    if arguments.before is not None and arguments.before.exists():
        before = json.loads(arguments.before.read_text())
    quiet.only_warnings()
    ratios = asyncio.run(measured())
    console = Console(width=100, highlight=False)
    for line in lines(ratios, before):
        console.print(line)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(ratios, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
