"""The login throttle: a user name with too many wrong passwords is refused for a while."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable

from shared.vault.errors import ErrorType, VaultFault

MAX_FAILURES = 10
WINDOW = 60.0  # seconds
MAX_USERNAMES = 10_000


class LoginThrottle:
    """Counts failed sign-ins by user name over the last minute, in this process, in bounded memory."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, username: str) -> None:
        """Refuse a user name that is locked out now.

        :raises VaultFault: USER_LOCKED_OUT.
        """
        failures = self._failures.get(username)
        if failures is None:
            return
        horizon = self._clock() - WINDOW
        while failures and failures[0] <= horizon:
            failures.popleft()
        if not failures:
            del self._failures[username]
        elif len(failures) >= MAX_FAILURES:
            raise VaultFault(ErrorType.USER_LOCKED_OUT, "Too many failed sign-ins; try again in a minute")

    def failed(self, username: str) -> None:
        """Count a wrong password; the user name that failed longest ago is forgotten when there are too many."""
        failures = self._failures.setdefault(username, deque(maxlen=MAX_FAILURES))
        failures.append(self._clock())
        self._failures.move_to_end(username)
        if len(self._failures) > MAX_USERNAMES:
            self._failures.popitem(last=False)

    def succeeded(self, username: str) -> None:
        """Forget the failures of a user who has signed in."""
        self._failures.pop(username, None)
