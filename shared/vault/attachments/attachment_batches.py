"""Creates, describes and deletes attachments of many records in one call, row by row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation
from shared.vault.attachments.attachment_rows import (
    DESCRIPTION,
    EXTERNAL_ID,
    FILE,
    FILENAME,
    BatchRow,
    Naming,
    addition_of,
    attachment_id,
    checked,
    description_of,
    read_named,
)
from shared.vault.attachments.attachment_writing import AttachmentWriter
from shared.vault.errors import VaultFault
from shared.vault.files import attachment_table as table
from shared.vault.files.attachment_model import (
    Addition,
    Attachment,
)
from shared.vault.records.record_writes import key_field

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.attachments.attachment_service import AttachmentService
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.files.content_service import ContentService
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.record_writes import Source
    from shared.vault.records.rows import RowResult
    from shared.vault.staging.staging_service import StagingService
    from shared.vault.storage.database import Connection

MAX_STAGED_FILE = 100 * 2**20  # bytes of each file of a call
Work = Callable[["Connection", AttachmentWriter], Awaitable[None]]


class AttachmentBatches:
    """Serves the attachment calls of many records; errors of single rows are results, faults of the call are raised."""

    naming = Naming()

    def __init__(
        self,
        attachments: AttachmentService,
        components: ComponentService,
        records: RecordService,
        content: ContentService,
        staging: StagingService,
    ) -> None:
        self._attachments = attachments
        self._components = components
        self._records = records
        self._content = content
        self._staging = staging
        self.max_file = MAX_STAGED_FILE

    async def create(
        self,
        caller: Caller,
        object_name: str,
        rows: Source,
        id_param: str | None,
    ) -> list[BatchRow]:
        """Attach staged files to the records that rows name by ``id``, or by the unique field ``id_param``.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA for an unknown object or key, or too many rows;
            OPERATION_NOT_ALLOWED for an object without attachments.
        """
        self._staging.area(caller)
        self.require(caller, object_name, rows)
        key = self.key(object_name, id_param)
        known = {key, FILENAME, FILE, DESCRIPTION, EXTERNAL_ID, *self.naming.also}
        read = [checked(row, known, (FILENAME, FILE)) for row in rows]
        # Before the transaction, which would be open while large files are copied.
        stored = [await self._stored_checksum(caller, row) for row in read]

        async def work(connection: Connection, writer: AttachmentWriter) -> None:
            record_ids = await self.record_ids(
                connection, caller, object_name, key, read
            )
            additions: list[tuple[BatchRow, Addition]] = []
            for row, sha256, record_id in zip(read, stored, record_ids, strict=True):
                addition = addition_of(row, sha256, record_id)
                if addition is not None:
                    additions.append((row, addition))
            await _attach(writer, additions)

        return await self._change(caller, object_name, read, work)

    async def describe(
        self,
        caller: Caller,
        object_name: str,
        rows: Source,
        id_param: str | None,
    ) -> list[BatchRow]:
        """Change the descriptions of attachments' latest versions.

        :raises VaultFault: as ``create`` does.
        """
        self.require(caller, object_name, rows)
        read = read_named(rows, self.naming, id_param, DESCRIPTION)

        async def work(connection: Connection, writer: AttachmentWriter) -> None:
            found = await _found(connection, object_name, self.naming, read, id_param)
            described = [(attachment, description_of(row)) for row, attachment in found]
            await writer.describe(described)

        return await self._change(caller, object_name, read, work)

    async def delete(
        self,
        caller: Caller,
        object_name: str,
        rows: Source,
        id_param: str | None,
    ) -> list[BatchRow]:
        """Delete attachments with all their versions.

        :raises VaultFault: as ``create`` does.
        """
        self.require(caller, object_name, rows)
        read = read_named(rows, self.naming, id_param)

        async def work(connection: Connection, writer: AttachmentWriter) -> None:
            found = await _found(connection, object_name, self.naming, read, id_param)
            attachments = [attachment for _, attachment in found]
            await writer.remove(attachments)

        return await self._change(caller, object_name, read, work)

    def require(self, caller: Caller, object_name: str, rows: Source) -> None:
        """Check the object and the rows of a call that changes attachments.

        :raises VaultFault: when the caller may not change them, or there are too many rows.
        """
        self._attachments.require(caller, object_name, Operation.EDIT)
        # The number of rows is limited as in record calls.
        self._records.target(caller, object_name, rows)

    def key(self, object_name: str, id_param: str | None) -> str:
        """Return the name of the field by which rows name records.

        :raises VaultFault: INVALID_DATA when it is not unique.
        """
        target = self._components.registry.objects[object_name]
        return key_field(target, id_param).name

    async def _stored_checksum(self, caller: Caller, row: BatchRow) -> str | None:
        """Store a row's file, and return its SHA-256 in hexadecimal; None for a row with errors."""
        if row.errors:
            return None
        try:
            item = await self._staging.file(caller, row.text(FILE))
            staged = self._staging.content(item)
            stored = await self._content.keep(staged, limit=self.max_file)
        except VaultFault as fault:
            row.refuse(fault)
            return None
        return stored.sha256

    async def record_ids(
        self,
        connection: Connection,
        caller: Caller,
        object_name: str,
        key_name: str,
        rows: Sequence[BatchRow],
    ) -> list[str | None]:
        """Lock the records of rows, and return their ids; a row without an existing record fails, and has None."""
        target = self._components.registry.objects[object_name]
        key = key_field(target, key_name)
        keys = [{key.name: row.values.get(key.name)} for row in rows]
        reader = self._records.reader(target)
        read = reader.read(keys, key)
        batch = self._records.batch(connection, caller, target)
        stored = await batch.lock(read, key)
        record_ids: list[str | None] = []
        for row, record in zip(rows, read, strict=True):
            if not record.errors and record.key not in stored:
                record.fail(ErrorType.INVALID_DATA, f"No record has this [{key.name}]")
            row.errors += record.errors
            record_ids.append(None if record.errors else stored[record.key]["id"])
        return record_ids

    async def _change(
        self,
        caller: Caller,
        object_name: str,
        rows: Sequence[BatchRow],
        work: Work,
    ) -> list[BatchRow]:
        """Run the work on the rows in a transaction, and return the rows."""
        errors_before = [list(row.errors) for row in rows]

        async def attempt(connection: Connection) -> list[RowResult]:
            # The transaction is repeated after a deadlock: rows begin without the errors of the first time.
            for row, errors in zip(rows, errors_before, strict=True):
                row.errors = list(errors)
            writer = self._attachments.writer(connection, caller, object_name)
            await work(connection, writer)
            # The results are in the rows, which the caller of the transaction has already.
            return []

        await self._records.carry_out(attempt, object_name)
        return list(rows)


