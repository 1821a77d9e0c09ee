"""Shares new connections evenly among workers: a worker leaves them to those that have fewer connections."""

from __future__ import annotations

import asyncio
import mmap
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# A worker that is ahead waits this many pauses for another one to accept a new connection. If none does, the others
# are busy, and the worker accepts every connection for IN_VAIN_SECONDS.
PAUSE = 0.001  # seconds
PAUSES = 100
IN_VAIN_SECONDS = 1.0

CELL = 8  # bytes of one worker's count, which is written at once
ABSENT = 0  # the cell of a running worker has its number of connections plus one


@dataclass(frozen=True, slots=True)
class SharedCounts:
    """Memory with the number of connections of each worker, which all workers of a process can write."""

    descriptor: int

    @classmethod
    @contextmanager
    def made(cls, workers: int) -> Iterator[SharedCounts]:
        """Yield the memory for this many workers, each of them noted as absent."""
        with tempfile.TemporaryFile() as file:
            file.truncate(workers * CELL)
            yield cls(file.fileno())

    def opened(self) -> mmap.mmap:
        """Return the memory, as this process reads and writes it."""
        return mmap.mmap(self.descriptor, os.fstat(self.descriptor).st_size)

    def forget(self, worker: int) -> None:
        """Note that a worker (0, 1, ...) has ended."""
        with self.opened() as memory:
            _write(memory, worker, ABSENT)


class ConnectionShare:
    """The connections of one worker (0, 1, ...) beside those of the others."""

    def __init__(self, counts: SharedCounts, worker: int) -> None:
        self._memory = counts.opened()
        self._worker = worker
        self._own = 0
        self._alone_until = 0.0

    def note(self, connections: int) -> None:
        """Note the number of connections that this worker has."""
        self._own = connections
        _write(self._memory, self._worker, connections + 1)

    @property
    def is_ahead(self) -> bool:
        """Return whether another worker has fewer connections."""
        cells = memoryview(self._memory).cast("Q")
        counts = [cell - 1 for cell in cells if cell != ABSENT]
        return any(count < self._own for count in counts)

    async def turn(self) -> None:
        """Wait while this worker is ahead, but only for a moment, in which another may take a new connection."""
        clock = asyncio.get_running_loop().time
        for _ in range(PAUSES):
            if not self.is_ahead or clock() < self._alone_until:
                return
            await asyncio.sleep(PAUSE)
        self._alone_until = clock() + IN_VAIN_SECONDS


def _write(memory: mmap.mmap, worker: int, value: int) -> None:
    memoryview(memory).cast("Q")[worker] = value
