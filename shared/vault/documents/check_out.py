"""Checks documents out and in: a document that is locked gets new versions from the lock's owner only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, may
from shared.vault.audit import audit_entries as entries
from shared.vault.documents import document_store as store
from shared.vault.documents.document_store import Place
from shared.vault.errors import VaultFault
from shared.vault.model.field_types import DOCUMENTS
from shared.vault.storage.clock import moment

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.documents.document_service import DocumentService
    from shared.vault.storage.database import Connection, Database

LOCK_OF = (
    "SELECT locked_by, locked_date FROM platform.document_lock WHERE document_id = $1"
)
LOCK = "INSERT INTO platform.document_lock (document_id, locked_by, locked_date) VALUES ($1, $2, $3)"
UNLOCK = "DELETE FROM platform.document_lock WHERE document_id = $1"

LOCKED_BY = "locked_by__v"
LOCKED = "The document is checked out by another user"


@dataclass(frozen=True, slots=True)
class DocumentLock:
    """The user, by id, who has checked a document out, and since when."""

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
    """Check that the caller may make versions of a document that is locked for writing; return the document's lock.

    :raises VaultFault: OPERATION_NOT_ALLOWED when another user has checked it out, unless the caller may delete it.
    """
    lock = await lock_of(connection, document_id)
    if lock is None or lock.user_id == caller.user_id or _administers(caller):
        return lock
    raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, LOCKED)


async def require_no_lock(connection: Connection, document_id: int) -> None:
    """Check that nobody has checked a document out.

    :raises VaultFault: OPERATION_NOT_ALLOWED.
    """
    if await lock_of(connection, document_id) is not None:
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, "The document is checked out")


async def check_in(
    connection: Connection,
    caller: Caller,
    document_id: int,
) -> None:
    """Remove the caller's own lock of a document, if there is one: its new version has been made."""
    lock = await lock_of(connection, document_id)
    if lock is not None and lock.user_id == caller.user_id:
        await _unlock(connection, caller, document_id, lock)


async def forget_lock(connection: Connection, document_id: int) -> None:
    """Remove the lock of a document that is deleted."""
    await connection.execute(UNLOCK, document_id)


def _administers(caller: Caller) -> bool:
    """Return whether the caller may do everything with documents."""
    return may(caller, DOCUMENTS, Operation.DELETE)


async def _unlock(
    connection: Connection,
    caller: Caller,
    document_id: int,
    lock: DocumentLock,
) -> None:
    await connection.execute(UNLOCK, document_id)
    lines = [(LOCKED_BY, lock.user_id, None)]
    await entries.document_changed(connection, caller, entries.EDIT, document_id, lines)


class DocumentLocks:
    """Carries out the lock calls: who may edit documents may check one out."""

    def __init__(self, database: Database, documents: DocumentService) -> None:
        self._database = database
        self._documents = documents

    async def lock(self, caller: Caller, document_id: int) -> None:
        """Check a document out.

        :raises VaultFault: INVALID_DATA when there is no such document; OPERATION_NOT_ALLOWED when it is checked out.
        """

        async def work(connection: Connection) -> None:
            _, versions = self._documents.model(caller, Operation.EDIT)
            await store.locked(connection, versions, Place(document_id))
            await require_no_lock(connection, document_id)
            now = await moment(connection)
            await connection.execute(LOCK, document_id, caller.user_id, now)
            lines = [(LOCKED_BY, None, caller.user_id)]
            await entries.document_changed(
                connection, caller, entries.EDIT, document_id, lines
            )

        await self._database.unit_of_work(work)

    async def one(self, caller: Caller, document_id: int) -> DocumentLock | None:
        """Return the lock of a document; None when it is not locked.

        :raises VaultFault: INVALID_DATA when there is no such document.
        """
        self._documents.model(caller, Operation.READ)
        async with self._database.connection() as connection:
            await store.find(connection, Place(document_id))
            return await lock_of(connection, document_id)

    async def unlock(self, caller: Caller, document_id: int) -> None:
        """Undo a check-out: for who has checked the document out, who created it, and who may delete it.

        :raises VaultFault: INVALID_DATA when there is no such document; OPERATION_NOT_ALLOWED when it is not checked
            out, or by another user.
        """

        async def work(connection: Connection) -> None:
            _, versions = self._documents.model(caller, Operation.EDIT)
            version = await store.locked(connection, versions, Place(document_id))
            lock = await lock_of(connection, document_id)
            if lock is None:
                raise VaultFault(
                    ErrorType.OPERATION_NOT_ALLOWED, "The document is not checked out"
                )
            owners = (lock.user_id, version["created_by__v"])
            if caller.user_id not in owners and not _administers(caller):
                raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, LOCKED)
            await _unlock(connection, caller, document_id, lock)

        await self._database.unit_of_work(work)
