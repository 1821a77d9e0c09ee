"""Signs users in and out, and changes their passwords."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import SYSTEM, Caller
from shared.vault.access.permissions import in_person
from shared.vault.audit.audit_entries import password_changed, sign_in_refused
from shared.vault.errors import VaultFault
from shared.vault.security.access_tokens import TOKEN, AccessTokens
from shared.vault.security.call_limits import SignInLimits
from shared.vault.security.passwords import MAX_PASSWORD_LENGTH, Passwords
from shared.vault.security.sessions import Session, Sessions, invalid_session

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.security.call_limits import Usage
    from shared.vault.security.sessions import SecurityProfiles
    from shared.vault.storage.database import Connection, Database

MAX_USERNAME_LENGTH = 255
MIN_PASSWORD_LENGTH = 8

CREDENTIAL = """
SELECT user_id, password_hash, active, password_change_required FROM platform.credential WHERE username = $1
"""
STORED = "SELECT username, password_hash FROM platform.credential WHERE user_id = $1"
ACTIVE = "SELECT username, security_profile FROM platform.credential WHERE user_id = $1 AND active"
NAMED = "SELECT user_id, security_profile FROM platform.credential WHERE username = $1 AND active"
STORE_HASH = "UPDATE platform.credential SET password_hash = $2, password_change_required = $3 WHERE user_id = $1"


class SignInService:
    """Signs in the users of a Vault, identifies callers, and stores passwords."""

    def __init__(
        self,
        database: Database,
        profiles: SecurityProfiles,
        session_idle_minutes: int = 60,
        sign_in_limit: int = 100,
        delay: float = 0.5,
    ) -> None:
        self._database = database
        self.profiles = profiles
        self.passwords = Passwords()
        self._limits = SignInLimits(database, sign_in_limit, delay)
        self.sessions = Sessions(
            database,
            profiles,
            timedelta(minutes=session_idle_minutes),
        )
        self.tokens = AccessTokens(database, profiles)

    async def count_sign_in(self, username: str, dns: str) -> Usage:
        """Count a call of the sign-in by user name and DNS, and return the usage of the limit."""
        name = username[:MAX_USERNAME_LENGTH]
        return await self._limits.count(name, dns)

    async def sign_in(self, username: str, password: str) -> Session:
        """Check a password and open a session.

        :raises VaultFault: NO_PASSWORD_PROVIDED, USERNAME_OR_PASSWORD_INCORRECT, USER_LOCKED_OUT, INACTIVE_USER,
            PASSWORD_CHANGE_REQUIRED.
        """
        user = await self._verified(username, password)
        # Only after the password was checked: otherwise the error would reveal which users are new.
        if user["password_change_required"]:
            message = "The user must change their password before signing in."
            await self._keep_refusal(username, ErrorType.PASSWORD_CHANGE_REQUIRED)
            raise VaultFault(ErrorType.PASSWORD_CHANGE_REQUIRED, message)
        return await self.sessions.open(user["user_id"])

    async def _verified(self, username: str, password: str) -> Record:
        """Return the active user with this name and password; write a refusal to the audit trail."""
        try:
            return await self._checked(username, password)
        except VaultFault as fault:
            await self._keep_refusal(username, fault.error.type)
            raise

    async def _keep_refusal(self, username: str, reason: ErrorType) -> None:
        name = username[:MAX_USERNAME_LENGTH]
        async with self._database.connection() as connection:
            # Not in a transaction that the refusal would undo.
            await sign_in_refused(connection, name, reason)

    async def _checked(self, username: str, password: str) -> Record:
        """Return the active user with this name and password; count a wrong password."""
        if not password:
            raise VaultFault(
                ErrorType.NO_PASSWORD_PROVIDED,
                "No password was provided for the login call.",
            )
        if not 0 < len(username) <= MAX_USERNAME_LENGTH or "\x00" in username:
            raise _incorrect()
        await self._limits.check(username)
        async with self._database.connection() as connection:
            user = await connection.fetchrow(CREDENTIAL, username)
        password_hash = user["password_hash"] if user else None
        # Checked once more when its turn comes: of many that wait, no more are tried than the limit allows.
        verified = await self.passwords.verify(
            password_hash,
            password,
            before=lambda: self._limits.check(username),
        )
        if user is None or not verified or len(password) > MAX_PASSWORD_LENGTH:
            await self._limits.failed(username)
            raise _incorrect()
        await self._limits.succeeded(username)
        # Only to one who knows the password.
        if not user["active"]:
            raise VaultFault(ErrorType.INACTIVE_USER, "The user is inactive.")
        return user

    async def caller(self, session_id: str | None) -> Caller:
        """Return the caller to whom a live session or access token belongs, with one statement.

        :raises VaultFault: INVALID_SESSION_ID when there is no such session or token, or it has expired.
        """
        if session_id is None:
            raise invalid_session()
        # Session ids are hexadecimal: none begins like a token.
        if session_id.startswith(TOKEN):
            return await self.tokens.caller(session_id)
        return await self.sessions.caller(session_id)

    async def caller_of(
        self, user_id: int, delegate_user_id: int | None = None
    ) -> Caller:
        """Return the user with an id as the caller, for work in their name without a session, or by their delegate.

        :raises VaultFault: INACTIVE_USER when there is no such active user.
        """
        if user_id == SYSTEM.user_id:
            return SYSTEM
        async with self._database.connection() as connection:
            user = await connection.fetchrow(ACTIVE, user_id)
        if user is None:
            raise VaultFault(ErrorType.INACTIVE_USER, "The user is inactive.")
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

    async def keep_alive(self, caller: Caller) -> None:
        """Restart the idle time of the caller's session."""
        if caller.session_id is not None:
            await self.sessions.touch(caller.session_id)

    async def sign_out(self, caller: Caller) -> None:
        """End the caller's session."""
        if caller.session_id is not None:
            await self.sessions.end(caller.session_id)

    async def change_password(
        self,
        username: str,
        current: str,
        new: str,
        caller: Caller | None,
    ) -> None:
        """Change a user's password after checking the current one; end the user's other sessions.

        A user who must change it has no session, and so no ``caller``.

        :raises VaultFault: as ``sign_in``, except PASSWORD_CHANGE_REQUIRED; INVALID_DATA for a new password that
            is too short or the same as the current one.
        """
        if caller is not None:
            in_person(caller)
        _check_new(new)
        if new == current:
            raise VaultFault(
                ErrorType.INVALID_DATA,
                "The new password must differ from the current one",
            )
        user = await self._verified(username, current)
        # Before the transaction: hashing takes its time, and a transaction holds a connection.
        password_hash = await self.passwords.hash(new)
        user_id = user["user_id"]
        kept_session = caller.session_id if caller else None
        async with self._database.transaction() as connection:
            await self.set_password(connection, user_id, password_hash)
            await password_changed(connection, caller, user_id)
            await self.sessions.end_others(connection, user_id, kept_session)

    async def hash_new(self, password: str) -> str:
        """Return the hash of a new password after checking its length.

        :raises VaultFault: INVALID_DATA when it is too short or too long.
        """
        _check_new(password)
        return await self.passwords.hash(password)

    async def set_password(
        self,
        connection: Connection,
        user_id: int,
        password_hash: str,
        *,
        change_required: bool = False,
    ) -> None:
        """Store a password within a transaction that has begun."""
        await connection.execute(STORE_HASH, user_id, password_hash, change_required)

    async def ensure_password(self, user_id: int, password: str) -> None:
        """Set the user's password unless it is this one already; a change ends their sessions.

        :raises ValueError: when there is no such user, or the password is empty or too long.
        """
        async with self._database.connection() as connection:
            user = await connection.fetchrow(STORED, user_id)
        if user is None or not 0 < len(password) <= MAX_PASSWORD_LENGTH:
            message = f"user {user_id} needs a password of at most {MAX_PASSWORD_LENGTH} characters"
            raise ValueError(message)
        # A Vault that starts again must not end the sessions of its users.
        if await self.passwords.verify(user["password_hash"], password):
            return
        password_hash = await self.passwords.hash(password)
        async with self._database.transaction() as connection:
            await self.set_password(connection, user_id, password_hash)
            await self.sessions.end_others(connection, user_id, None)


def _check_new(password: str) -> None:
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
        message = f"A password has from {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} characters"
        raise VaultFault(ErrorType.INVALID_DATA, message)


def _incorrect() -> VaultFault:
    message = "The username or password is incorrect."
    return VaultFault(ErrorType.USERNAME_OR_PASSWORD_INCORRECT, message)
