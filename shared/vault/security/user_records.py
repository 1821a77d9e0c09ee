"""Users as records of ``user__sys``: the sign-in of each follows its record, and none is ever deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.vault.errors import ApiError, ErrorType
from shared.vault.security.caller import SYSTEM

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.security.caller import Caller
    from shared.vault.storage.database import Database

OBJECT = "user__sys"
LOCK = 7_214_003  # advisory lock: the trigger is made by one process

MISSING = """
SELECT NOT EXISTS (SELECT FROM pg_trigger
    WHERE tgname = 'keep_credential' AND tgrelid = 'records.user__sys'::regclass)
"""
FOLLOW = """
CREATE TRIGGER keep_credential AFTER INSERT OR UPDATE OR DELETE ON records.user__sys
FOR EACH ROW EXECUTE FUNCTION platform.keep_credential()
"""
# Records that were stored before the trigger was there pass it now.
CATCH_UP = "UPDATE records.user__sys SET id = id"


async def follow_user_records(database: Database) -> None:
    """Let the database keep every user's sign-in as their record says, whichever way that is written."""
    async with database.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        if await connection.fetchval(MISSING):
            await connection.execute(FOLLOW)
            await connection.execute(CATCH_UP)


class UserTrigger:
    """Users are made inactive, never deleted; the Vault's own user stays as it is."""

    columns = ("status__v",)

    def before_update(self, caller: Caller, stored: Record, changes: dict[str, object]) -> ApiError | None:
        """Refuse to change the Vault's own user, and to let callers lock themselves out."""
        if stored["id"] == str(SYSTEM.user_id):
            return ApiError(ErrorType.OPERATION_NOT_ALLOWED, "The user belongs to the Vault and cannot be changed")
        if stored["id"] == str(caller.user_id) and changes.get("status__v", "active__v") != "active__v":
            return ApiError(ErrorType.OPERATION_NOT_ALLOWED, "Users cannot make themselves inactive")
        return None

    def before_delete(self, caller: Caller, stored: Record) -> ApiError | None:
        """Refuse every deletion."""
        del caller, stored
        return ApiError(ErrorType.OPERATION_NOT_ALLOWED, "Users cannot be deleted, only made inactive")
