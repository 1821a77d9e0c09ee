"""Stores the locks of checked-out documents; only the owner of a lock may create versions of the document."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, may
from shared.vault.audit import audit_entries as entries
from shared.vault.errors import VaultFault
from shared.vault.model.field_types import DOCUMENTS

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.storage.database import Connection

LOCK_OF = (
    "SELECT locked_by, locked_date FROM platform.document_lock WHERE document_id = $1"
)
LOCK = "INSERT INTO platform.document_lock (document_id, locked_by, locked_date) VALUES ($1, $2, $3)"
UNLOCK = "DELETE FROM platform.document_lock WHERE document_id = $1"

LOCKED_BY = "locked_by__v"
LOCKED = "The document is checked out by another user"


@dataclass(frozen=True, slots=True)
class DocumentLock:
    """The id of the user who has checked a document out, and the time of the check-out."""

    user_id: int
    date: datetime


async def lock_of(connection: Connection, document_id: int) -> DocumentLock | None:
    """Return the lock of a document; None for a document that is not locked, or does not exist."""
    row = await connection.fetchrow(LOCK_OF, document_id)
    if row is None:
        return None
    return DocumentLock(row["locked_by"], row["locked_date"])


async def require_unlocked(
    connection: Connection,
    caller: Caller,
    document_id: int,
) -> DocumentLock | None:
    """Check that the caller may create versions of a document whose row is locked; return its check-out, or None.

    :raises VaultFault: OPERATION_NOT_ALLOWED when another user has checked it out, unless the caller may delete
        documents.
    """
    lock = await lock_of(connection, document_id)
    if lock is None or lock.user_id == caller.user_id or administers(caller):
        return lock
    raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, LOCKED)


async def require_no_lock(connection: Connection, document_id: int) -> None:
    """Check that nobody has checked a document out.

    :raises VaultFault: OPERATION_NOT_ALLOWED when someone has.
    """
    if await lock_of(connection, document_id) is not None:
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, "The document is checked out")


async def check_in(
    connection: Connection,
    caller: Caller,
    document_id: int,
) -> None:
    """Remove the caller's own lock of a document, if there is one, when a new version has been created."""
    lock = await lock_of(connection, document_id)
    if lock is not None and lock.user_id == caller.user_id:
        await unlock(connection, caller, document_id, lock)


async def delete_lock(connection: Connection, document_id: int) -> None:
    """Remove the lock of a deleted document."""
    await connection.execute(UNLOCK, document_id)


def administers(caller: Caller) -> bool:
    """Return whether the caller may do everything with documents."""
    return may(caller, DOCUMENTS, Operation.DELETE)


async def unlock(
    connection: Connection,
    caller: Caller,
    document_id: int,
    lock: DocumentLock,
) -> None:
    """Remove a lock, and write an audit entry."""
    await connection.execute(UNLOCK, document_id)
    lines = [(LOCKED_BY, lock.user_id, None)]
    await entries.write_document_change(
        connection, caller, entries.EDIT, document_id, lines
    )
