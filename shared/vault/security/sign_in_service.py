"""Signs users in and out, and changes their passwords."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import SYSTEM, Caller
from shared.vault.access.permissions import in_person
from shared.vault.audit.audit_entries import write_password_change
from shared.vault.audit.sign_in_entries import write_refused_sign_in
from shared.vault.errors import VaultFault
from shared.vault.security.access_tokens import AccessTokens
from shared.vault.security.password_rules import MAX_PASSWORD_LENGTH, check_password
from shared.vault.security.passwords import QUEUE_TIMEOUT, Passwords, turn
from shared.vault.security.sessions import Session, Sessions
from shared.vault.security.sign_in_limits import (
    Attempt,
    SignInLimits,
    address_digest,
    network_of,
)
from shared.vault.storage.fair_slots import FairSlots

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.audit.sign_in_entries import SignInClient
    from shared.vault.security.call_limits import Usage
    from shared.vault.security.sessions import SecurityProfiles
    from shared.vault.storage.database import Connection, Database

MAX_USERNAME_LENGTH = 255
# Sign-ins that use the database at once, of all addresses and of one: others that wait for a connection wait for few.
AT_ONCE, AT_ONCE_OF_ADDRESS = 4, 2

# With whether the user has signed in from an address before.
CREDENTIAL = """
SELECT c.user_id, c.password_hash, c.active, c.password_change_required, EXISTS (
    SELECT FROM platform.sign_in_address a
    WHERE a.user_id = c.user_id AND a.address = $2 AND a.used_date > now() - interval '90 days') AS known
FROM platform.credential c WHERE c.username = $1
"""
STORED = "SELECT username, password_hash FROM platform.credential WHERE user_id = $1"
USERS = "SELECT * FROM records.user__sys WHERE id = ANY($1::text[])"
# What users are called, by which their passwords could be guessed.
NAMES = ("username__sys", "first_name__sys", "last_name__sys", "email__sys")
# With whether a delegate may still act for the user, where there is one.
ACTIVE = """
SELECT c.username, c.security_profile, r.components, $2::bigint IS NULL OR EXISTS (
    SELECT FROM platform.delegated_access d JOIN platform.credential e ON e.user_id = d.delegate_user_id
    WHERE d.delegator_user_id = c.user_id AND d.delegate_user_id = $2 AND e.active
    AND d.start_date <= now() AND (d.end_date IS NULL OR d.end_date > now())) AS permitted
