"""Tells faults that will pass from those that somebody has to act on, and waits while a Vault or broker is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from shared.client.errors import VaultRefused, VaultUnavailable
from shared.protocol.error_types import ErrorType
from shared.runtime.retry_policies import PEER_AWAY
from shared.runtime.waiting import state_log
from shared.spark.broker_errors import BrokerUnavailable

T = TypeVar("T")

PASSING = (VaultUnavailable, BrokerUnavailable)
"""What is waited for, with growing delays, and makes no exception record."""

# The connection's own user is shut out, or the Vault is busy with itself: no message is to blame, and none
# could be recorded as an exception meanwhile.
_REFUSALS_THAT_PASS = frozenset(
    {
        ErrorType.INVALID_SESSION_ID,
        ErrorType.USERNAME_OR_PASSWORD_INCORRECT,
        ErrorType.NO_PASSWORD_PROVIDED,
        ErrorType.INACTIVE_USER,
        ErrorType.USER_LOCKED_OUT,
        ErrorType.PASSWORD_CHANGE_REQUIRED,
        ErrorType.CONFIGURATION_MODE_ENABLED,
        ErrorType.API_LIMIT_EXCEEDED,
        ErrorType.RACE_CONDITION,
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
    """The process stops; the handler that was waiting returns its messages to the broker."""


class Patience:
    """Waits for Vaults and brokers that are away, for as long as the process lives."""

    def __init__(self) -> None:
        self._ending = asyncio.Event()

    def end(self) -> None:
        """Let no more attempts begin; attempts under way may finish."""
        self._ending.set()

    async def wait_for(
        self,
        name: str,
        attempt: Callable[[], Awaitable[T]],
    ) -> T:
        """Call ``attempt`` again, after growing pauses, while it fails with a fault that will pass.

        ``name`` is the peer that the log names as away.

        :raises Interrupted: the process stops first.
        """
        for pause in PEER_AWAY.pauses():
            self.proceed()
            try:
                with passing_refusals():
                    result = await attempt()
            # Logged once when the peer goes away and once when it is back, however many wait for it.
            except PASSING as error:
                state_log.failed(name, error)
            else:
                state_log.succeeded(name)
                return result
            # A plain sleep would hold up the process's stop until the pause is over.
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
