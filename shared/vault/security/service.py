"""Signing in, staying signed in, signing out, and who the user of a session is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import asyncpg

from shared.vault.errors import ErrorType, VaultFault
from shared.vault.security.caller import Caller, SecurityProfile
from shared.vault.security.passwords import MAX_PASSWORD_LENGTH, Passwords
from shared.vault.security.sessions import Session, Sessions, invalid_session
from shared.vault.security.throttle import LoginThrottle

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.storage.database import Connection, Database

MAX_USERNAME_LENGTH = 255
FIRST_USER_ID = 10_001

CREDENTIAL = """
SELECT user_id, password_hash, security_profile, active FROM platform.credential WHERE username = $1
"""
ENSURE = """
INSERT INTO platform.credential AS c (user_id, username, password_hash, security_profile)
VALUES (coalesce($1, (SELECT greatest(max(user_id) + 1, $5) FROM platform.credential)), $2, $3, $4)
ON CONFLICT (username) DO UPDATE
SET password_hash = excluded.password_hash, security_profile = excluded.security_profile
RETURNING c.user_id
"""
RENAME = "UPDATE platform.credential SET username = $2 WHERE user_id = $1 AND username <> $2"
END_ALL = "DELETE FROM platform.session WHERE user_id = $1"
USER = """
SELECT c.user_id, c.username, c.security_profile, c.active, c.last_login,
       u.first_name__sys, u.last_name__sys, u.email__sys,
       u.created_date__v, u.created_by__v, u.modified_date__v, u.modified_by__v
FROM platform.credential c LEFT JOIN records.user__sys u ON u.username__sys = c.username
WHERE c.user_id = $1
"""


class SecurityService:
    """The users of a Vault and their sessions."""

    def __init__(self, database: Database, session_idle_minutes: int = 60) -> None:
        self._database = database
        self._passwords = Passwords()
        self._throttle = LoginThrottle()
        self._sessions = Sessions(database, timedelta(minutes=session_idle_minutes))

    async def sign_in(self, username: str, password: str) -> Session:
        """Open a session.

        :raises VaultFault: NO_PASSWORD_PROVIDED, USERNAME_OR_PASSWORD_INCORRECT, USER_LOCKED_OUT, INACTIVE_USER.
        """
        if not password:
            raise VaultFault(ErrorType.NO_PASSWORD_PROVIDED, "No password was provided for the login call.")
        if not 0 < len(username) <= MAX_USERNAME_LENGTH or "\x00" in username:
            raise _incorrect()
        self._throttle.check(username)
        async with self._database.connection() as connection:
            user = await connection.fetchrow(CREDENTIAL, username)
        password_hash = user["password_hash"] if user else None
        verified = await self._passwords.verify(password_hash, password, before=lambda: self._throttle.check(username))
        if user is None or not verified or len(password) > MAX_PASSWORD_LENGTH:
            self._throttle.failed(username)
            raise _incorrect()
        self._throttle.succeeded(username)
        if not user["active"]:
            raise VaultFault(ErrorType.INACTIVE_USER, "The user is inactive.")
        return await self._sessions.open(user["user_id"])

    async def caller(self, session_id: str | None) -> Caller:
        """The user of a live session, at the price of one statement.

        :raises VaultFault: INVALID_SESSION_ID.
        """
        if session_id is None:
            raise invalid_session()
        return await self._sessions.caller(session_id)

    async def keep_alive(self, caller: Caller) -> None:
        """Start the idle time of the caller's session again."""
        if caller.session_id is not None:
            await self._sessions.touch(caller.session_id)

    async def sign_out(self, caller: Caller) -> None:
        """End the caller's session."""
        if caller.session_id is not None:
            await self._sessions.end(caller.session_id)

    async def ensure_user(
        self, username: str, password: str, profile: SecurityProfile, *, user_id: int | None = None
    ) -> int:
        """The id of the user with this name, password and profile; a changed password ends the user's sessions.

        With ``user_id`` it is that user, renamed if need be; without it a new user gets the next free id.

        :raises ValueError: the name or password is empty or too long, or the name is another user's.
        """
        if not 0 < len(username) <= MAX_USERNAME_LENGTH or not 0 < len(password) <= MAX_PASSWORD_LENGTH:
            message = f"a user needs a name of at most {MAX_USERNAME_LENGTH} characters and a password"
            raise ValueError(message)
        async with self._database.connection() as connection:
            if user_id is not None:
                await _rename(connection, user_id, username)
            user = await connection.fetchrow(CREDENTIAL, username)
        unchanged = user is not None and user["security_profile"] == profile
        if user is not None and unchanged and await self._passwords.verify(user["password_hash"], password):
            return int(user["user_id"])
        password_hash = await self._passwords.hash(password)
        async with self._database.transaction() as connection:
            stored = await connection.fetchval(ENSURE, user_id, username, password_hash, profile, FIRST_USER_ID)
            await connection.execute(END_ALL, stored)
        return int(stored)

    async def users_me(self, caller: Caller) -> dict[str, object]:
        """The caller as ``GET /objects/users/me`` shows a user (the value of ``user``)."""
        async with self._database.connection() as connection:
            user = await connection.fetchrow(USER, caller.user_id)
        if user is None:
            raise invalid_session()
        return _user_json(user)


async def _rename(connection: Connection, user_id: int, username: str) -> None:
    try:
        await connection.execute(RENAME, user_id, username)
    except asyncpg.UniqueViolationError as error:
        message = "the username is another user's"
        raise ValueError(message) from error


def _incorrect() -> VaultFault:
    message = "The username or password is incorrect."
    return VaultFault(ErrorType.USERNAME_OR_PASSWORD_INCORRECT, message)


def _user_json(user: Record) -> dict[str, object]:
    return {
        "id": user["user_id"],
        "user_name__v": user["username"],
        "user_first_name__v": user["first_name__sys"],
        "user_last_name__v": user["last_name__sys"],
        "user_email__v": user["email__sys"],
        "user_timezone__v": "UTC",
        "user_locale__v": "en_US",
        "user_language__v": "en",
        "active__v": user["active"],
        "is_domain_admin__v": user["security_profile"] == SecurityProfile.SYSTEM_ADMIN,
        "security_profile__v": user["security_profile"],
        "license_type__v": "full__v",
        "created_date__v": _moment(user["created_date__v"]),
        "created_by__v": user["created_by__v"],
        "modified_date__v": _moment(user["modified_date__v"]),
        "modified_by__v": user["modified_by__v"],
        "last_login__v": _moment(user["last_login"]),
    }


def _moment(value: datetime | None) -> str | None:
    if value is None:
        return None
    return value.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
