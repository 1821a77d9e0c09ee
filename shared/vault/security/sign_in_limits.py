"""How often one may try to sign in: calls a minute by user name and address, and wrong passwords by user name.

Both are counted in the database, so that all processes of a Vault count as one; a crash of the database forgets them.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault
from shared.vault.security.burst import Usage

if TYPE_CHECKING:
    from shared.vault.storage.database import Database

MAX_FAILURES = 10
NEVER = 2**31 - 1

# $2: the count at which the window begins anew, so that who is locked out stays so for a whole one.
COUNT = """
INSERT INTO platform.sign_in_window AS w (key, attempts) VALUES ($1, 1)
ON CONFLICT (key) DO UPDATE SET
    attempts = CASE WHEN w.window_start <= now() - interval '1 minute' THEN 1 ELSE w.attempts + 1 END,
    window_start = CASE WHEN w.window_start <= now() - interval '1 minute' OR w.attempts + 1 >= $2
        THEN now() ELSE w.window_start END
RETURNING attempts
"""
PURGE = """
DELETE FROM platform.sign_in_window WHERE key IN (
    SELECT key FROM platform.sign_in_window WHERE window_start <= now() - interval '1 minute'
    LIMIT 100 FOR UPDATE SKIP LOCKED)
"""
FAILURES = """
SELECT attempts FROM platform.sign_in_window WHERE key = $1 AND window_start > now() - interval '1 minute'
"""
FORGET = "DELETE FROM platform.sign_in_window WHERE key = $1"


class SignInLimits:
    """The sign-in window of one minute; ``calls`` by user name and DNS, ten wrong passwords by user name."""

    def __init__(self, database: Database, calls: int, delay: float) -> None:
        self._database = database
        self._calls = calls
        self._delay = delay

    async def count(self, username: str, dns: str) -> Usage:
        """Count one call; from half of the limit on it is to be delayed, and beyond the limit refused."""
        async with self._database.connection() as connection:
            await connection.execute(PURGE)
            attempts = int(
                await connection.fetchval(COUNT, _key("calls", username, dns), NEVER)
            )
        delay = self._delay if attempts > self._calls / 2 else 0.0
        return Usage(
            self._calls,
            max(0, self._calls - attempts),
            delay,
            exceeded=attempts > self._calls,
        )

    async def check(self, username: str) -> None:
        """Refuse a user name that is locked out now.

        :raises VaultFault: USER_LOCKED_OUT.
        """
        async with self._database.connection() as connection:
            failures = await connection.fetchval(FAILURES, _key("failures", username))
        if failures is not None and failures >= MAX_FAILURES:
            raise VaultFault(
                ErrorType.USER_LOCKED_OUT,
                "Too many failed sign-ins; try again in a minute",
            )

    async def failed(self, username: str) -> None:
        """Count a wrong password."""
        async with self._database.connection() as connection:
            await connection.execute(COUNT, _key("failures", username), MAX_FAILURES)

    async def succeeded(self, username: str) -> None:
        """Forget the failures of a user who has signed in."""
        async with self._database.connection() as connection:
            await connection.execute(FORGET, _key("failures", username))


def _key(*parts: str) -> bytes:
    """A digest: what was typed as a user name may be a password."""
    text = "\x00".join(parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
