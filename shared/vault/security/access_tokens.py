"""Makes and checks API access tokens, by which a program signs in without a session."""

from __future__ import annotations

import secrets
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import date_time_text, read_moment
from shared.vault.access.caller import Caller
from shared.vault.access.permissions import (
    AuditTrail,
    Operation,
    in_person,
    require_all_of,
    require_own,
)
from shared.vault.audit import audit_entries as entries
from shared.vault.audit.audit_entries import AuditAction
from shared.vault.errors import VaultFault
from shared.vault.security.sessions import TOKEN, digest, invalid_session, require_live

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.security.sessions import SecurityProfiles
    from shared.vault.storage.database import Connection, Database

MAX_TOKENS = 25
MAX_NAME = 128
OBJECT = "api_access_token__sys"

ADD = """
INSERT INTO platform.api_access_token (id, user_id, name, token_hash, expiry_date, created_by)
SELECT 'V8T' || lpad(upper(to_hex(nextval('platform.record_id_block'))), 12, '0'), $1, $2, $3, $4, $5
WHERE (SELECT count(*) FROM platform.api_access_token
    WHERE user_id = $1 AND (expiry_date IS NULL OR expiry_date > now())) < $6
RETURNING id
"""
LIST = """
SELECT id, name, user_id, expiry_date, last_used_date, created_date,
    expiry_date IS NULL OR expiry_date > now() AS active
FROM platform.api_access_token WHERE user_id = $1 ORDER BY created_date, id
"""
REMOVE = (
    "DELETE FROM platform.api_access_token WHERE id = $1 AND user_id = $2 RETURNING id"
)
REMOVE_ALL = "DELETE FROM platform.api_access_token WHERE user_id = $1 RETURNING id"
FIND = """
SELECT t.id, c.user_id, c.username, c.security_profile,
    coalesce(t.last_used_date, '-infinity') <= now() - interval '1 minute' AS stale, r.components, r.revision
FROM platform.api_access_token t JOIN platform.credential c USING (user_id) CROSS JOIN platform.current_revision r
WHERE t.token_hash = $1 AND (t.expiry_date IS NULL OR t.expiry_date > now()) AND c.active
"""
TOUCH = "UPDATE platform.api_access_token SET last_used_date = now() WHERE id = $1"
LOCK = "SELECT security_profile FROM platform.credential WHERE user_id = $1 AND active FOR UPDATE"