FROM platform.credential c CROSS JOIN platform.current_revision r WHERE c.user_id = $1 AND c.active
"""
NAMED = "SELECT user_id, security_profile FROM platform.credential WHERE username = $1 AND active"
LOCK_HASH = (
    "SELECT password_hash FROM platform.credential WHERE user_id = $1 FOR UPDATE"
)
STORE_HASH = "UPDATE platform.credential SET password_hash = $2, password_change_required = $3 WHERE user_id = $1"


class SignInService:
    """Signs in the users of a Vault, and stores passwords."""

    def __init__(
        self,
        database: Database,
        profiles: SecurityProfiles,
        session_idle_minutes: int = 60,
        sign_in_limit: int = 100,
        delay: float = 0.5,
        session_limit: int = 50,
    ) -> None:
        self._database = database
        self.profiles = profiles
        self.passwords = Passwords()
        self._slots = FairSlots(AT_ONCE, AT_ONCE_OF_ADDRESS)
        self._limits = SignInLimits(database, sign_in_limit, delay)
        self.tokens = AccessTokens(database, profiles)
        self.sessions = Sessions(
            database,
            profiles,
            timedelta(minutes=session_idle_minutes),
            session_limit,
            self.tokens,
        )

    async def count_sign_in(self, username: str, dns: str, host: str) -> Usage:
        """Count a call of the sign-in by user name, DNS and the client's address; return the usage of the limit."""
        name = username[:MAX_USERNAME_LENGTH]
        address = network_of(host)
        async with turn(self._slots, address, QUEUE_TIMEOUT):
            return await self._limits.count(name, dns, address)

    async def sign_in(
        self, username: str, password: str, client: SignInClient
    ) -> Session:
        """Check a password and open a session.

        :raises VaultFault: NO_PASSWORD_PROVIDED, USERNAME_OR_PASSWORD_INCORRECT, USER_LOCKED_OUT, INACTIVE_USER,
            PASSWORD_CHANGE_REQUIRED; API_LIMIT_EXCEEDED after too many wrong passwords at the address.
        """
        user = await self._verified(username, password, client)
        # Only after the password was checked: otherwise the error would reveal which users are new.
        if user["password_change_required"]:
            message = "The user must change their password before signing in."
            reason = ErrorType.PASSWORD_CHANGE_REQUIRED
            await self._keep_refusal(username, reason, client)
            raise VaultFault(reason, message)
        session = await self.sessions.open(user["user_id"], client=client)
        if not await self._password_is_current(user):
            # The password was changed meanwhile: what was opened with the old one ends.
            await self.sessions.end(session.session_id)
            raise _incorrect()
        return session

    async def _password_is_current(self, user: Record) -> bool:
        """Return whether a user has the password that was checked."""
        async with self._database.connection() as connection:
            stored = await connection.fetchrow(STORED, user["user_id"])
        return stored is not None and stored["password_hash"] == user["password_hash"]

    async def _verified(
        self, username: str, password: str, client: SignInClient
    ) -> Record:
        """Return the active user with this name and password; write a refusal to the audit trail."""
        address = network_of(client.address)
        try:
            return await self._checked(username, password, address)
        except VaultFault as fault:
            async with turn(self._slots, address, QUEUE_TIMEOUT):
                await self._keep_refusal(username, fault.error.type, client)
            raise

    async def _keep_refusal(
        self, username: str, reason: ErrorType, client: SignInClient
    ) -> None:
        name = username[:MAX_USERNAME_LENGTH]
        async with self._database.connection() as connection:
            # Not in a transaction that the refusal would undo.
            await write_refused_sign_in(connection, name, reason, client)

    async def _checked(self, username: str, password: str, address: str) -> Record:
        """Return the active user with this name and password; count a wrong password."""
        if not password:
            raise VaultFault(
                ErrorType.NO_PASSWORD_PROVIDED,
                "No password was provided for the login call.",
            )
        if not 0 < len(username) <= MAX_USERNAME_LENGTH or "\x00" in username:
            raise _incorrect()
        async with turn(self._slots, address, QUEUE_TIMEOUT):
            user = await self._credential(username, address)
            known = user is not None and user["known"]
            attempt = Attempt(username, address, known)
            await self._limits.check(attempt)
        password_hash = user["password_hash"] if user else None
        # Checked once more when its turn comes: of many that wait, no more are tried than the limit allows.
        verified = await self.passwords.verify(
            password_hash,
            password,
            address=address,
            known=known,
            before=lambda: self._limits.check(attempt),
        )
        if user is None or not verified or len(password) > MAX_PASSWORD_LENGTH:
            await self._limits.failed(attempt)
            raise _incorrect()
        await self._limits.succeeded(attempt, user["user_id"])
        # Only to one who knows the password.
        if not user["active"]:
            raise VaultFault(ErrorType.INACTIVE_USER, "The user is inactive.")
        return user

    async def _credential(self, username: str, address: str) -> Record | None:
        """Return the credential of a user name, and whether its user is known at an address.

        None for an unknown name.
        """
        digest = address_digest(address)
        async with self._database.connection() as connection:
            return await connection.fetchrow(CREDENTIAL, username, digest)

    async def caller_of(
        self,
        user_id: int,
        delegate_user_id: int | None = None,
        connection: Connection | None = None,
    ) -> Caller:
        """Return the caller for work in the name of a user without a session, or by the user's delegate.

        Within a transaction, pass its ``connection``: waiting for a second one might never end.

        :raises VaultFault: INACTIVE_USER when there is no such active user; INSUFFICIENT_ACCESS when the delegate may
            not act for them any more.
        """
        if user_id == SYSTEM.user_id:
            return SYSTEM
        if connection is None:
            async with self._database.connection() as own:
                user = await own.fetchrow(ACTIVE, user_id, delegate_user_id)
        else:
            user = await connection.fetchrow(ACTIVE, user_id, delegate_user_id)
        if user is None:
            raise VaultFault(ErrorType.INACTIVE_USER, "The user is inactive.")
        if not user["permitted"]:
            message = "The delegation has ended"
            raise VaultFault(ErrorType.INSUFFICIENT_ACCESS, message)
        if connection is None:
            await self.profiles.follow(user["components"])
        profile = self.profiles.named(user["security_profile"], delegate_user_id)
        username = user["username"]
        return Caller(user_id, username, profile, delegate_user_id=delegate_user_id)

    async def caller_named(self, username: str) -> Caller:
        """Return the user with a name as the caller, for work that the configuration runs in their name.

        :raises VaultFault: INACTIVE_USER when there is no such active user.
        """
        async with self._database.connection() as connection:
            user = await connection.fetchrow(NAMED, username)
        if user is None:
            message = f"There is no active user [{username[:100]}]."
            raise VaultFault(ErrorType.INACTIVE_USER, message)
        profile = self.profiles.named(user["security_profile"])
        return Caller(user["user_id"], username, profile)

    async def sign_out(self, caller: Caller) -> None:
        """End the caller's session."""
        if caller.session_id is not None:
            await self.sessions.end(caller.session_id)

    async def change_password(
        self,
        username: str,
        current: str,
        new: str,
        client: SignInClient,
        caller: Caller | None,
    ) -> None:
        """Change a user's password after checking the current one; end the user's other sessions, and their tokens.

        A user who must change the password has no session, and so no ``caller``.

        :raises VaultFault: as ``sign_in``, except PASSWORD_CHANGE_REQUIRED; INSUFFICIENT_ACCESS in the session of a
            delegate or a connection; INVALID_DATA for a new password that is too short, easily guessed, or the same
            as the current one.
        """
        if caller is not None:
            in_person(caller)
        if new == current:
            raise VaultFault(
                ErrorType.INVALID_DATA,
                "The new password must differ from the current one",
            )
        user = await self._verified(username, current, client)
        user_id = user["user_id"]
        names = await self.names_of([user_id])
        # Before the transaction: hashing takes its time, and a transaction holds a connection.
        password_hash = await self.passwords.hash(new, names[user_id])
        by = caller or await self.caller_of(user_id)
        async with self._database.transaction() as connection:
            # It may have been changed since it was checked: of several changes by one old password, one is made.
            if await connection.fetchval(LOCK_HASH, user_id) != user["password_hash"]:
                raise _incorrect()
            await self.set_password(
                connection, by, user_id, password_hash, kept_session=by.session_id
            )

    async def names_of(self, user_ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
        """Return the names of users by id: user name, first and last name, e-mail."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(USERS, [str(each) for each in user_ids])
        named: dict[int, tuple[str, ...]] = {}
        for row in rows:
            # The user__sys that an administrator has made may lack some of these columns.
            names = (row.get(column) for column in NAMES)
            named[int(row["id"])] = tuple(name for name in names if name)
        return named

    async def set_password(
        self,
        connection: Connection,
        caller: Caller,
        user_id: int,
        password_hash: str,
        *,
        change_required: bool = False,
        kept_session: str | None = None,
    ) -> None:
        """Store a password within a transaction of the caller, and end the user's sessions and access tokens.

        ``kept_session`` is the id of a session that does not end.
        """
        await connection.execute(STORE_HASH, user_id, password_hash, change_required)
        await write_password_change(connection, caller, user_id)
        await self.sessions.end_others(connection, user_id, kept_session)
        await self.tokens.remove_all(connection, caller, user_id)

    async def ensure_password(self, user_id: int, password: str) -> None:
        """Set the user's password unless it is the same already.

        :raises ValueError: when there is no such user, or the password rules refuse the password.
        """
        async with self._database.connection() as connection:
            user = await connection.fetchrow(STORED, user_id)
        if user is None:
            message = f"there is no user {user_id}"
            raise ValueError(message)
        names = (await self.names_of([user_id]))[user_id]
        try:
            await asyncio.to_thread(check_password, password, names)
        except VaultFault as fault:
            message = f"the password of [{user['username']}] in the settings cannot be used: {fault}"
            raise ValueError(message) from fault
        # A Vault that starts again must not end the sessions of its users.
        if await self.passwords.verify(user["password_hash"], password):
            return
        password_hash = await self.passwords.hash(password, names)
        async with self._database.transaction() as connection:
            await self.set_password(connection, SYSTEM, user_id, password_hash)


def _incorrect() -> VaultFault:
    message = "The username or password is incorrect."
    return VaultFault(ErrorType.USERNAME_OR_PASSWORD_INCORRECT, message)
