"""Stores users as records of ``user__sys``: a user's sign-in follows the record, and no record is ever deleted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import SYSTEM, SYSTEM_ADMIN
from shared.vault.access.permissions import holds_all_of
from shared.vault.errors import ApiError, VaultFault
from shared.vault.records.email_addresses import is_one_address
from shared.vault.security.user_settings import invalid_setting

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.records.rows import NewRow
    from shared.vault.security.sessions import SecurityProfiles
    from shared.vault.storage.database import Connection, Database

OBJECT = "user__sys"
LOCK = 7_214_003  # advisory lock: the trigger is made by one process
ADMIN_LOCK = 7_214_004  # advisory lock: System Admins are taken away by one transaction at a time
NAME_LOCK = (
    7_214_005  # advisory lock: user names are taken by one transaction at a time
)
PROFILE = "security_profile__sys"
STATUS = "status__v"
NAME = "username__sys"
EMAIL = "email__sys"
FIRST_NAME, LAST_NAME, FULL_NAME = "first_name__sys", "last_name__sys", "name__v"
REQUIRED = (FIRST_NAME, LAST_NAME, EMAIL)
"""What every user has: once there, it cannot be emptied."""
ACTIVE = "active__v"

# Letters of other scripts look like these; and what is not seen at all makes two names look like one.
PLAIN_NAME = re.compile(r"[!-~]{1,255}")
TAKEN = (
    "SELECT username FROM platform.credential WHERE lower(username) = ANY($1::text[])"
)
SHARED_NAMES = """
SELECT EXISTS (SELECT FROM platform.credential WHERE lower(username) = ANY($1::text[])
    GROUP BY lower(username) HAVING count(*) > 1)
"""

MISSING = """
SELECT NOT EXISTS (SELECT FROM pg_trigger
    WHERE tgname = 'keep_credential' AND tgrelid = 'records.user__sys'::regclass)
"""
FOLLOW = """
CREATE TRIGGER keep_credential AFTER INSERT OR UPDATE OR DELETE ON records.user__sys
FOR EACH ROW EXECUTE FUNCTION platform.keep_credential()
"""
ADMINISTERED = """
SELECT EXISTS (SELECT FROM platform.credential WHERE active AND security_profile = $1 AND user_id <> $2)
"""
# Records that were stored before the trigger was there pass it now.
CATCH_UP = "UPDATE records.user__sys SET id = id"


async def follow_user_records(database: Database) -> None:
    """Create the database trigger that updates a user's sign-in after every write of their record."""
    async with database.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        if await connection.fetchval(MISSING):
            await connection.execute(FOLLOW)
            await connection.execute(CATCH_UP)


class UserTrigger:
    """Refuses changes of users that callers may not make, deletions, and changes of the Vault's own user.

    A caller may change only users with no more rights than their own, and assign only such security profiles. At least
    one active user, besides the Vault's own, is always a System Admin.
    """

    columns = (STATUS, PROFILE, FULL_NAME, *REQUIRED)

    def __init__(self, profiles: SecurityProfiles) -> None:
        self._profiles = profiles

    async def before_create(
        self,
        connection: Connection,
        caller: Caller,
        rows: Sequence[NewRow],
    ) -> None:
        """Fail rows of users with more permissions than the caller.

        Also fail rows with an e-mail that is not one address, with a name that is not plain or looks like another, or
        with a time zone, locale or language that is none.
        """
        taken = await _taken_names(connection, rows)
        for row in rows:
            name = str(row.values.get(NAME) or "")
            refusal = self._refusal(caller, row.values.get(PROFILE))
            refusal = refusal or _invalid_email(row.values.get(EMAIL))
            refusal = refusal or _invalid_name(name)
            refusal = refusal or invalid_setting(row.values)
            # Of exactly one name, the column's own rule is asked.
            if refusal is None and taken.setdefault(name.lower(), name) != name:
                refusal = _taken_name()
            if refusal is not None:
                row.errors.append(refusal)

    def before_update(
        self,
        caller: Caller,
        stored: Record,
        changes: dict[str, object],
    ) -> ApiError | None:
        """Refuse changes of the Vault's own user, of a user with more permissions, or that lock the caller out.

        Also refuse an e-mail that is not one address, a new name that is not plain, a setting that is none, and to
        empty what every user has. The full name follows first and last name, unless it is another one.
        """
        own = stored["id"] == str(caller.user_id)
        if stored["id"] == str(SYSTEM.user_id):
            return ApiError(
                ErrorType.OPERATION_NOT_ALLOWED,
                "The user belongs to the Vault and cannot be changed",
            )
        if own and changes.get(STATUS, ACTIVE) != ACTIVE:
            return ApiError(
                ErrorType.OPERATION_NOT_ALLOWED, "Users cannot make themselves inactive"
            )
        # Users may do all that their own profile allows: of themselves only a new one is checked.
        mightier = None if own else self._refusal(caller, stored[PROFILE])
        refusal = mightier or self._refusal(caller, changes.get(PROFILE))
        refusal = refusal or _invalid_email(changes.get(EMAIL))
        refusal = refusal or _invalid_name(str(changes.get(NAME) or ""))
        refusal = refusal or invalid_setting(changes) or _emptied(stored, changes)
        if refusal is None:
            _rename(stored, changes)
        return refusal

    def _refusal(self, caller: Caller, profile: object) -> ApiError | None:
        if profile is None:
            return None
        if holds_all_of(caller, self._profiles.in_full(str(profile))):
            return None
        message = f"Security profile [{profile}] allows more than the caller's own"
        return ApiError(ErrorType.INSUFFICIENT_ACCESS, message)

    async def after_update(
        self,
        connection: Connection,
        caller: Caller,
        updated: Sequence[tuple[Record, Mapping[str, object]]],
    ) -> None:
        """Check that an active System Admin remains, and that names differ by more than capitals.

        :raises VaultFault: OPERATION_NOT_ALLOWED for the whole call when none would remain; INVALID_DATA when two users
            would have the same name except for capitals.
        """
        del caller
        renamed = [str(changes[NAME]) for _, changes in updated if changes.get(NAME)]
        await _require_own_names(connection, renamed)
        if not any(_ends_administrator(*each) for each in updated):
            return
        # Two that take away the last two, each seeing the other one, would leave none.
        await connection.execute("SELECT pg_advisory_xact_lock($1)", ADMIN_LOCK)
        administered = await connection.fetchval(
            ADMINISTERED,
            SYSTEM_ADMIN.name,
            SYSTEM.user_id,
        )
        if not administered:
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED,
                "The Vault would have no active System Admin",
            )

    def before_delete(self, caller: Caller, stored: Record) -> ApiError | None:
        """Refuse every deletion."""
        del caller, stored
        return ApiError(
            ErrorType.OPERATION_NOT_ALLOWED,
            "Users cannot be deleted, only made inactive",
        )


