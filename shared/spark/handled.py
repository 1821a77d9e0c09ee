"""Remembers which deliveries are in hand or done here, since their acknowledgement may be lost with the channel."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from shared.spark.subscription import Delivery

# Bounds the memory; forgetting a delivery has it handled twice, which changes nothing.
MAX_REMEMBERED = 10_000
REMEMBERED_SECONDS = 600.0

Key = tuple[str, int]


class Handled:
    """Deliveries of one queue by id and body.

    Over a link that breaks more often than a handler is done, each channel is gone before its deliveries are
    acknowledged. They come again on the next one, and would be begun anew each time.
    """

    def __init__(self) -> None:
        self._in_hand: dict[Key, asyncio.Event] = {}
        self._done: OrderedDict[Key, float] = OrderedDict()

    @contextmanager
    def in_hand(self, deliveries: Sequence[Delivery]) -> Iterator[None]:
        """Run the body with these deliveries in hand; when it raises nothing, they are done."""
        keys = [_key(delivery) for delivery in deliveries if not delivery.rounds]
        ended = asyncio.Event()
        for key in keys:
            self._in_hand.setdefault(key, ended)
        try:
            yield
            now = time.monotonic()
            for key in keys:
                self._done[key] = now
            self._forget(now)
        finally:
            for key in keys:
                if self._in_hand.get(key) is ended:
                    del self._in_hand[key]
            ended.set()

    async def is_done(self, delivery: Delivery) -> bool:
        """Return whether a delivery that came again was done here before, after waiting for the one in hand."""
        # One that was put back is an instance of its own, with its own count, and never taken for another.
        if not delivery.redelivered or delivery.rounds:
            return False
        key = _key(delivery)
        if key in self._in_hand:
            await self._in_hand[key].wait()
        return key in self._done

    def _forget(self, now: float) -> None:
        while self._done:
            at = next(iter(self._done.values()))
            if len(self._done) <= MAX_REMEMBERED and now - at < REMEMBERED_SECONDS:
                return
            self._done.popitem(last=False)


def _key(delivery: Delivery) -> Key:
    return delivery.message_id, hash(delivery.body)
