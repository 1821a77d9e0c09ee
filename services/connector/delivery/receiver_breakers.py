"""Stops posting to a receiver of an External connection that hangs or is slow, so that no others wait for it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from http import HTTPStatus

from structlog.stdlib import BoundLogger

from services.connector.delivery.receiver_allowance import Allowance
from shared.runtime.logging import get_logger
from shared.runtime.retry_policies import HANGING_RECEIVER

_log = get_logger(__name__)

# Below the bound on a connection, so that an address that drops packets counts as one that hangs.
SLOW_SECONDS = 3.0


class Unreachable(Exception):
    """Raised for a receiver that cannot be reached; the text contains the reason."""


class Breaker:
    """Posts to one receiver; after a slow failure only one message at a time, with growing pauses.

    Quick failures do not count, because no other message waits for them. To a receiver that accepts messages slowly, or
    only now and then, it posts as many as the receiver's allowance of time permits.
    """

    def __init__(
        self, log: BoundLogger, slow: float, clock: Callable[[], float]
    ) -> None:
        self._log = log
        self._slow = slow
        self._clock = clock
        self._allowance = Allowance(clock)
        # While it hangs.
        self._pauses: Iterator[float] | None = None
        self._next_trial = 0.0
        self._on_trial = False

    def check(self) -> None:
        """Check that a message may be posted now.

        :raises Unreachable: the receiver hangs, and it is not time for a trial; or it has used up its allowance.
        """
        if self._allowance.used_up:
            raise Unreachable("it answers too slowly, and gets messages again later")
        if self._pauses is None:
            return
        if self._on_trial or self._clock() < self._next_trial:
            raise Unreachable("it has hung, and is tried again later")

    async def post(self, post: Callable[[], Awaitable[int]]) -> int:
        """Post a message and return the status of the answer.

        :raises Unreachable: there is no answer, or the receiver hangs.
        """
        self.check()
        trial = self._pauses is not None
        self._on_trial |= trial
        began = self._clock()
        try:
            status = await post()
        except Unreachable:
            self._judge(trial, began, taken=False)
            raise
        else:
            self._judge(trial, began, taken=status == HTTPStatus.OK)
            return status
        finally:
            self._allowance.spend(self._clock() - began)
            # Also of a message that ends with the process.
            if trial:
                self._on_trial = False

    def _judge(self, trial: bool, began: float, *, taken: bool) -> None:
        now = self._clock()
        if taken or now - began < self._slow:
            self._close()
            return
        # Of those that were under way together, one opens it.
        if self._pauses is None:
            self._pauses = HANGING_RECEIVER.pauses()
            self._log.warning("receiver.hangs")
        elif not trial:
            return
        self._next_trial = now + next(self._pauses)

    def _close(self) -> None:
        if self._pauses is not None:
            self._pauses = None
            self._log.info("receiver.hangs_no_longer")


class Breakers:
    """The breakers of a process: one for each External connection of each Vault, shared by all queues."""

    def __init__(
        self, time_limit: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the time limit of one message, and the clock, both in seconds."""
        self._slow = min(SLOW_SECONDS, time_limit / 2)
        self._clock = clock
        self._known: dict[tuple[int, str], Breaker] = {}

    def of(self, vault_id: int, connection: str) -> Breaker:
        """Return the breaker of a connection."""
        key = (vault_id, connection)
        if key not in self._known:
            log = _log.bind(vault=vault_id, connection=connection)
            self._known[key] = Breaker(log, self._slow, self._clock)
        return self._known[key]