async def _taken_names(
    connection: Connection, rows: Sequence[NewRow]
) -> dict[str, str]:
    """Return the stored user names that rows repeat, in small letters or capitals, each by its name in small letters.

    Until the end of the transaction no other one can take a name.
    """
    names = [str(row.values[NAME]).lower() for row in rows if row.values.get(NAME)]
    if not names:
        return {}
    await connection.execute("SELECT pg_advisory_xact_lock($1)", NAME_LOCK)
    taken = [row["username"] for row in await connection.fetch(TAKEN, names)]
    return {name.lower(): name for name in taken}


async def _require_own_names(connection: Connection, renamed: Sequence[str]) -> None:
    """Check that nobody else has the new names of users, in small letters or capitals.

    :raises VaultFault: INVALID_DATA when somebody has.
    """
    if not renamed:
        return
    await connection.execute("SELECT pg_advisory_xact_lock($1)", NAME_LOCK)
    names = [name.lower() for name in renamed]
    if await connection.fetchval(SHARED_NAMES, names):
        error = _taken_name()
        raise VaultFault(error.type, error.message)


def _taken_name() -> ApiError:
    message = f"Another user has this [{NAME}], in small letters or capitals"
    return ApiError(ErrorType.INVALID_DATA, message)


def _invalid_name(name: str) -> ApiError | None:
    """Return the error of a user name that could be taken for another one; the name itself is not repeated."""
    # A missing one is refused as such.
    if not name or PLAIN_NAME.fullmatch(name):
        return None
    message = f"[{NAME}] takes letters from A to Z, digits and signs, without spaces"
    return ApiError(ErrorType.INVALID_DATA, message)


def _invalid_email(value: object) -> ApiError | None:
    """Return the error of an e-mail that is not exactly one address; the text itself is not repeated."""
    if value is None or is_one_address(str(value)):
        return None
    return ApiError(ErrorType.INVALID_DATA, f"[{EMAIL}] is not one e-mail address")


def _emptied(stored: Record, changes: Mapping[str, object]) -> ApiError | None:
    """Return the error of a change that empties what every user has."""
    for name in REQUIRED:
        if name in changes and not changes[name] and stored.get(name):
            message = f"Missing required parameter [{name}]"
            return ApiError(ErrorType.PARAMETER_REQUIRED, message)
    return None


def _rename(stored: Record, changes: dict[str, object]) -> None:
    """Add the full name to changes of first or last name, if it was made of both before."""
    parts = (FIRST_NAME, LAST_NAME)
    before = [stored.get(name) for name in parts]
    after = [changes.get(name, stored.get(name)) for name in parts]
    made = stored.get(FULL_NAME) == " ".join(map(str, before))
    if before != after and made and FULL_NAME not in changes:
        changes[FULL_NAME] = " ".join(map(str, after))


def _ends_administrator(stored: Record, changes: Mapping[str, object]) -> bool:
    """Return whether a change makes a System Admin inactive, or assigns another profile."""
    administrator = SYSTEM_ADMIN.name
    if stored[PROFILE] != administrator:
        return False
    demoted = changes.get(PROFILE, administrator) != administrator
    return demoted or changes.get(STATUS, ACTIVE) != ACTIVE
