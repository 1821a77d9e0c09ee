"""Opens, finds and ends sessions, and resolves the security profiles of their users."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import SUPPLIED, Caller, SecurityProfile
from shared.vault.access.delegated_profile import delegated
from shared.vault.access.profiles import active_profiles, profile_of
from shared.vault.audit.sign_in_entries import SignInClient, write_sign_in
from shared.vault.components.permission_types import PROFILE
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.storage.database import Connection, Database


class SecurityProfiles:
    """Resolves the security profiles of a Vault, once for each version of its components."""

    def __init__(self, components: ComponentService) -> None:
        self._components = components
        self._registry: Registry | None = None
        self._resolved: Mapping[str, SecurityProfile] = {}
        self._delegated: Mapping[str, SecurityProfile] = {}

    async def follow(self, revision: int) -> None:
        """Read the components again if they are older than a revision that a call has read in the database."""
        # The notification of the change may still be on its way.
        if revision > self._components.revision:
            await self._components.load()

    def named(self, name: str, delegate_user_id: int | None = None) -> SecurityProfile:
        """Return the active profile with a name; for an unknown name, a profile that allows nothing.

        With a delegate, return the part of the profile that a delegate may use.
        """
        registry = self._components.registry
        # Each version of the components makes profiles of its own.
        if registry is not self._registry:
            profiles = active_profiles(registry.components)
            self._resolved = profiles
            self._delegated = {each: delegated(profiles[each]) for each in profiles}
            self._registry = registry
        resolved = self._resolved if delegate_user_id is None else self._delegated
        profile = resolved.get(name)
        if profile is None:
            return SecurityProfile(name)
        return profile

    def in_full(self, name: str) -> SecurityProfile:
        """Return a profile as if it and all its permission sets were active.

        They may become active later, so a caller who assigns the profile grants all of that.
        """
        if name in SUPPLIED:
            return SUPPLIED[name]
        components = self._components.registry.components
        component = components.get((PROFILE, name))
        if component is None:
            return SecurityProfile(name)
        return profile_of(component, components)


# Of any other text nobody looks for a session or token: a flood of strangers costs the database nothing.
SESSION_ID = re.compile(r"[0-9A-F]{64}")
TOKEN = "veeva-vault-"  # noqa: S105  how every access token begins
ACCESS_TOKEN = re.compile(rf"{TOKEN}[0-9a-f]{{64}}")
MAXIMUM_AGE = timedelta(hours=48)

# Expired sessions leave with the next sign-in, a bounded number at a time, without waiting for anyone.
PURGE = """
DELETE FROM platform.session WHERE token_hash IN (
    SELECT token_hash FROM platform.session
    WHERE used_date <= now() - $1::interval OR created_date <= now() - $2::interval
    LIMIT 1000 FOR UPDATE SKIP LOCKED)
"""
OPEN = """
WITH login AS (UPDATE platform.credential SET last_login = now() WHERE user_id = coalesce($3::bigint, $2::bigint))
INSERT INTO platform.session (token_hash, user_id, delegate_user_id, connection_id, read_only)
VALUES ($1, $2, $3, $4, $5)
"""
# Of one user, one delegate or one connection, those that were used last stay; the update above has locked the user.
END_OLDEST = """
DELETE FROM platform.session WHERE token_hash IN (
    SELECT token_hash FROM platform.session
    WHERE user_id = $1 AND delegate_user_id IS NOT DISTINCT FROM $2 AND connection_id IS NOT DISTINCT FROM $3
    ORDER BY used_date DESC, created_date DESC, token_hash OFFSET $4)
"""
# A session in another user's name lasts no longer than that user's delegation.
_FIND = """
SELECT s.token_hash, c.user_id, c.username, c.security_profile, s.delegate_user_id, s.connection_id, s.read_only,
    s.used_date <= now() - interval '1 minute' AS stale, r.components, r.revision
FROM platform.session s JOIN platform.credential c USING (user_id) CROSS JOIN platform.current_revision r
WHERE s.token_hash {named} AND s.used_date > now() - $2::interval AND s.created_date > now() - $3::interval
AND c.active AND (s.delegate_user_id IS NULL OR EXISTS (
    SELECT FROM platform.delegated_access d
    WHERE d.delegator_user_id = s.user_id AND d.delegate_user_id = s.delegate_user_id
    AND d.start_date <= now() AND (d.end_date IS NULL OR d.end_date > now())))
