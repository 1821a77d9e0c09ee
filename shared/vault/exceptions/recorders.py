"""Keeps what a user exception says of a failure to those who record failures.

Retry Transfer sends the stored message again, in the name of a connection's user: whoever could write it could transfer
records that nobody has submitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, granted
from shared.vault.errors import ApiError
from shared.vault.exceptions.exception_model import (
    ERROR_STATUS,
    ITEMS_FAILED,
    SETTLED,
)
from shared.vault.records.row_rules import PLATFORM

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.records.rows import NewRow
    from shared.vault.storage.database import Connection

_RECORDING = (Grant.REPORT_DELIVERIES, Grant.COPY_RECORDS)
_WHO = (
    f"whoever records failures, with the grant [{_RECORDING[0]}] or [{_RECORDING[1]}]"
)


def records_failures(caller: Caller) -> bool:
    """Return whether the caller may record failures: the Vault itself, a connector or an administrator."""
    return any(granted(caller, grant) for grant in _RECORDING)


def fail_new(caller: Caller, rows: Sequence[NewRow]) -> None:
    """Fail every new row unless the caller records failures."""
    if records_failures(caller):
        return
    for row in rows:
        message = f"User exceptions are created only by {_WHO}"
        row.fail(ErrorType.INSUFFICIENT_ACCESS, message)


def refusal(
    caller: Caller,
    stored: Mapping[str, object] | Record,
    changes: Mapping[str, object],
) -> ApiError | None:
    """Return the error of a change of a field that only those write who record failures, else None.

    The error status, and fields that the Vault's configuration has added, are for everybody who may edit the record.
    """
    if records_failures(caller):
        return None
    for name, value in changes.items():
        if _is_recorded(name) and stored[name] != value:
            message = f"Field [{name}] is written only by {_WHO}"
            return ApiError(ErrorType.INSUFFICIENT_ACCESS, message)
    return None


def _is_recorded(name: str) -> bool:
    return name.endswith(PLATFORM) and name != ERROR_STATUS


class MessageTrigger:
    """Lets only those who record failures write what a message says; a settled message counts no failed items."""

    columns = (ITEMS_FAILED,)

    async def before_create(
        self,
        connection: Connection,
        caller: Caller,
        rows: Sequence[NewRow],
    ) -> None:
        """Fail new messages of callers who do not record failures."""
        del connection
        fail_new(caller, rows)

    def before_update(
        self, caller: Caller, stored: Record, changes: dict[str, object]
    ) -> ApiError | None:
        """Refuse changes of what was recorded; set the count of a message that becomes ignored or resolved to 0."""
        error = refusal(caller, stored, changes)
        settles = changes.get(ERROR_STATUS) in SETTLED
        if error is None and settles and stored[ITEMS_FAILED] != 0:
            changes[ITEMS_FAILED] = 0
        return error

    def before_delete(self, caller: Caller, stored: Record) -> ApiError | None:
        """Allow the deletion."""
        del caller, stored
        return None