class AccessTokens:
    """Generates, lists, revokes and checks the access tokens of a Vault's users."""

    def __init__(self, database: Database, profiles: SecurityProfiles) -> None:
        self._database = database
        self._profiles = profiles

    async def generate(
        self,
        caller: Caller,
        user_id: int,
        name: str,
        expiry: str,
    ) -> dict[str, str]:
        """Make a token and return it as ``{id, token__sys}``; its value is returned only here.

        ``expiry`` is a date, or a date and time in UTC; a token with an empty one does not expire.

        :raises VaultFault: PARAMETER_REQUIRED, INVALID_DATA, INSUFFICIENT_ACCESS, USER_NOT_FOUND;
            OPERATION_NOT_ALLOWED when the user has 25 tokens; INVALID_SESSION_ID when the session has ended meanwhile.
        """
        in_person(caller)
        require_own(caller, user_id, OBJECT, Operation.CREATE)
        _check_name(name)
        expires = _expiry(expiry)
        # The prefix distinguishes a token from the id of a session.
        token = TOKEN + secrets.token_hex(32)
        async with self._database.transaction() as connection:
            # One at a time, so that the number of a user's tokens stays within its bound.
            user = await connection.fetchrow(LOCK, user_id)
            if user is None:
                raise VaultFault(
                    ErrorType.USER_NOT_FOUND, "There is no active user with this id"
                )
            # A new password ends sessions while it holds this lock: none of them makes a token afterwards.
            if caller.session_id is not None:
                await require_live(connection, caller.session_id)
            if user_id != caller.user_id:
                # A token for somebody else is a way to be them.
                require_all_of(caller, self._profiles.in_full(user["security_profile"]))
            values = (user_id, name, digest(token), expires, caller.user_id, MAX_TOKENS)
            token_id = await connection.fetchval(ADD, *values)
            if token_id is None:
                raise VaultFault(
                    ErrorType.OPERATION_NOT_ALLOWED,
                    f"A user has at most {MAX_TOKENS} active tokens",
                )
            await entries.write_entry(
                connection,
                caller,
                AuditTrail.DOMAIN,
                AuditAction.CREATE,
                f"Token.{token_id}",
                after=str(user_id),
            )
        return {"id": token_id, "token__sys": token}

    async def of_user(self, caller: Caller, user_id: int) -> list[dict[str, object]]:
        """Return a user's tokens without their values.

        :raises VaultFault: INSUFFICIENT_ACCESS.
        """
        require_own(caller, user_id, OBJECT, Operation.READ)
        async with self._database.connection() as connection:
            rows = await connection.fetch(LIST, user_id)
        return [_json(row) for row in rows]

    async def remove(
        self,
        caller: Caller,
        user_id: int,
        token_id: str,
    ) -> None:
        """Revoke a token at once.

        :raises VaultFault: INSUFFICIENT_ACCESS, and INVALID_DATA when the user has no such token.
        """
        in_person(caller)
        require_own(caller, user_id, OBJECT, Operation.DELETE)
        async with self._database.transaction() as connection:
            removed = None
            # PostgreSQL takes no text with NUL, and no stored id has one.
            if "\x00" not in token_id:
                removed = await connection.fetchval(REMOVE, token_id, user_id)
            if removed is None:
                raise VaultFault(ErrorType.INVALID_DATA, "The user has no such token")
            await _record_removal(connection, caller, token_id, user_id)

    async def remove_all(
        self,
        connection: Connection,
        caller: Caller,
        user_id: int,
    ) -> None:
        """Revoke all tokens of a user, within a transaction of the caller."""
        for row in await connection.fetch(REMOVE_ALL, user_id):
            await _record_removal(connection, caller, row["id"], user_id)

    async def caller(self, token: str) -> Caller:
        """Return the user of a token as the caller, and record that the token was used.

        :raises VaultFault: INVALID_SESSION_ID when there is no such token, or it has expired.
        """
        async with self._database.connection() as connection:
            row = await connection.fetchrow(FIND, digest(token))
            if row is None:
                raise invalid_session()
            # Once a minute is enough for when it was last used: most calls write nothing.
            if row["stale"]:
                await connection.execute(TOUCH, row["id"])
        await self._profiles.follow(row["components"])
        profile = self._profiles.named(row["security_profile"])
        revision = row["revision"]
        return Caller(row["user_id"], row["username"], profile, revision=revision)


async def _record_removal(
    connection: Connection, caller: Caller, token_id: str, user_id: int
) -> None:
    await entries.write_entry(
        connection,
        caller,
        AuditTrail.DOMAIN,
        AuditAction.DELETE,
        f"Token.{token_id}",
        before=str(user_id),
    )


def _check_name(name: str) -> None:
    if not name:
        raise VaultFault(
            ErrorType.PARAMETER_REQUIRED, "Missing required parameter [name__v]"
        )
    if len(name) > MAX_NAME or "\x00" in name:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"[name__v] holds at most {MAX_NAME} characters"
        )


def _expiry(text: str) -> datetime | None:
    """Return the expiry of a token; a date without time means the last second of that day.

    :raises VaultFault: INVALID_DATA when it is not a date, or has passed.
    """
    if not text:
        return None
    try:
        expires = _end(text)
    except ValueError as error:
        form = "YYYY-MM-DDTHH:MM:SSZ"
        message = f"[expiry_date__v] takes a date and time as {form}"
        raise VaultFault(ErrorType.INVALID_DATA, message) from error
    if expires <= datetime.now(UTC):
        raise VaultFault(ErrorType.INVALID_DATA, "[expiry_date__v] has passed")
    return expires


def _end(text: str) -> datetime:
    # A date without a time.
    if len(text) == len("2026-12-31"):
        day = date.fromisoformat(text)
        return datetime.combine(day, time(23, 59, 59), UTC)
    return read_moment(text)


def _json(row: Record) -> dict[str, object]:
    return {
        "id": row["id"],
        "name__v": row["name"],
        "user__sys": str(row["user_id"]),
        "status__v": ["active__v" if row["active"] else "inactive__v"],
        "expiry_date__sys": date_time_text(row["expiry_date"]),
        "last_used_date__sys": date_time_text(row["last_used_date"]),
        "created_date__v": date_time_text(row["created_date"]),
    }
