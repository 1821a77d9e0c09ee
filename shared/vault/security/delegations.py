"""Grants and revokes delegated access, by which a user lets another act in their name for a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import asyncpg

from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import date_time_text
from shared.vault.access.caller import SYSTEM
from shared.vault.access.permissions import (
    AuditTrail,
    Operation,
    in_person,
    may,
    require_all_of,
    require_own,
)
from shared.vault.audit import audit_entries as entries
from shared.vault.audit.audit_entries import AuditAction
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.audit.sign_in_entries import SignInClient
    from shared.vault.security.sessions import SecurityProfiles, Session, Sessions
    from shared.vault.storage.database import Connection, Database

OBJECT = "delegated_access__sys"
MAX_DELEGATES = 100

LIVE = "d.start_date <= now() AND (d.end_date IS NULL OR d.end_date > now())"
GRANTED = f"""
SELECT d.delegator_user_id FROM platform.delegated_access d
JOIN platform.credential c ON c.user_id = d.delegator_user_id
WHERE d.delegate_user_id = $1 AND c.active AND {LIVE} ORDER BY d.delegator_user_id
"""
ADD = """
INSERT INTO platform.delegated_access
    (delegator_user_id, delegate_user_id, start_date, end_date, created_by)
SELECT $1, $2, coalesce($3, now()), $4, $5
WHERE (SELECT count(*) FROM platform.delegated_access WHERE delegator_user_id = $1) < $6
RETURNING id
"""
LIST = "SELECT * FROM platform.delegated_access WHERE $2 OR $1 IN (delegator_user_id, delegate_user_id) ORDER BY id"
ENDED = """SELECT id FROM platform.delegated_access
WHERE delegator_user_id = $1 AND delegate_user_id = $2 AND end_date <= now()"""
OWNER = "SELECT delegator_user_id FROM platform.delegated_access WHERE id = $1"
REMOVE = """
WITH removed AS (DELETE FROM platform.delegated_access WHERE id = $1 RETURNING delegator_user_id, delegate_user_id)
DELETE FROM platform.session s USING removed r
WHERE s.user_id = r.delegator_user_id AND s.delegate_user_id = r.delegate_user_id
"""
ACTIVE = "SELECT user_id, security_profile FROM platform.credential WHERE user_id = ANY($1::bigint[]) AND active"
# Groups of the delegator whose members delegate among themselves only, and to which the delegate does not belong.
CLOSED = """
SELECT count(*) FROM platform.user_group g
WHERE g.active AND g.allow_delegation_among_members
AND EXISTS (SELECT FROM platform.user_group_member m WHERE m.group_id = g.id AND m.user_id = $1)
AND NOT EXISTS (SELECT FROM platform.user_group_member m WHERE m.group_id = g.id AND m.user_id = $2)
"""


class Delegations:
    """Grants, lists and revokes the delegations of this Vault, and opens delegated sessions."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        profiles: SecurityProfiles,
    ) -> None:
        self._database = database
        self._profiles = profiles
        self._sessions = sessions

    async def delegators(self, caller: Caller) -> list[int]:
        """Return the users in whose names the caller may act now."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(GRANTED, caller.user_id)
        return [row["delegator_user_id"] for row in rows]

    async def sign_in(
        self, caller: Caller, delegator_user_id: int, client: SignInClient
    ) -> Session:
        """Open a session in the delegator's name and return it.

        :raises VaultFault: INSUFFICIENT_ACCESS unless the delegator lets the caller act for them now.
        """
        in_person(caller)
        if delegator_user_id not in await self.delegators(caller):
            raise VaultFault(
                ErrorType.INSUFFICIENT_ACCESS,
                "The user has not granted delegate access to the caller",
            )
        return await self._sessions.open(delegator_user_id, caller.user_id, client)

    async def all(self, caller: Caller) -> list[dict[str, object]]:
        """Return the delegations by and to the caller, or all if the caller may read those of others."""
        everyone = may(caller, OBJECT, Operation.READ)
        async with self._database.connection() as connection:
            rows = await connection.fetch(LIST, caller.user_id, everyone)
        return [_json(row) for row in rows]

    async def grant(
        self,
        caller: Caller,
        delegator: int,
        delegate: int,
        start: datetime | None,
        end: datetime | None,
    ) -> int:
        """Allow ``delegate`` to act for ``delegator``; return the delegation's id.

        The delegation begins at ``start``, by default now, and ends at ``end``, by default when it is revoked. It
        replaces an ended delegation between the same users.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA, OPERATION_NOT_ALLOWED, USER_NOT_FOUND.
        """
        in_person(caller)
        require_own(caller, delegator, OBJECT, Operation.CREATE)
        _check_terms(delegator, delegate, start, end)
        try:
            async with self._database.transaction() as connection:
                await self._check_users(connection, caller, delegator, delegate)
                # With the sessions of the one before, which the new one would open again.
                for ended in await connection.fetch(ENDED, delegator, delegate):
                    await _end(connection, caller, ended["id"])
                users = delegator, delegate
                by = caller.user_id
                added = await connection.fetchval(
                    ADD, *users, start, end, by, MAX_DELEGATES
                )
                if added is None:
                    message = f"A user has at most {MAX_DELEGATES} delegates"
                    raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
                await entries.write_entry(
                    connection,
                    caller,
                    AuditTrail.DOMAIN,
                    AuditAction.CREATE,
                    f"Delegation.{added}",
                    after=f"{delegator} to {delegate}",
                )
        # The index decides: two calls may grant the same at once.
        except asyncpg.UniqueViolationError as error:
            message = "The user has granted delegate access to this user already"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message) from error
        return int(added)

    async def _check_users(
        self,
        connection: Connection,
        caller: Caller,
        delegator: int,
        delegate: int,
    ) -> None:
        """Check that both users are active, and that the caller and the delegator's groups allow the delegation.

        :raises VaultFault: USER_NOT_FOUND, INSUFFICIENT_ACCESS, OPERATION_NOT_ALLOWED.
        """
        rows = await connection.fetch(ACTIVE, [delegator, delegate])
        profiles = {row["user_id"]: row["security_profile"] for row in rows}
        if len(profiles) != 2:
            raise VaultFault(
                ErrorType.USER_NOT_FOUND, "There is no active user with this id"
            )
        # Who grants access to somebody else's account could grant it to themselves.
        if delegator != caller.user_id:
            require_all_of(caller, self._profiles.in_full(profiles[delegator]))
        if await connection.fetchval(CLOSED, delegator, delegate):
            message = "Members of a group of the user may only delegate to other members of it"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)

    async def revoke(self, caller: Caller, delegation_id: int) -> None:
        """End a delegation and the sessions opened by it.

        :raises VaultFault: INSUFFICIENT_ACCESS, and INVALID_DATA when there is no such delegation.
        """
        in_person(caller)
        async with self._database.transaction() as connection:
            owner = await connection.fetchval(OWNER, delegation_id)
            # What does not exist and what is another user's look the same to one who may see neither.
            nobody = -1
            require_own(
                caller,
                nobody if owner is None else owner,
                OBJECT,
                Operation.DELETE,
            )
            if owner is None:
                raise VaultFault(ErrorType.INVALID_DATA, "There is no such delegation")
            await _end(connection, caller, delegation_id)


async def _end(connection: Connection, caller: Caller, delegation_id: int) -> None:
    """Remove a delegation and the sessions opened by it, and write that to the audit trail."""
    await connection.execute(REMOVE, delegation_id)
    await entries.write_entry(
        connection,
        caller,
        AuditTrail.DOMAIN,
        AuditAction.DELETE,
        f"Delegation.{delegation_id}",
    )


def _json(row: Record) -> dict[str, object]:
    return {
        "id": row["id"],
        "delegator_userid": str(row["delegator_user_id"]),
        "delegate_userid": str(row["delegate_user_id"]),
        "start_date": date_time_text(row["start_date"]),
        "end_date": date_time_text(row["end_date"]),
        "created_by": row["created_by"],
        "created_date": date_time_text(row["created_date"]),
    }


def _check_terms(
    delegator: int, delegate: int, start: datetime | None, end: datetime | None
) -> None:
    """Check the users and the period of a delegation.

    :raises VaultFault: USER_NOT_FOUND, INVALID_DATA.
    """
    # The Vault itself lets nobody act for it.
    if SYSTEM.user_id in (delegator, delegate):
        message = "There is no active user with this id"
        raise VaultFault(ErrorType.USER_NOT_FOUND, message)
    if delegator == delegate:
        message = "A user cannot be their own delegate"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    if end is not None and end <= (start or datetime.now(UTC)):
        message = "[end_date] is not later than the start"
        raise VaultFault(ErrorType.INVALID_DATA, message)
