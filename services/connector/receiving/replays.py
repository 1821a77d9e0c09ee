"""Signatures that were taken already, remembered for as long as they are good."""

from __future__ import annotations

import heapq
from datetime import datetime

CAPACITY = 100_000


class Full(Exception):
    """More signatures are good at one time than are remembered."""


class Replays:
    """The signatures that this process has taken; one is forgotten once its time is over, never before."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._taken: set[bytes] = set()
        self._ends: list[tuple[datetime, bytes]] = []

    def take(self, signature: bytes, good_until: datetime, now: datetime) -> bool:
        """Remember a signature; whether it is new. Times are aware. Raises Full."""
        while self._ends and self._ends[0][0] < now:
            self._taken.discard(heapq.heappop(self._ends)[1])
        if signature in self._taken:
            return False
        if len(self._taken) >= self._capacity:
            raise Full
        self._taken.add(signature)
        heapq.heappush(self._ends, (good_until, signature))
        return True

    def give_back(self, signature: bytes) -> None:
        """Forget a signature whose message could not be taken after all, so that it may come again."""
        self._taken.discard(signature)
