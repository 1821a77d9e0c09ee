"""Hashes and checks passwords with argon2: off the event loop, a bounded number at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault
from shared.vault.security.password_rules import MAX_PASSWORD_LENGTH, check_password

CONCURRENCY = 2  # each takes a processor and 19 MiB while it runs
QUEUE_TIMEOUT = 10.0  # seconds a sign-in waits for its turn
# A password to be stored waits longer: a call may bring 500.
BATCH_TIMEOUT = 60.0


class Passwords:
    """Hashes and checks passwords with the memory and time cost that OWASP recommends for argon2id."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._turn = asyncio.Semaphore(CONCURRENCY)
        # Checked when there is no user, so that the time taken does not say which users exist.
        self._nobody = self._hasher.hash("no user has this password")

    async def hash(self, password: str, names: Iterable[str]) -> str:
        """Return the salted hash to store of a new password, after checking it with the ``names`` of its user.

        :raises VaultFault: INVALID_DATA as ``check_password``; UNEXPECTED_ERROR when too many wait.
        """
        await self._take_turn(BATCH_TIMEOUT)
        try:
            return await asyncio.to_thread(self._checked_hash, password, names)
        finally:
            self._turn.release()

    def _checked_hash(self, password: str, names: Iterable[str]) -> str:
        check_password(password, names)
        return self._hasher.hash(password)

    async def verify(
        self,
        password_hash: str | None,
        password: str,
        *,
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> bool:
        """Return whether the hash is that of the password; without a hash, do the same work and return False.

        ``before`` runs when this call's turn has come: a check in it sees the failures of the calls that waited before.

        :raises VaultFault: UNEXPECTED_ERROR when too many sign-ins wait; and whatever ``before`` raises.
        """
        await self._take_turn(QUEUE_TIMEOUT)
        try:
            if before is not None:
                await before()
            matches = await asyncio.to_thread(
                self._matches,
                password_hash or self._nobody,
                password,
            )
        finally:
            self._turn.release()
        return matches and password_hash is not None

    async def _take_turn(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._turn.acquire()
        except TimeoutError as error:
            message = "Too many users are signing in; try again later"
            raise VaultFault(ErrorType.UNEXPECTED_ERROR, message) from error

    def _matches(self, password_hash: str, password: str) -> bool:
        # One character more than a password may have: what is too long is then wrong, and costs no more.
        bounded = password[: MAX_PASSWORD_LENGTH + 1]
        try:
            return self._hasher.verify(password_hash, bounded)
        except (VerificationError, InvalidHashError):
            return False
