"""Bounds the memory of answers that clients have yet to read, by closing the connections of those who read slowest."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

# Before this time, it does not show how fast somebody reads.
LEAST_SECONDS = 0.1


class Reader(Protocol):
    """A connection whose client is behind in reading an answer."""

    @property
    def unread_bytes(self) -> int:
        """Return the bytes of the answer that wait for the client."""

    def cut_off(self) -> None:
        """Close the connection without waiting for the client."""


@dataclass(frozen=True, slots=True)
class _Behind:
    since: float
    unread: int


@dataclass(slots=True)
class UnreadAnswers:
    """The readers of one process that are behind; ``most`` is the number of unread bytes that all may have together."""

    most: int
    clock: Callable[[], float] = time.monotonic
    _readers: dict[Reader, _Behind] = field(default_factory=dict)

    def add(self, reader: Reader) -> None:
        """Note that a reader is behind; cut off the slowest ones while there are too many unread bytes.

        The only one that is behind is never cut off, however much it has to read.
        """
        self._readers[reader] = _Behind(self.clock(), reader.unread_bytes)
        unread = sum(each.unread_bytes for each in self._readers)
        while unread > self.most and len(self._readers) > 1:
            slowest = min(self._readers, key=self._order)
            unread -= slowest.unread_bytes
            self.remove(slowest)
            slowest.cut_off()

    def remove(self, reader: Reader) -> None:
        """Note that a reader is behind no longer, or has gone."""
        self._readers.pop(reader, None)

    def _order(self, reader: Reader) -> tuple[bool, float]:
        """Return the sort key of a reader: slow ones come first; those behind for a short time come last, by age."""
        behind = self._readers[reader]
        seconds = self.clock() - behind.since
        if seconds < LEAST_SECONDS:
            return True, behind.since
        read = behind.unread - reader.unread_bytes
        return False, read / seconds
