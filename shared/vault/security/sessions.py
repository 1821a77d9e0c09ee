"""Sessions: opaque random ids, of which the database keeps only a digest."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from shared.vault.errors import ErrorType, VaultFault
from shared.vault.security.caller import Caller, SecurityProfile

if TYPE_CHECKING:
    from shared.vault.storage.database import Database

MAX_SESSION_ID_LENGTH = 200
MAXIMUM_AGE = timedelta(hours=48)

# Expired sessions leave with the next sign-in, a bounded number at a time, without waiting for anyone.
PURGE = """
DELETE FROM platform.session WHERE token_hash IN (
    SELECT token_hash FROM platform.session
    WHERE used_date <= now() - $1::interval OR created_date <= now() - $2::interval
    LIMIT 1000 FOR UPDATE SKIP LOCKED)
"""
OPEN = """
WITH login AS (UPDATE platform.credential SET last_login = now() WHERE user_id = $2)
INSERT INTO platform.session (token_hash, user_id) VALUES ($1, $2)
"""
FIND = """
SELECT c.user_id, c.username, c.security_profile, s.used_date <= now() - interval '1 minute' AS stale
FROM platform.session s JOIN platform.credential c USING (user_id)
WHERE s.token_hash = $1 AND s.used_date > now() - $2::interval AND s.created_date > now() - $3::interval AND c.active
"""
TOUCH = "UPDATE platform.session SET used_date = now() WHERE token_hash = $1"
END = "DELETE FROM platform.session WHERE token_hash = $1"


@dataclass(frozen=True, slots=True)
class Session:
    """What a sign-in gives: the id to send with every call, and whose it is."""

    session_id: str
    user_id: int


class Sessions:
    """The live sessions of a Vault; ``idle`` is how long one lasts without a call."""

    def __init__(self, database: Database, idle: timedelta) -> None:
        self._database = database
        self._idle = idle

    async def open(self, user_id: int) -> Session:
        """A new session for a user whose password has been checked."""
        session = Session(secrets.token_hex(32).upper(), user_id)
        async with self._database.transaction() as connection:
            await connection.execute(PURGE, self._idle, MAXIMUM_AGE)
            await connection.execute(OPEN, _digest(session.session_id), user_id)
        return session

    async def caller(self, session_id: str) -> Caller:
        """Whose session this is; counts as use of it.

        :raises VaultFault: INVALID_SESSION_ID when there is no such session, or it has expired.
        """
        if not 0 < len(session_id) <= MAX_SESSION_ID_LENGTH:
            raise invalid_session()
        digest = _digest(session_id)
        async with self._database.connection() as connection:
            row = await connection.fetchrow(FIND, digest, self._idle, MAXIMUM_AGE)
            if row is None:
                raise invalid_session()
            if row["stale"]:
                await connection.execute(TOUCH, digest)
        return Caller(row["user_id"], row["username"], SecurityProfile(row["security_profile"]), session_id)

    async def touch(self, session_id: str) -> None:
        """Start the session's idle time again."""
        async with self._database.connection() as connection:
            await connection.execute(TOUCH, _digest(session_id))

    async def end(self, session_id: str) -> None:
        """End a session; ending it twice does no harm."""
        async with self._database.connection() as connection:
            await connection.execute(END, _digest(session_id))


def invalid_session() -> VaultFault:
    """The fault of a call without a live session."""
    return VaultFault(ErrorType.INVALID_SESSION_ID, "Invalid or expired session ID.")


def _digest(session_id: str) -> bytes:
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).digest()
