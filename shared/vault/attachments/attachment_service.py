"""Carries out the attachment calls of one record or document: reads, adds, describes, restores and deletes them."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation
from shared.vault.attachments.attachment_archive import record_title
from shared.vault.attachments.attachment_writing import AttachmentWriter
from shared.vault.components.schema import table as record_table
from shared.vault.errors import VaultFault
from shared.vault.files import attachment_table as table
from shared.vault.files.attachment_model import (
    MAX_DESCRIPTION,
    Addition,
    Attachment,
    Version,
    checked_filename,
    checked_text,
)

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.files.content_service import ContentService
    from shared.vault.model.component_model import VaultObject
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.rows import RowResult
    from shared.vault.storage.database import Connection, Database

T = TypeVar("T")

MAX_FILE = 4 * 2**30  # bytes
DESCRIPTION = "description__v"

# The record whose attachments change: writers of its attachments come one after the other.
LOCK = "SELECT id FROM {table} WHERE id = $1 FOR NO KEY UPDATE"


@dataclass(frozen=True, slots=True)
class FileOwner:
    """The record or document of a call about attachments or field files, and the caller."""

    caller: Caller
    object_name: str
    record_id: str


@dataclass(frozen=True, slots=True)
class Added:
    """The attachment id and version of an attached file.

    ``added`` is False when the record already had an attachment with the same bytes: nothing was stored.
    """

    id: int
    version: int
    added: bool


class AttachmentService:
    """Serves the attachments of records; all methods raise VaultFault.

    A caller who may read the record may read its attachments; a caller who may edit it may change them.
    """

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        records: RecordService,
        content: ContentService,
    ) -> None:
        self._database = database
        self._components = components
        self._records = records
        self._content = content
        self.max_file = MAX_FILE

    def target(
        self,
        caller: Caller,
        object_name: str,
        operation: Operation,
    ) -> VaultObject:
        """Check an operation of the caller on attachments of an object's records, and return the object.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA for an unknown object; OPERATION_NOT_ALLOWED for one
            without attachments.
        """
        target = self._records.target(caller, object_name, [{}], operation)
        if not target.allow_attachments:
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED,
                f"Object [{object_name}] does not allow attachments",
            )
        return target

    async def all(self, owner: FileOwner) -> list[Attachment]:
        """Return the attachments of a record, the oldest first.

        :raises VaultFault: INVALID_DATA when there is no such record.
        """
        await self.require_record(owner, Operation.READ)
        async with self._database.connection() as connection:
            return await table.of_record(connection, owner.object_name, owner.record_id)

    async def one(self, owner: FileOwner, attachment_id: int) -> Attachment:
        """Return one attachment of a record.

        :raises VaultFault: INVALID_DATA when the record has no such attachment.
        """
        self.require(owner.caller, owner.object_name, Operation.READ)
        async with self._database.connection() as connection:
            return await _attachment_of(connection, owner, attachment_id)

    def bytes_of(
        self,
        version: Version,
        start: int = 0,
        length: int | None = None,
    ) -> AsyncIterator[bytes]:
        """Yield the bytes of a version from ``start`` on, at most ``length`` of them, in chunks."""
        return self._content.read(version.content, start, length)

    async def archive_name(self, owner: FileOwner) -> str:
        """Return the file name of the archive of a record's attachments.

        :raises VaultFault: INVALID_DATA when there is no such record.
        """
        target = self.target(owner.caller, owner.object_name, Operation.READ)
        registry = self._components.registry
        async with self._database.connection() as connection:
            title = await record_title(connection, registry, target, owner.record_id)
        return f"{title} - attachments.zip"

    def require(self, caller: Caller, object_name: str, operation: Operation) -> None:
        """Check an operation of the caller on attachments.

        :raises VaultFault: as ``target`` does.
        """
        self.target(caller, object_name, operation)

    async def require_record(
        self, owner: FileOwner, operation: Operation = Operation.EDIT
    ) -> None:
        """Check, before a file is read, that the record exists and the caller may do the operation on its attachments.

        :raises VaultFault: as ``target`` does; INVALID_DATA when there is no such record.
        """
        target = self.target(owner.caller, owner.object_name, operation)
        await self._records.state_of(target, owner.record_id)

    async def add(
        self,
        owner: FileOwner,
        filename: str,
        content: AsyncIterable[bytes],
        description: str | None,
    ) -> Added:
        """Attach a file to a record: as a new version of the attachment with the same name, else as a new attachment.

        :raises VaultFault: INVALID_DATA for a name or description that is not valid, or an unknown record;
            EXCEEDS_FILE_MAX_SIZE.
        """
        self.require(owner.caller, owner.object_name, Operation.EDIT)
        name = checked_filename(filename)
        text = checked_text(DESCRIPTION, description, MAX_DESCRIPTION)
        # Before the transaction, which would be open while a large file is sent.
        kept = await self._content.keep(content, limit=self.max_file)
        addition = Addition(owner.record_id, name, kept.sha256, text)

        async def work(_: Connection, writer: AttachmentWriter) -> Added:
            return await _add(writer, addition)

        return await self._change(owner, work)

    async def restore(
        self,
        owner: FileOwner,
        attachment_id: int,
        number: int,
    ) -> Added:
        """Make the file of a version the latest version.

        :raises VaultFault: INVALID_DATA when the record has no such version.
        """

        async def work(connection: Connection, writer: AttachmentWriter) -> Added:
            attachment = await _attachment_of(connection, owner, attachment_id)
            version = attachment.version(number)
            addition = Addition(
                owner.record_id,
                attachment.filename,
                version.content.sha256,
                version.description,
                restored=True,
            )
            return await _add(writer, addition)

        return await self._change(owner, work)

    async def describe(
        self,
        owner: FileOwner,
        attachment_id: int,
        description: str | None,
    ) -> None:
        """Change the description of the latest version.

        :raises VaultFault: INVALID_DATA when the record has no such attachment, or the description is not valid.
        """
        text = checked_text(DESCRIPTION, description, MAX_DESCRIPTION)

        async def work(connection: Connection, writer: AttachmentWriter) -> None:
            attachment = await _attachment_of(connection, owner, attachment_id)
            await writer.describe([(attachment, text)])

        await self._change(owner, work)

    async def delete(self, owner: FileOwner, attachment_id: int) -> None:
        """Delete an attachment with all its versions.

        :raises VaultFault: INVALID_DATA when the record has no such attachment.
        """

        async def work(connection: Connection, writer: AttachmentWriter) -> None:
            attachment = await _attachment_of(connection, owner, attachment_id)
            await writer.remove([attachment])

        await self._change(owner, work)

    async def delete_version(
        self,
        owner: FileOwner,
        attachment_id: int,
        number: int,
    ) -> None:
        """Delete one version; delete the attachment when it was the only one.

        :raises VaultFault: INVALID_DATA when the record has no such version.
        """

        async def work(connection: Connection, writer: AttachmentWriter) -> None:
            attachment = await _attachment_of(connection, owner, attachment_id)
            await writer.remove_version(attachment, number)

        await self._change(owner, work)

    async def _change(
        self,
        owner: FileOwner,
        work: Callable[[Connection, AttachmentWriter], Awaitable[T]],
    ) -> T:
        """Run ``work`` in a transaction that has locked the record, and return its result.

        :raises VaultFault: as ``target`` and the work do; INVALID_DATA when there is no such record.
        """
        results: list[T] = []

        async def locked(connection: Connection) -> list[RowResult]:
            await self.lock(connection, owner)
            writer = self.writer(connection, owner.caller, owner.object_name)
            result = await work(connection, writer)
            results.append(result)
            # No row of a record is written here, so that none has a result.
            return []

        await self._records.carry_out(locked, owner.object_name)
        # A transaction that was repeated has left a result for each time.
        return results[-1]

    async def lock(self, connection: Connection, owner: FileOwner) -> None:
        """Lock the record until the transaction ends, after checking that the caller may change its attachments.

        :raises VaultFault: as ``target`` does; INVALID_DATA when there is no such record.
        """
        target = self.target(owner.caller, owner.object_name, Operation.EDIT)
        sql = LOCK.format(table=record_table(target.name))
        possible = "\x00" not in owner.record_id
        if not possible or await connection.fetchval(sql, owner.record_id) is None:
            raise VaultFault(ErrorType.INVALID_DATA, "There is no record with this id")

    def writer(
        self,
        connection: Connection,
        caller: Caller,
        object_name: str,
    ) -> AttachmentWriter:
        """Return the writer of attachments of the object's records, for use within a transaction."""
        registry = self._components.registry
        return AttachmentWriter(connection, registry, caller, object_name)


async def _attachment_of(
    connection: Connection,
    owner: FileOwner,
    attachment_id: int,
) -> Attachment:
    """Return an attachment after checking that it belongs to the record.

    :raises VaultFault: INVALID_DATA when there is no such attachment, or it belongs to another record.
    """
    attachments = await table.by_id(connection, owner.object_name, [attachment_id])
    found = attachments.get(attachment_id)
    if found is None or found.record_id != owner.record_id:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"The record has no attachment [{attachment_id}]"
        )
    return found


async def _add(writer: AttachmentWriter, addition: Addition) -> Added:
    """Attach one file, and return the version with it."""
    (step,) = await writer.add([addition])
    return Added(step.after.id, step.after.version, step.added)
