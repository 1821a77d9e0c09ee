"""Remembers the signatures of accepted messages for as long as they are valid, so that none is accepted twice."""

from __future__ import annotations

import heapq
from datetime import datetime

# A Vault's signature is valid for five minutes from when it is made: room for some 330 messages a second.
CAPACITY = 100_000


class Full(Exception):
    """Raised when more signatures are valid at one time than can be remembered."""


class Replays:
    """Remembers the signatures that this process has accepted, each at least until it is no longer valid."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._taken: set[bytes] = set()
        self._ends: list[tuple[datetime, bytes]] = []

    def take(self, signature: bytes, good_until: datetime, now: datetime) -> bool:
        """Remember a signature, and return whether it is new; times have a time zone.

        :raises Full: too many signatures are valid now.
        """
        while self._ends and self._ends[0][0] < now:
            _, expired = heapq.heappop(self._ends)
            self._taken.discard(expired)
        if signature in self._taken:
            return False
        # Refused rather than forgotten early: a signature that is forgotten while it is valid could be replayed.
        if len(self._taken) >= self._capacity:
            raise Full
        self._taken.add(signature)
        heapq.heappush(self._ends, (good_until, signature))
        return True

    def give_back(self, signature: bytes) -> None:
        """Forget a signature whose message could not be queued after all, so that the sender may repeat it."""
        # Its entry among the ends stays and does no harm: the end of a signature is signed, and so never another one.
        self._taken.discard(signature)