async def _attach(
    writer: AttachmentWriter, additions: Sequence[tuple[BatchRow, Addition]]
) -> None:
    """Attach the files of ``additions``, each with its row; an external id in use becomes an error of the row."""
    taken = await writer.taken_external_ids([addition for _, addition in additions])
    accepted: list[tuple[BatchRow, Addition]] = []
    for at, (row, addition) in enumerate(additions):
        if at in taken:
            message = f"Another attachment has this [{EXTERNAL_ID}]"
            row.fail(ErrorType.INVALID_DATA, message)
        if not row.errors:
            accepted.append((row, addition))
    steps = await writer.add([addition for _, addition in accepted])
    for (row, _), step in zip(accepted, steps, strict=True):
        row.done(step.after.id, step.after.version)
        row.warned = not step.added


async def _found(
    connection: Connection,
    object_name: str,
    naming: Naming,
    rows: Sequence[BatchRow],
    id_param: str | None,
) -> list[tuple[BatchRow, Attachment]]:
    """Return the attachments of rows without errors, each with its row; a row without an existing attachment fails."""
    good = [row for row in rows if not row.errors]
    keys: Sequence[object]
    found: dict[object, Attachment]
    if id_param:
        external_ids = [row.text(EXTERNAL_ID) for row in good]
        keys = external_ids
        found = await table.by_external_id(connection, object_name, external_ids)
    else:
        ids = [attachment_id(row.text(naming.attachment)) or 0 for row in good]
        keys = ids
        found = await table.by_id(connection, object_name, ids)
    pairs: list[tuple[BatchRow, Attachment]] = []
    seen: set[int] = set()
    for row, key in zip(good, keys, strict=True):
        attachment = found.get(key)
        # A row with a record's id must name an attachment of that record.
        owners = ("", attachment.record_id) if attachment else ()
        if attachment is None or row.text(naming.owner) not in owners:
            row.fail(ErrorType.INVALID_DATA, "There is no such attachment")
        elif attachment.id in seen:
            row.fail(ErrorType.INVALID_DATA, "The attachment is repeated in this call")
        else:
            seen.add(attachment.id)
            row.done(attachment.id, attachment.latest.number)
            pairs.append((row, attachment))
    return pairs
