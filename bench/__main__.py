"""Prints and stores the figures of ``make bench``, and the costliest functions when it profiles."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.profiler import shares
from bench.transfer import run
from local.system import DEFAULT_DIRECTORY, System


def main() -> int:
    """Measure on a system of its own, which is removed afterwards, and return 0."""
    parser = argparse.ArgumentParser(
        prog="bench", description="Transfer throughput and delay, and single calls"
    )
    parser.add_argument(
        "--inquiries",
        type=int,
        default=10_000,
        help="number of inquiries, each for its own account",
    )
    parser.add_argument(
        "--accounts", type=int, default=100_000, help="number of accounts of a run"
    )
    parser.add_argument(
        "--json",
        type=Path,
        default=DEFAULT_DIRECTORY / "bench.json",
        help="file for the figures",
    )
    parser.add_argument(
        "--profile",
        type=Path,
        help="sample the Python processes and write their stacks to this folder",
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="connection-bench-") as folder:
        # Servers that run as another user pass through to their data.
        Path(folder).chmod(0o711)
        figures = asyncio.run(
            run(
                System(Path(folder) / "system"),
                arguments.inquiries,
                arguments.accounts,
                arguments.profile,
            )
        )
    _show(figures)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    if arguments.profile:
        _show_profile(arguments.profile)
    return 0


def _show(figures: Mapping[str, Any]) -> None:
    table = Table(title="Transfer to Medical, and single calls")
    table.add_column("Figure")
    table.add_column("Value", justify="right")
    for name, value in figures.items():
        if isinstance(value, Mapping):
            for part, figure in value.items():
                table.add_row(
                    f"{name.replace('_', ' ')}: {part.replace('_', ' ')}", f"{figure:,}"
                )
        else:
            table.add_row(name.replace("_", " "), f"{value:,}")
    Console().print(table)


def _show_profile(folder: Path) -> None:
    for file in sorted(folder.glob("*.stacks")):
        table = Table(title=f"{file.stem}: time of its own by function")
        table.add_column("Function")
        table.add_column("Share", justify="right")
        for frame, share in shares(file):
            table.add_row(frame, f"{100 * share:.1f} %")
        Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