"""
# PostgreSQL plans a list anew for each look-up, for it takes a list of unknown length to be longer. That takes longer
# than the look-up itself, and most look-ups are of one session.
FIND = _FIND.format(named="= $1::bytea")
FIND_SEVERAL = _FIND.format(named="= ANY($1::bytea[])")
TOUCH = "UPDATE platform.session SET used_date = now() WHERE token_hash = $1"
EXISTS = "SELECT EXISTS (SELECT FROM platform.session WHERE token_hash = $1)"
END = "DELETE FROM platform.session WHERE token_hash = $1"
# Also those that the user has opened in the names of others.
END_OTHERS = "DELETE FROM platform.session WHERE $1 IN (user_id, delegate_user_id) AND token_hash <> $2"


@dataclass(frozen=True, slots=True)
class Session:
    """The result of a sign-in: the session id to send with every call, and its user."""

    session_id: str
    user_id: int


class TokenCallers(Protocol):
    """Finds the users of access tokens."""

    async def caller(self, token: str) -> Caller:
        """Return the caller that an access token signs in."""


LATE = 0.1  # seconds that a look-up waits for another one at most


class SessionReads:
    """Finds live sessions; requests that arrive during a statement are answered together by the next one.

    Each session is read after the request for it: once a transaction that ends a session or changes a permission has
    committed, every new call sees the change.
    """

    def __init__(self, database: Database, idle: timedelta) -> None:
        self._database = database
        self._idle = idle
        self._under_way = False
        self._waiting: list[tuple[bytes, asyncio.Future[Record | None]]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def find(self, key: bytes) -> Record | None:
        """Return the row of a live session by its digest; None when there is none."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Record | None] = loop.create_future()
        self._waiting.append((key, future))
        if not self._under_way:
            self._under_way = True
            # Behind the calls that came in the same moment, which are then read with this one.
            loop.call_soon(self._start_reading)
        return await future

    def _start_reading(self) -> None:
        """Start reading the waiting requests."""
        if not self._waiting:
            self._under_way = False
            return
        waiting, self._waiting = self._waiting, []
        task = asyncio.create_task(self._read(waiting), name="sessions")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(
        self, waiting: Sequence[tuple[bytes, asyncio.Future[Record | None]]]
    ) -> None:
        """Answer each waiting request with the row of its session, or with the error of the statement."""
        late = asyncio.get_running_loop().call_later(LATE, self._start_reading)
        try:
            found = await self._fetch([key for key, _ in waiting])
        except Exception as error:  # noqa: BLE001  raised where it is waited for
            for _, future in waiting:
                if not future.done():
                    future.set_exception(error)
        else:
            for key, future in waiting:
                # The call may have been cancelled meanwhile.
                if not future.done():
                    future.set_result(found.get(key))
        finally:
            late.cancel()
            for _, future in waiting:
                future.cancel()
            self._start_reading()

    async def _fetch(self, keys: Sequence[bytes]) -> Mapping[bytes, Record]:
        distinct = list(set(keys))
        ages = self._idle, MAXIMUM_AGE
        async with self._database.connection() as connection:
            if len(distinct) == 1:
                rows = await connection.fetch(FIND, distinct[0], *ages)
            else:
                rows = await connection.fetch(FIND_SEVERAL, distinct, *ages)
        return {row["token_hash"]: row for row in rows}


