"""Samples Python processes with py-spy and sums the samples by function."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from signal import SIGINT
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RATE = 200  # samples a second
STOP_SECONDS = 30.0
TOP = 12


@asynccontextmanager
async def profiled(processes: Mapping[str, int], folder: Path) -> AsyncIterator[None]:
    """Sample the processes during the block; write raw stacks to ``folder``, a file for each process."""
    folder.mkdir(parents=True, exist_ok=True)
    recorders = [
        await _record(pid, folder / f"{name}.stacks") for name, pid in processes.items()
    ]
    try:
        yield
    finally:
        # py-spy writes its file when it is interrupted.
        for recorder in recorders:
            with suppress(ProcessLookupError):
                recorder.send_signal(SIGINT)
        async with asyncio.timeout(STOP_SECONDS):
            await asyncio.gather(*(recorder.wait() for recorder in recorders))


async def _record(pid: int, file: Path) -> asyncio.subprocess.Process:
    command = (
        "record",
        "--format",
        "raw",
        "--gil",
        "--rate",
        str(RATE),
        "--output",
        str(file),
        "--pid",
        str(pid),
    )
    return await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "py-spy"),
        *command,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


def shares(file: Path) -> list[tuple[str, float]]:
    """Return the functions with the most own time and their share of all samples (0 to 1), largest first."""
    own: Counter[str] = Counter()
    for line in file.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        own[stack.rpartition(";")[2]] += int(count)
    total = own.total() or 1
    return [(frame, count / total) for frame, count in own.most_common(TOP)]
