"""Users as records: they stay for what they did; one who has left is made inactive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.vault.errors import ApiError, ErrorType

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.security.caller import Caller

OBJECT = "user__sys"


class UserTrigger:
    """Users are never deleted."""

    columns = ()

    def before_update(self, caller: Caller, stored: Record, changes: dict[str, object]) -> ApiError | None:
        """Allow the update."""
        del caller, stored, changes
        return None

    def before_delete(self, caller: Caller, stored: Record) -> ApiError | None:
        """Refuse the deletion."""
        del caller, stored
        return ApiError(ErrorType.OPERATION_NOT_ALLOWED, "Users cannot be deleted; set the user inactive")