class Sessions:
    """Opens, finds and ends the sessions of a Vault; a session ends after the time ``idle`` without a call.

    A user has at most ``limit`` of them: one more ends the one that was unused for the longest time. Each delegate of a
    user and each connection have a limit of their own.
    """

    def __init__(
        self,
        database: Database,
        profiles: SecurityProfiles,
        idle: timedelta,
        limit: int,
        tokens: TokenCallers,
    ) -> None:
        self._database = database
        self._profiles = profiles
        self._idle = idle
        self._reads = SessionReads(database, idle)
        self._limit = limit
        self._tokens = tokens

    async def open(
        self,
        user_id: int,
        delegate_user_id: int | None = None,
        client: SignInClient = SignInClient(),  # noqa: B008  immutable
    ) -> Session:
        """Open a session for a user whose password has been checked, or for a delegate in the user's name."""
        async with self._database.transaction() as connection:
            session = await self._open(
                connection,
                user_id,
                delegate_user_id,
                None,
                read_only=False,
            )
            await write_sign_in(connection, user_id, delegate_user_id, client)
        return session

    async def open_for(
        self,
        connection: Connection,
        caller: Caller,
        user_id: int,
        connection_id: str,
        client: SignInClient,
        *,
        read_only: bool,
    ) -> Session:
        """Open a session of this user for a connection's remote Vault, within the caller's transaction."""
        session = await self._open(
            connection,
            user_id,
            None,
            connection_id,
            read_only=read_only,
        )
        # The audit trail names the caller who has opened it in the user's name.
        opener = None if caller.user_id == user_id else caller.user_id
        await write_sign_in(connection, user_id, opener, client)
        return session

    async def _open(
        self,
        connection: Connection,
        user_id: int,
        delegate_user_id: int | None,
        connection_id: str | None,
        *,
        read_only: bool,
    ) -> Session:
        session = Session(secrets.token_hex(32).upper(), user_id)
        key = digest(session.session_id)
        await connection.execute(PURGE, self._idle, MAXIMUM_AGE)
        values = (key, user_id, delegate_user_id, connection_id, read_only)
        await connection.execute(OPEN, *values)
        owner = (user_id, delegate_user_id, connection_id)
        await connection.execute(END_OLDEST, *owner, self._limit)
        return session

    async def caller(self, session_id: str | None, *, used: bool = True) -> Caller:
        """Return the user of a session or access token as the caller, and record its use.

        Without ``used`` the session's idle time is not restarted, since no user action caused the call.

        :raises VaultFault: INVALID_SESSION_ID when there is no such session or token, or it has expired.
        """
        if session_id is None:
            raise invalid_session()
        if ACCESS_TOKEN.fullmatch(session_id):
            return await self._tokens.caller(session_id)
        if not SESSION_ID.fullmatch(session_id):
            raise invalid_session()
        key = digest(session_id)
        row = await self._reads.find(key)
        if row is None:
            raise invalid_session()
        # Once a minute is enough for the idle time: most calls write nothing.
        if used and row["stale"]:
            await self.touch(session_id)
        await self._profiles.follow(row["components"])
        return Caller(
            row["user_id"],
            row["username"],
            self._profiles.named(row["security_profile"], row["delegate_user_id"]),
            session_id,
            row["delegate_user_id"],
            row["connection_id"],
            row["read_only"],
            row["revision"],
        )

    async def touch(self, session_id: str) -> None:
        """Restart the session's idle time."""
        key = digest(session_id)
        async with self._database.connection() as connection:
            await connection.execute(TOUCH, key)

    async def end(self, session_id: str) -> None:
        """End a session, unless it has ended."""
        key = digest(session_id)
        async with self._database.connection() as connection:
            await connection.execute(END, key)

    async def end_others(
        self,
        connection: Connection,
        user_id: int,
        session_id: str | None,
    ) -> None:
        """End a user's sessions except this one, within a transaction of the caller."""
        await connection.execute(END_OTHERS, user_id, digest(session_id or ""))


async def require_live(connection: Connection, session_id: str) -> None:
    """Check within a transaction that a session has not ended since the call began.

    :raises VaultFault: INVALID_SESSION_ID when it has.
    """
    if not await connection.fetchval(EXISTS, digest(session_id)):
        raise invalid_session()


def invalid_session() -> VaultFault:
    """Return the fault of a call without a live session."""
    return VaultFault(ErrorType.INVALID_SESSION_ID, "Invalid or expired session ID.")


def digest(session_id: str) -> bytes:
    """Return the stored digest of a session id or an access token.

    They are random and long: unlike a password, one cannot be found from a fast digest.
    """
    # Callers may send any text; what has lone surrogates is no id, but has a digest all the same.
    text = session_id.encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).digest()
