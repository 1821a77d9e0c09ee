"""Protects records that the Vault itself writes from changes by users who may not delete them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, connects, may
from shared.vault.errors import ApiError

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.records.rows import NewRow
    from shared.vault.storage.database import Connection


@dataclass(frozen=True, slots=True)
class GuardedRecords:
    """A trigger that refuses writes to an object's records, except by the Vault itself and its administrators.

    With ``connected``, the users of connections may write them as well.
    """

    object_name: str
    connected: bool = False
    columns: tuple[str, ...] = ()

    async def before_create(
        self,
        connection: Connection,
        caller: Caller,
        rows: Sequence[NewRow],
    ) -> None:
        """Fail the rows of a caller who may not write records of the object."""
        del connection
        refusal = self._refusal(caller)
        if refusal is not None:
            for row in rows:
                row.errors.append(refusal)

    def before_update(
        self,
        caller: Caller,
        stored: Record,
        changes: dict[str, object],
    ) -> ApiError | None:
        """Return the error that refuses the update; None when the caller may write the records."""
        del stored, changes
        return self._refusal(caller)

    def before_delete(self, caller: Caller, stored: Record) -> ApiError | None:
        """Return the error that refuses the deletion; None when the caller may write the records."""
        del stored
        return self._refusal(caller)

    def _refusal(self, caller: Caller) -> ApiError | None:
        # Who may delete such records answers for them; the Vault acts with all rights.
        if may(caller, self.object_name, Operation.DELETE):
            return None
        if self.connected and connects(caller):
            return None
        message = (
            f"Records of [{self.object_name}] are written only by the Vault itself"
        )
        return ApiError(ErrorType.OPERATION_NOT_ALLOWED, message)
