"""Reads the processor time of the system's parts, children included, from /proc."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(roots: Mapping[str, int]) -> dict[str, float]:
    """Return seconds of user and system time by part; ``roots`` has a process id for each part's name."""
    parents, seconds = _processes()
    names = {pid: name for name, pid in roots.items()}
    total = dict.fromkeys(roots, 0.0)
    for pid, spent in seconds.items():
        ancestor = pid
        while ancestor in parents and ancestor not in names:
            ancestor = parents[ancestor]
        if ancestor in names:
            total[names[ancestor]] += spent
    return total


def children_of(root: int) -> dict[str, int]:
    """Return the process ids of the children of a process, by a name for each."""
    parents, _ = _processes()
    return {str(pid): pid for pid, parent in parents.items() if parent == root}


def parent_of(process: int) -> int:
    """Return the process id of the parent of a process."""
    parents, _ = _processes()
    return parents[process]


def _processes() -> tuple[dict[int, int], dict[int, float]]:
    """Return parent and processor seconds of every process, with the seconds of its ended children."""
    parents: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        # The name may hold spaces and brackets; the fields begin behind its last bracket.
        fields = text.rpartition(")")[2].split()
        pid = int(folder.name)
        parents[pid] = int(fields[1])
        seconds[pid] = sum(map(int, fields[11:15])) / TICKS
    return parents, seconds
