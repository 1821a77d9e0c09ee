"""Prints, stores and draws the figures of ``make bench``, and the costliest functions when it profiles."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import quiet
from bench.growth_picture import drawn as growth_picture
from bench.parts import PARTS, Sizes, aim, ratios
from bench.profiler import shares
from bench.ratio_picture import drawn as ratio_picture
from local.system import DEFAULT_DIRECTORY


def main() -> int:
    """Measure on systems and servers of their own, which are removed afterwards, and return 0."""
    arguments = _arguments()
    sizes = Sizes(
        inquiries=arguments.inquiries,
        accounts=arguments.accounts,
        costed=arguments.records,
        rounds=arguments.rounds,
        vaults=tuple(arguments.sizes),
        profile=arguments.profile,
    )
    quiet.only_warnings()
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.pictures.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Mapping[str, Any]] = {}
    compared: dict[str, float] = {}
    for part in arguments.only or PARTS:
        figures[part] = asyncio.run(PARTS[part](sizes))
        compared = ratios(figures)
        # After each part: a later one that fails takes no figures with it.
        content = {**figures, "ratios": compared}
        arguments.json.write_text(json.dumps(content, indent=2) + "\n")
        _show(part, figures[part])
    _show_ratios(compared)
    if compared:
        picture = ratio_picture(compared)
        (arguments.pictures / "ratios.svg").write_text(picture)
    if "growth" in figures:
        picture = growth_picture(figures["growth"])
        (arguments.pictures / "growth.svg").write_text(picture)
    if arguments.profile:
        _show_profile(arguments.profile)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench",
        description="Throughput, delay, cost beside a floor and peers, and growth",
    )
    known = Sizes()
    parser.add_argument(
        "--only", action="append", choices=PARTS, help="a part; again for another"
    )
    parser.add_argument(
        "--inquiries",
        type=int,
        default=known.inquiries,
        help="number of inquiries, each for its own account",
    )
    parser.add_argument(
        "--accounts",
        type=int,
        default=known.accounts,
        help="number of accounts of a run",
    )
    parser.add_argument(
        "--records",
        type=int,
        default=known.costed,
        help="accounts and inquiries beside the floor and the peers",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=known.rounds,
        help="turns of the system and of each peer",
    )
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=known.vaults, help="accounts of Vaults"
    )
    parser.add_argument(
        "--json",
        type=Path,
        default=DEFAULT_DIRECTORY / "bench.json",
        help="file for the figures",
    )
    parser.add_argument(
        "--pictures",
        type=Path,
        default=DEFAULT_DIRECTORY,
        help="folder for ratios.svg and growth.svg",
    )
    parser.add_argument(
        "--profile",
        type=Path,
        help="sample the Python processes and write their stacks to this folder",
    )
    return parser.parse_args()


def _show(part: str, figures: Mapping[str, Any]) -> None:
    """Print a line for each figure of a part."""
    table = Table(title=part)
    table.add_column("Figure")
    table.add_column("Value", justify="right")
    for name, figure in _flat(figures):
        table.add_row(name.replace("_", " "), f"{figure:,}")
    Console().print(table)


def _flat(figures: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield all figures, each with the path of names that leads to it."""
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}: {rest}", each) for rest, each in _flat(value))
        else:
            yield name, value


def _show_ratios(compared: Mapping[str, float]) -> None:
    """Print each ratio next to its target."""
    table = Table("ratio", "times", "aim")
    for name, ratio in compared.items():
        table.add_row(name, f"{ratio:.2f}", str(aim(name) or ""))
    if compared:
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
