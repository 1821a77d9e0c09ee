"""Attachments of a record as the API uses them: read, added, described, restored, deleted."""

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

LOCK = "SELECT id FROM {table} WHERE id = $1 FOR NO KEY UPDATE"
NO_RECORD = "There is no record with this id"


@dataclass(frozen=True, slots=True)
class Of:
    """Whose attachments: the caller, and the record of an object."""

    caller: Caller
    object_name: str
    record_id: str


@dataclass(frozen=True, slots=True)
class Added:
    """What attaching a file came to; nothing was ``added`` where the record has the same bytes attached already."""

    id: int
    version: int
    added: bool


class AttachmentService:
    """The attachment calls of one record; all methods raise VaultFault.

    Whoever may read the record may read its attachments, whoever may edit it may change them.
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
        self, caller: Caller, object_name: str, operation: Operation
    ) -> VaultObject:
        """The object, when the caller may do this with attachments of its records, and it allows them."""
        target = self._records.target(caller, object_name, [{}], operation)
        if not target.allow_attachments:
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED,
                f"Object [{object_name}] does not allow attachments",
            )
        return target

    async def all(self, of: Of) -> list[Attachment]:
        """The attachments of a record, the oldest first."""
        await self._records.state_of(
            self.target(of.caller, of.object_name, Operation.READ), of.record_id
        )
        async with self._database.connection() as connection:
            return await table.of_record(connection, of.object_name, of.record_id)

    async def one(self, of: Of, attachment_id: int) -> Attachment:
        """One attachment of a record."""
        self.target(of.caller, of.object_name, Operation.READ)
        async with self._database.connection() as connection:
            return await _own(connection, of, attachment_id)

    def bytes_of(
        self, version: Version, start: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """The bytes of a version from ``start`` on, at most ``length`` of them."""
        return self._content.read(version.content, start, length)

    async def archive_name(self, of: Of) -> str:
        """What the file of all attachments of a record is called."""
        target = self.target(of.caller, of.object_name, Operation.READ)
        async with self._database.connection() as connection:
            title = await record_title(
                connection, self._components.registry, target, of.record_id
            )
        return f"{title} - attachments.zip"

    async def require_record(self, of: Of) -> None:
        """Refuse a file for a record that is not there or may not have it, before the file is read."""
        await self._records.state_of(
            self.target(of.caller, of.object_name, Operation.EDIT), of.record_id
        )

    async def add(
        self,
        of: Of,
        filename: str,
        content: AsyncIterable[bytes],
        description: str | None,
    ) -> Added:
        """Attach a file to a record; a file name that the record has gets a new version."""
        self.target(of.caller, of.object_name, Operation.EDIT)
        name = checked_filename(filename)
        text = checked_text("description__v", description, MAX_DESCRIPTION)
        kept = await self._content.keep(content, limit=self.max_file)

        async def work(_: Connection, writer: AttachmentWriter) -> Added:
            return await _add(writer, Addition(of.record_id, name, kept.sha256, text))

        return await self._change(of, work)

    async def restore(self, of: Of, attachment_id: int, number: int) -> Added:
        """Make the file of a version the latest version."""

        async def work(connection: Connection, writer: AttachmentWriter) -> Added:
            attachment = await _own(connection, of, attachment_id)
            version = attachment.version(number)
            sha256, text = version.content.sha256, version.description
            return await _add(
                writer,
                Addition(
                    of.record_id, attachment.filename, sha256, text, restored=True
                ),
            )

        return await self._change(of, work)

    async def describe(
        self, of: Of, attachment_id: int, description: str | None
    ) -> None:
        """Change the description of the latest version."""
        text = checked_text("description__v", description, MAX_DESCRIPTION)

        async def work(connection: Connection, writer: AttachmentWriter) -> None:
            await writer.describe([(await _own(connection, of, attachment_id), text)])

        await self._change(of, work)

    async def delete(self, of: Of, attachment_id: int) -> None:
        """Delete an attachment with all its versions."""

        async def work(connection: Connection, writer: AttachmentWriter) -> None:
            await writer.remove([await _own(connection, of, attachment_id)])

        await self._change(of, work)

    async def delete_version(self, of: Of, attachment_id: int, number: int) -> None:
        """Delete one version; the attachment goes with the last one."""

        async def work(connection: Connection, writer: AttachmentWriter) -> None:
            await writer.remove_version(
                await _own(connection, of, attachment_id), number
            )

        await self._change(of, work)

    async def _change(
        self, of: Of, work: Callable[[Connection, AttachmentWriter], Awaitable[T]]
    ) -> T:
        """Run the work in a transaction that has locked the record."""
        results: list[T] = []

        async def locked(connection: Connection) -> list[RowResult]:
            target = self.target(of.caller, of.object_name, Operation.EDIT)
            known = "\x00" not in of.record_id
            sql = LOCK.format(table=record_table(target.name))
            if not known or await connection.fetchval(sql, of.record_id) is None:
                raise VaultFault(ErrorType.INVALID_DATA, NO_RECORD)
            writer = AttachmentWriter(
                connection, self._components.registry, of.caller, target.name
            )
            results.append(await work(connection, writer))
            return []

        await self._records.carry_out(locked)
        return results[-1]


async def _own(connection: Connection, of: Of, attachment_id: int) -> Attachment:
    found = (await table.by_id(connection, of.object_name, [attachment_id])).get(
        attachment_id
    )
    if found is None or found.record_id != of.record_id:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"The record has no attachment [{attachment_id}]"
        )
    return found


async def _add(writer: AttachmentWriter, addition: Addition) -> Added:
    (step,) = await writer.add([addition])
    return Added(step.after.id, step.after.version, step.added)
