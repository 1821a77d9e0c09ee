"""Checks documents out and undoes check-outs, for the lock calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation
from shared.vault.audit import audit_entries as entries
from shared.vault.documents import document_store as store
from shared.vault.documents.document_locks import (
    LOCK,
    LOCKED,
    LOCKED_BY,
    DocumentLock,
    administers,
    lock_of,
    require_no_lock,
    unlock,
)
from shared.vault.documents.document_store import Place
from shared.vault.errors import VaultFault
from shared.vault.storage.clock import moment

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.documents.document_service import DocumentService
    from shared.vault.storage.database import Connection, Database


class DocumentLocks:
    """Carries out the lock calls: callers who may edit documents may check them out."""

    def __init__(self, database: Database, documents: DocumentService) -> None:
        self._database = database
        self._documents = documents

    async def lock(self, caller: Caller, document_id: int) -> None:
        """Check a document out.

        :raises VaultFault: as ``DocumentService.model`` does; INVALID_DATA when there is no such document;
            OPERATION_NOT_ALLOWED when it is checked out.
        """

        async def work(connection: Connection) -> None:
            _, versions = self._documents.model(caller, Operation.EDIT)
            await store.locked(connection, versions, Place(document_id))
            await require_no_lock(connection, document_id)
            now = await moment(connection)
            await connection.execute(LOCK, document_id, caller.user_id, now)
            lines = [(LOCKED_BY, None, caller.user_id)]
            await entries.write_document_change(
                connection, caller, entries.EDIT, document_id, lines
            )

        await self._database.unit_of_work(work)

    async def one(self, caller: Caller, document_id: int) -> DocumentLock | None:
        """Return the lock of a document; None when it is not locked.

        :raises VaultFault: as ``DocumentService.model`` does; INVALID_DATA when there is no such document.
        """
        self._documents.model(caller, Operation.READ)
        async with self._database.connection() as connection:
            await store.find(connection, Place(document_id))
            return await lock_of(connection, document_id)

    async def unlock(self, caller: Caller, document_id: int) -> None:
        """Undo a check-out, for the user who made it, the user who created the document, and users who may delete it.

        :raises VaultFault: as ``DocumentService.model`` does; INVALID_DATA when there is no such document;
            OPERATION_NOT_ALLOWED when it is not checked out, or by another user.
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
            if caller.user_id not in owners and not administers(caller):
                raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, LOCKED)
            await unlock(connection, caller, document_id, lock)

        await self._database.unit_of_work(work)
