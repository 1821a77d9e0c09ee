"""Stores attachments of documents; an attachment belongs to all versions of its document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.protocol.whole_numbers import whole_number
from shared.vault.access.permissions import Operation
from shared.vault.attachments.attachment_batches import AttachmentBatches
from shared.vault.attachments.attachment_rows import ID, BatchRow, Naming
from shared.vault.attachments.attachment_service import AttachmentService, FileOwner
from shared.vault.attachments.attachment_writing import (
    FIELD,
    AttachmentWriter,
    Change,
)
from shared.vault.audit import audit_entries as entries
from shared.vault.documents import document_store as store
from shared.vault.documents.document_batches import require_size
from shared.vault.documents.document_keys import MAX_ID
from shared.vault.documents.document_store import Place
from shared.vault.documents.versions import NUMBERS
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.documents.document_service import DocumentService
    from shared.vault.files.content_service import ContentService
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.record_writes import Source
    from shared.vault.staging.staging_service import StagingService
    from shared.vault.storage.database import Connection, Database

# The column of rows, not the field of versions.
DOCUMENT_ID = "document_id__v"
TITLE = f"""SELECT format('Document %s (v. %s.%s)',
    document_number__v, major_version_number__v, minor_version_number__v)
FROM {store.VERSION_TABLE} WHERE id = $1"""


class DocumentAttachmentWriter(AttachmentWriter):
    """Writes attachments of documents; their changes are in the audit trail of documents."""

    async def audit(self, changes: Sequence[Change]) -> None:
        """Write an audit entry for each change, as an edit of its document."""
        lines: dict[int, list[tuple[str, object, object]]] = {}
        for document_id, before, after in changes:
            listed = lines.setdefault(int(document_id), [])
            listed.append((FIELD, before, after))
        await entries.write_document_changes(
            self._connection, self._caller, entries.EDIT, lines
        )


class DocumentAttachments(AttachmentService):
    """Serves attachments of documents: whoever may read or edit documents may read or change their attachments."""

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        records: RecordService,
        content: ContentService,
        documents: DocumentService,
    ) -> None:
        super().__init__(database, components, records, content)
        self._documents = documents

    def require(self, caller: Caller, object_name: str, operation: Operation) -> None:  # noqa: ARG002  the base names it
        """Check that the caller may carry out an operation on documents.

        :raises VaultFault: INSUFFICIENT_ACCESS when not; OPERATION_NOT_ALLOWED in a Vault without document types.
        """
        self._documents.model(caller, operation)

    async def require_record(
        self, owner: FileOwner, operation: Operation = Operation.EDIT
    ) -> None:
        """Check that the document exists, and that the caller may carry out the operation on it.

        :raises VaultFault: INSUFFICIENT_ACCESS when not; INVALID_DATA when there is no such document.
        """
        await self.require_version(owner.caller, Place(int(owner.record_id)), operation)

    async def require_version(
        self, caller: Caller, place: Place, operation: Operation = Operation.READ
    ) -> None:
        """Check that a version exists, and that the caller may carry out the operation on it.

        :raises VaultFault: INSUFFICIENT_ACCESS when not; INVALID_DATA when there is no such version.
        """
        self._documents.model(caller, operation)
        async with self._database.connection() as connection:
            await store.find(connection, place)

    async def archive_name(self, owner: FileOwner) -> str:
        """Return the file name of the archive of a document's attachments, with the number of its latest version.

        :raises VaultFault: as ``DocumentService.model`` does; INVALID_DATA when there is no such document.
        """
        self._documents.model(owner.caller, Operation.READ)
        async with self._database.connection() as connection:
            version = await store.find(connection, Place(int(owner.record_id)))
            title = await connection.fetchval(TITLE, version)
        return f"{title} - attachments.zip"

    async def lock(self, connection: Connection, owner: FileOwner) -> None:
        """Lock the document until the transaction ends.

        :raises VaultFault: as ``DocumentService.model`` does; INVALID_DATA when there is no such document.
        """
        _, versions = self._documents.model(owner.caller, Operation.EDIT)
        await store.locked(connection, versions, Place(int(owner.record_id)))

    def writer(
        self,
        connection: Connection,
        caller: Caller,
        object_name: str,
    ) -> AttachmentWriter:
        """Return the writer of attachments of documents, for use within a transaction."""
        registry = self._components.registry
        return DocumentAttachmentWriter(connection, registry, caller, object_name)


class DocumentAttachmentBatches(AttachmentBatches):
    """Carries out attachment calls on many documents: rows have other columns than those of records."""

    naming = Naming(DOCUMENT_ID, ID, owner_optional=True, also=NUMBERS)

    def __init__(
        self,
        attachments: DocumentAttachments,
        components: ComponentService,
        records: RecordService,
        content: ContentService,
        staging: StagingService,
        documents: DocumentService,
    ) -> None:
        super().__init__(attachments, components, records, content, staging)
        self._documents = documents

    def require(self, caller: Caller, object_name: str, rows: Source) -> None:  # noqa: ARG002  the base names it
        """Check that the caller may make a call with these rows.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not change documents; INVALID_DATA when there are
            too many rows.
        """
        self._documents.model(caller, Operation.EDIT)
        require_size(rows)

    def key(self, object_name: str, id_param: str | None) -> str:  # noqa: ARG002  the base names it
        """Return ``document_id__v``, the name of the column by which rows identify documents.

        :raises VaultFault: INVALID_DATA when ``id_param`` names another one.
        """
        if id_param not in (None, DOCUMENT_ID):
            message = f"Documents are named by [{DOCUMENT_ID}] here"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        return DOCUMENT_ID

    async def record_ids(
        self,
        connection: Connection,
        caller: Caller,
        object_name: str,  # noqa: ARG002  the base names it
        key_name: str,  # noqa: ARG002  the base names it
        rows: Sequence[BatchRow],
    ) -> list[str | None]:
        """Lock the documents of rows, and return their ids; a row without an existing document fails, and has None."""
        _, versions = self._documents.model(caller, Operation.EDIT)
        for row in rows:
            _require_document(row)
        ids = [whole_number(row.text(DOCUMENT_ID), MAX_ID) for row in rows]
        wanted = [each for each in ids if each]
        known = await store.latest_locked(connection, versions, wanted)
        record_ids: list[str | None] = []
        for row, document_id in zip(rows, ids, strict=True):
            if document_id not in known and not row.errors:
                row.fail(ErrorType.INVALID_DATA, "There is no document with this id")
            record_ids.append(None if row.errors else str(document_id))
        return record_ids


def _require_document(row: BatchRow) -> None:
    """Add an error to a row that names no document, or a version of one."""
    if not row.text(DOCUMENT_ID):
        message = f"Missing required parameter [{DOCUMENT_ID}]"
        row.fail(ErrorType.PARAMETER_REQUIRED, message)
    if any(row.text(name) for name in NUMBERS):
        message = "In this Vault, an attachment belongs to all versions of a document: rows name no version"
        row.fail(ErrorType.OPERATION_NOT_ALLOWED, message)
