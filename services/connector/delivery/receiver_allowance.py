"""Bounds how long the messages to one receiver of an External connection hold back those to others."""

from __future__ import annotations

from collections.abc import Callable

# A receiver that answers each message within this time is never too slow, however many there are.
FREE_SECONDS = 0.5
# A full allowance, spent by all handlers of a process at once, holds the others back for about a minute.
ALLOWANCE_SECONDS = 240.0
# Half of one handler's time, so that a slow receiver never takes more for long.
REGAINED_A_SECOND = 0.5


class Allowance:
    """Counts the seconds for which one receiver has let handlers wait, and regains them as time passes.

    What is spent beyond the allowance, by messages that were under way together, is regained first.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left = ALLOWANCE_SECONDS
        self._at = clock()

    @property
    def used_up(self) -> bool:
        """Return whether no seconds of the allowance are left now."""
        self._regain()
        return self._left <= 0

    def spend(self, seconds: float) -> None:
        """Note how many seconds a handler has waited for the answer to one message."""
        self._regain()
        self._left -= max(0.0, seconds - FREE_SECONDS)

    def _regain(self) -> None:
        now = self._clock()
        regained = (now - self._at) * REGAINED_A_SECOND
        self._left = min(ALLOWANCE_SECONDS, self._left + regained)
        self._at = now
