"""Lists the parts of ``make bench``, and compares their results by ratios.

A ratio is the time of the system, divided by that of the floor, of a bare endpoint or of the smaller Vault in the same
run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import cost, growth, transfer
from bench.peers import __main__ as peers
from bench.peers import small_calls
from local.system import System

Figures = Mapping[str, Any]

GROWN = "growth: "
SMALL = "small call: "
COST = "cost: "
AIMS = {
    f"{COST}account, insert": 2.5,
    f"{COST}account, update": 2.5,
    f"{COST}inquiry": 3.0,
    SMALL: 1.8,
    GROWN: 1.5,
}
"""The largest ratio that is aimed at, by name or by the beginning of the name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The sizes of the measurements; ``profile`` is a folder for the stacks of the transfer's processes."""

    inquiries: int = 10_000
    accounts: int = 100_000
    costed: int = 20_000
    rounds: int = 5
    vaults: tuple[int, ...] = growth.SIZES
    profile: Path | None = None


async def _transfer(sizes: Sizes) -> Figures:
    """Measure throughput, delay, single calls, runs and a reconciliation."""
    with _folder() as name:
        system = System(Path(name) / "system")
        return await transfer.run(
            system, sizes.inquiries, sizes.accounts, sizes.profile
        )


async def _cost(sizes: Sizes) -> Figures:
    """Measure the cost of an account and an inquiry."""
    return await cost.run(sizes.costed, sizes.costed, sizes.rounds, tables=False)


async def _peers(sizes: Sizes) -> Figures:
    """Measure the floor and the peers, by turns."""
    return await peers.measured(sizes.costed, sizes.rounds)


async def _small_calls(_sizes: Sizes) -> Figures:
    """Measure short calls in comparison with bare ones."""
    return await small_calls.run(workers=True)


async def _growth(sizes: Sizes) -> Figures:
    """Measure calls by the number of records."""
    figures = await growth.run(sizes.vaults)
    # As JSON has them, whose names are texts.
    return {
        name: {str(size): time for size, time in by_size.items()}
        for name, by_size in figures.items()
    }


PARTS: Mapping[str, Callable[[Sizes], Coroutine[Any, Any, Figures]]] = {
    "transfer": _transfer,
    "cost": _cost,
    "peers": _peers,
    "small-calls": _small_calls,
    "growth": _growth,
}


def _folder() -> tempfile.TemporaryDirectory[str]:
    """Return a temporary folder for a system."""
    folder = tempfile.TemporaryDirectory(prefix="connection-bench-")
    # Servers that run as another user pass through to their data.
    Path(folder.name).chmod(0o711)
    return folder


def ratios(figures: Mapping[str, Figures]) -> dict[str, float]:
    """Return the ratios that follow from the figures of these parts, by name."""
    found: dict[str, float] = {}
    floors = figures.get("peers", {})
    for kind, figure in figures.get("cost", {}).items():
        floor = floors.get(kind, {}).get(peers.FLOOR)
        if floor is not None:
            found[COST + kind] = figure["microseconds"] / floor["microseconds"]
    for call, figure in figures.get("small-calls", {}).items():
        # Of workers, more is better: it is no ratio of this kind.
        if "bare_ms" in figure:
            found[SMALL + call] = figure["ratio"]
    for call, by_size in figures.get("growth", {}).items():
        times = [by_size[size] for size in sorted(by_size, key=int)]
        found[GROWN + call] = times[-1] / times[0]
    return found


def aim(name: str) -> float | None:
    """Return the target of a ratio, its largest value; None for one without a target."""
    for beginning, largest in AIMS.items():
        if name.startswith(beginning):
            return largest
    return None
