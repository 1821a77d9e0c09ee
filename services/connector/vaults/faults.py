"""Faults that will pass, told apart from those that somebody has to act on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from shared.client.errors import VaultRefused, VaultUnavailable
from shared.runtime.waiting import delays, state_log
from shared.spark.broker_errors import BrokerUnavailable

T = TypeVar("T")

PASSING = (VaultUnavailable, BrokerUnavailable)
"""What is waited for, with growing delays, and is nobody's exception."""

# The connection's own user is shut out, or the Vault is busy with itself: no message is to blame, and none
# could be recorded as an exception meanwhile.
_REFUSALS_THAT_PASS = frozenset(
    {
        "INVALID_SESSION_ID",
        "USERNAME_OR_PASSWORD_INCORRECT",
        "NO_PASSWORD_PROVIDED",
        "INACTIVE_USER",
        "USER_LOCKED_OUT",
        "PASSWORD_CHANGE_REQUIRED",
        "CONFIGURATION_MODE_ENABLED",
        "API_LIMIT_EXCEEDED",
        "RACE_CONDITION",
    }
)


@contextmanager
def passing_refusals() -> Iterator[None]:
    """Raise VaultUnavailable for a refusal that concerns no message, such as a sign-in that fails."""
    try:
        yield
    except VaultRefused as refused:
        if refused.type not in _REFUSALS_THAT_PASS:
            raise
        raise VaultUnavailable(f"refused: {refused.type}") from refused


class Interrupted(Exception):
    """The process stops; whoever was waiting gives its messages back to the broker."""


class Patience:
    """Waits for Vaults and brokers that are away, for as long as the process lives."""

    def __init__(self) -> None:
        self._ending = asyncio.Event()

    def end(self) -> None:
        """Let no attempt begin any more; attempts under way may finish."""
        self._ending.set()

    async def wait_for(self, name: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Call ``attempt`` again, after growing pauses, while what it fails with will pass.

        ``name`` is what the log says is away. Raises Interrupted when the process stops first.
        """
        for pause in delays():
            self.proceed()
            try:
                with passing_refusals():
                    result = await attempt()
            except PASSING as error:
                state_log.failed(name, error)
            else:
                state_log.succeeded(name)
                return result
            try:
                async with asyncio.timeout(pause):
                    await self._ending.wait()
            except TimeoutError:
                continue
        raise Interrupted(f"stopped waiting for {name}")

    def proceed(self) -> None:
        """Raise Interrupted when the process stops."""
        if self._ending.is_set():
            raise Interrupted("the process stops")
