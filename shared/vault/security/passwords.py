"""Hashes and checks passwords with argon2 in threads, few at a time, with turns by client address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault
from shared.vault.security.password_rules import MAX_PASSWORD_LENGTH, check_password
from shared.vault.storage.fair_slots import FairSlots

CONCURRENCY = 2  # each takes a processor and 19 MiB while it runs
QUEUE_TIMEOUT = 10.0  # seconds a sign-in waits for its turn
# A password to be stored waits longer: a call may bring 500.
BATCH_TIMEOUT = 60.0
STORING = "storing"
"""Stands for an address where passwords are hashed to be stored: of all of them, no more wait than of one address."""
# Checked when there is no user, so that the time taken does not say which users exist: the hash of a password that was
# drawn once, with the costs of all others.
NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$kJ3jux44iXVOJ1sJdO557w$k+KUCG+7uf1iP/YqprkXbGWyj/jThq2UNeve2hf/Kjk"


class Passwords:
    """Hashes and checks passwords with the memory and time cost that OWASP recommends for argon2id."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._slots = FairSlots(CONCURRENCY, CONCURRENCY)

    async def hash(self, password: str, names: Iterable[str]) -> str:
        """Return the salted hash of a new password, after checking the password with the ``names`` of its user.

        :raises VaultFault: INVALID_DATA as ``check_password``; API_LIMIT_EXCEEDED when too many wait.
        """
        async with turn(self._slots, STORING, BATCH_TIMEOUT):
            return await asyncio.to_thread(self._checked_hash, password, names)

    def _checked_hash(self, password: str, names: Iterable[str]) -> str:
        check_password(password, names)
        return self._hasher.hash(password)

    async def verify(
        self,
        password_hash: str | None,
        password: str,
        *,
        address: str = "",
        known: bool = False,
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> bool:
        """Return whether the hash is that of the password; without a hash, do the same work and return False.

        ``address`` is the client's. Calls of one address wait in turn with other addresses, however many they are;
        ``known`` users of an address come first. ``before`` runs when this call's turn has come: a check in it sees the
        failures of the calls before.

        :raises VaultFault: API_LIMIT_EXCEEDED when too many sign-ins wait; and whatever ``before`` raises.
        """
        async with turn(self._slots, address, QUEUE_TIMEOUT, ahead=known):
            if before is not None:
                await before()
            matches = await asyncio.to_thread(
                self._matches,
                password_hash or NOBODY,
                password,
            )
        return matches and password_hash is not None

    def _matches(self, password_hash: str, password: str) -> bool:
        # One character more than a password may have: what is too long is then wrong, and costs no more.
        bounded = password[: MAX_PASSWORD_LENGTH + 1]
        try:
            return self._hasher.verify(password_hash, bounded)
        except (VerificationError, InvalidHashError):
            return False


@asynccontextmanager
async def turn(
    slots: FairSlots, address: str, seconds: float, *, ahead: bool = False
) -> AsyncIterator[None]:
    """Occupy a slot for a client's address while the block runs.

    :raises VaultFault: API_LIMIT_EXCEEDED when none becomes free in time.
    """
    try:
        await slots.enter(address, seconds, ahead=ahead)
    except TimeoutError as error:
        message = "Too many users are signing in; try again later"
        raise VaultFault(ErrorType.API_LIMIT_EXCEEDED, message) from error
    try:
        yield
    finally:
        slots.leave(address)
