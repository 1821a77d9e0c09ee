"""What a consumer remembers of failed messages: how long each waits, and when to log."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from shared.runtime.logging import get_logger
from shared.spark.subscription import Delivery
from shared.spark.topology import DELIVERY_LIMIT

_log = get_logger(__name__)

MAX_REMEMBERED = 10_000
# A message not seen for so long went elsewhere: to another process, or to the dead-letter queue.
FORGET_AFTER_SECONDS = 600.0


@dataclass(slots=True)
class _Failure:
    count: int
    at: float


class Failures:
    """Counts failures by message and writes one line when the first fails and one when all is well again."""

    def __init__(self, queue: str, *, first_pause: float, longest_pause: float) -> None:
        """Pauses are in seconds and double with each failure of the same message."""
        self._queue = queue
        self._first = first_pause
        self._longest = longest_pause
        self._messages: OrderedDict[str, _Failure] = OrderedDict()
        self._total = 0

    def failed(self, deliveries: Sequence[Delivery], error: BaseException) -> float:
        """Note that a handler failed on these; returns the pause before they may be tried again."""
        now = time.monotonic()
        self._forget(now)
        if not self._messages:
            _log.error(
                "handler failed, its deliveries return to the queue",
                queue=self._queue,
                message_ids=[delivery.message_id for delivery in deliveries[:5]],
                exc_info=error,
            )
        worst = max(self._count(delivery, now) for delivery in deliveries)
        self._total += 1
        return float(min(self._longest, self._first * 2 ** min(worst - 1, 30)))

    def succeeded(self, deliveries: Sequence[Delivery]) -> None:
        """Note that these are done."""
        if not self._messages:
            return
        for delivery in deliveries:
            self._messages.pop(_key(delivery), None)
        self._forget(time.monotonic())
        if not self._messages:
            _log.info(
                "no failed message is left", queue=self._queue, failures=self._total
            )
            self._total = 0

    def _count(self, delivery: Delivery, now: float) -> int:
        key = _key(delivery)
        known = self._messages.pop(key, None)
        count = max(known.count if known else 0, delivery.returns) + 1
        if count <= DELIVERY_LIMIT:
            self._messages[key] = _Failure(count, now)
            if len(self._messages) > MAX_REMEMBERED:
                self._messages.popitem(last=False)
        return count

    def _forget(self, now: float) -> None:
        while self._messages:
            oldest = next(iter(self._messages.values()))
            if now - oldest.at < FORGET_AFTER_SECONDS:
                return
            self._messages.popitem(last=False)


def _key(delivery: Delivery) -> str:
    return delivery.message_id or f"body {hash(delivery.body)}"
