"""Limits the sign-ins per minute, by user name and by address, so that passwords cannot be guessed.

Wrong passwords from elsewhere never shut out a client at an address from which its user has signed in before: such an
address is known, and has a count of its own. Each sign-in is counted in the database, so that all processes share the
counts; a crash of the database loses them, but not which addresses are known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault
from shared.vault.security.call_limits import Usage

if TYPE_CHECKING:
    from shared.vault.storage.database import Connection, Database

# Wrong passwords in a minute: for a user name at one address, and for it at all unknown addresses together.
MAX_FAILURES = 10
# The same at one address, for all user names together: many people may share an address.
MAX_FAILURES_AT_ADDRESS = 30
# Who has a network of IPv6 has all addresses with this many leading bits.
IPV6_NETWORK_BITS = 64
MAX_ADDRESS_LENGTH = 100
MAX_KNOWN_ADDRESSES = 50  # of one user
# The window of calls does not begin anew at any count, as that of wrong passwords does.
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
# More than a sign-in adds: what is stored is bounded by the sign-ins of a minute.
PURGE_ENDED = """
DELETE FROM platform.sign_in_window WHERE key IN (
    SELECT key FROM platform.sign_in_window WHERE window_start <= now() - interval '1 minute'
    LIMIT 100 FOR UPDATE SKIP LOCKED)
"""
FAILURES = """
SELECT key, attempts FROM platform.sign_in_window
WHERE key = ANY($1::bytea[]) AND window_start > now() - interval '1 minute'
"""
FORGET_FAILURES = "DELETE FROM platform.sign_in_window WHERE key = $1"
# Once a day is enough for when it was last used: most sign-ins write nothing.
KNOW_ADDRESS = """
INSERT INTO platform.sign_in_address AS a (user_id, address) VALUES ($1, $2)
ON CONFLICT (user_id, address) DO UPDATE SET used_date = now() WHERE a.used_date <= now() - interval '1 day'
RETURNING user_id
"""
FORGET_ADDRESSES = """
DELETE FROM platform.sign_in_address WHERE user_id = $1 AND address NOT IN (
    SELECT address FROM platform.sign_in_address
    WHERE user_id = $1 AND used_date > now() - interval '90 days' ORDER BY used_date DESC, address LIMIT $2)
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to sign in: the typed user name, the client's address, and whether the user is known at that address.

    The address is a network of IPv6 or one address of IPv4, as text.
    """

    username: str
    address: str
    known: bool = False

    @property
    def own(self) -> bytes:
        """Return the key under which wrong passwords for the name at the address are counted."""
        return _key("failures", self.username, self.address)

    @property
    def elsewhere(self) -> bytes:
        """Return the key of the count of wrong passwords for the name at all addresses where its user is not known."""
        return _key("failures", self.username)

    @property
    def at_address(self) -> bytes:
        """Return the key under which wrong passwords at the address are counted, whatever the name."""
        return _key("address", self.address)


class SignInLimits:
    """Counts sign-ins and wrong passwords; a user name has ``calls`` sign-ins a minute at one DNS name and address."""

    def __init__(
        self,
        database: Database,
        calls: int,
        delay: float,
    ) -> None:
        self._database = database
        self._calls = calls
        self._delay = delay

    async def count(self, username: str, dns: str, address: str) -> Usage:
        """Count a call, and return the usage of the limit.

        The usage has a delay above half of the limit, and is exceeded above the limit itself.
        """
        async with self._database.connection() as connection:
            attempts = await count_calls(connection, "calls", username, dns, address)
        remaining = max(0, self._calls - attempts)
        delay = self._delay if attempts > self._calls / 2 else 0.0
        exceeded = attempts > self._calls
        return Usage(self._calls, remaining, delay, exceeded)

    async def check(self, attempt: Attempt) -> None:
        """Check that neither the user name nor the address is shut out now.

        :raises VaultFault: USER_LOCKED_OUT after too many wrong passwords for the name, API_LIMIT_EXCEEDED after too
            many at the address.
        """
        keys = [attempt.own, attempt.elsewhere, attempt.at_address]
        async with self._database.connection() as connection:
            rows = await connection.fetch(FAILURES, keys)
        failures = {row["key"]: row["attempts"] for row in rows}
        if _reached(failures, attempt.own, MAX_FAILURES):
            raise _locked_out()
        if attempt.known:
            return
        if _reached(failures, attempt.elsewhere, MAX_FAILURES):
            raise _locked_out()
        if _reached(failures, attempt.at_address, MAX_FAILURES_AT_ADDRESS):
            raise VaultFault(
                ErrorType.API_LIMIT_EXCEEDED,
                "Too many failed sign-ins at this address; try again in a minute",
            )

    async def failed(self, attempt: Attempt) -> None:
        """Count a wrong password."""
        limits = {
            attempt.own: MAX_FAILURES,
            attempt.at_address: MAX_FAILURES_AT_ADDRESS,
        }
        # A known client's mistakes are its own: they shut out nobody else.
        if not attempt.known:
            limits[attempt.elsewhere] = MAX_FAILURES
        async with self._database.connection() as connection:
            for key, limit in limits.items():
                await connection.execute(COUNT, key, limit)

    async def succeeded(self, attempt: Attempt, user_id: int) -> None:
        """Delete the failures of the name at the address, and remember that the user has signed in from there."""
        async with self._database.transaction() as connection:
            await connection.execute(FORGET_FAILURES, attempt.own)
            await self._know(connection, attempt.address, user_id)

    @staticmethod
    async def _know(connection: Connection, address: str, user_id: int) -> None:
        stored = await connection.fetchval(
            KNOW_ADDRESS, user_id, address_digest(address)
        )
        if stored is not None:
            await connection.execute(FORGET_ADDRESSES, user_id, MAX_KNOWN_ADDRESSES)


async def count_calls(connection: Connection, *parts: str) -> int:
    """Count a call under the key of ``parts``, such as a user name or address; return the calls of this minute."""
    await connection.execute(PURGE_ENDED)
    return int(await connection.fetchval(COUNT, _key(*parts), NEVER))


def network_of(host: str) -> str:
    """Return the address to count by: an IPv4 address itself, or the network of 64 bits of an IPv6 address."""
    try:
        address = ip_address(host)
    except ValueError:
        # A proxy may say anything, and a local socket has no address.
        return host[:MAX_ADDRESS_LENGTH]
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), IPV6_NETWORK_BITS), strict=False))


def address_digest(address: str) -> bytes:
    """Return the digest under which a user's known address is stored."""
    return _key("known", address)


def _reached(failures: Mapping[bytes, int], key: bytes, limit: int) -> bool:
    return failures.get(key, 0) >= limit


def _locked_out() -> VaultFault:
    return VaultFault(
        ErrorType.USER_LOCKED_OUT,
        "Too many failed sign-ins; try again in a minute",
    )


def _key(*parts: str) -> bytes:
    """Return the digest under which counts are stored, since the typed user name may be a password."""
    text = "\x00".join(parts)
    # Any text may be typed, also one that is not valid Unicode.
    typed = text.encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(typed)
    return digest.digest()
