"""Creates, describes and deletes attachments of many records in one call, row by row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.protocol.whole_numbers import whole_number
from shared.vault.access.permissions import Operation
from shared.vault.attachments.attachment_writing import AttachmentWriter
from shared.vault.errors import MAX_ERRORS, RowErrors, VaultFault
from shared.vault.files import attachment_table as table
from shared.vault.files.attachment_model import (
    MAX_DESCRIPTION,
    MAX_EXTERNAL_ID,
    Addition,
    Attachment,
    checked_filename,
    checked_text,
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
MAX_ID = 2**31 - 1

FILENAME = "filename__v"
FILE = "file"
DESCRIPTION = "description__v"
EXTERNAL_ID = "external_id__v"
ATTACHMENT_ID = "attachment_id"


@dataclass(slots=True)
class BatchRow(RowErrors):
    """One row of a call with its result: the attachment and its version, or errors.

    ``warned`` is True when nothing was added, because the record already has an attachment with the same bytes.
    """

    values: Mapping[str, object]
    attachment_id: int | None = None
    version: int | None = None
    warned: bool = False

    def text(self, name: str) -> str:
        """Return the value of a column as text, empty without one."""
        value = self.values.get(name)
        if value is None:
            return ""
        return str(value)

    def refuse(self, fault: VaultFault) -> None:
        """Add the error of a fault to the row's errors."""
        self.errors.append(fault.error)

    def done(self, attachment_id: int, version: int) -> None:
        """Record the attachment that the row concerns, and its version."""
        self.attachment_id = attachment_id
        self.version = version


Work = Callable[["Connection", AttachmentWriter], Awaitable[None]]


class AttachmentBatches:
    """Serves the attachment calls of many records; errors of single rows are results, faults of the call are raised."""

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
        known = {key, FILENAME, FILE, DESCRIPTION, EXTERNAL_ID}
        read = [_checked(row, known, (FILENAME, FILE)) for row in rows]
        # Before the transaction, which would be open while large files are copied.
        stored = [await self._stored_checksum(caller, row) for row in read]

        async def work(connection: Connection, writer: AttachmentWriter) -> None:
            record_ids = await self.record_ids(
                connection, caller, object_name, key, read
            )
            additions: list[tuple[BatchRow, Addition]] = []
            for row, sha256, record_id in zip(read, stored, record_ids, strict=True):
                addition = _addition(row, sha256, record_id)
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
        read = _read_named(rows, id_param, DESCRIPTION)

        async def work(connection: Connection, writer: AttachmentWriter) -> None:
            found = await _found(connection, object_name, read, id_param)
            described = [(attachment, _description(row)) for row, attachment in found]
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
        read = _read_named(rows, id_param)

        async def work(connection: Connection, writer: AttachmentWriter) -> None:
            found = await _found(connection, object_name, read, id_param)
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


def _checked(
    values: Mapping[str, object],
    known: set[str],
    required: Sequence[str],
) -> BatchRow:
    """Return a row, with an error for each column that is unknown, missing or not valid."""
    row = BatchRow(values)
    # A row has at most so many errors.
    for name in islice(values.keys() - known, MAX_ERRORS + 1):
        row.fail(
            ErrorType.ATTRIBUTE_NOT_SUPPORTED,
            f"Rows of this call have no column [{name[:100]}]",
        )
    for name in required:
        # An empty description is valid: it removes the stored description.
        removes = name == DESCRIPTION and name in values
        if not row.text(name) and not removes:
            row.fail(
                ErrorType.PARAMETER_REQUIRED, f"Missing required parameter [{name}]"
            )
    for name, most in ((DESCRIPTION, MAX_DESCRIPTION), (EXTERNAL_ID, MAX_EXTERNAL_ID)):
        try:
            checked_text(name, values.get(name), most)
        except VaultFault as fault:
            row.refuse(fault)
    return row


def _description(row: BatchRow) -> str | None:
    """Return the description in a checked row; None when the row removes the description."""
    return checked_text(DESCRIPTION, row.values[DESCRIPTION], MAX_DESCRIPTION)


def _addition(
    row: BatchRow,
    sha256: str | None,
    record_id: str | None,
) -> Addition | None:
    """Return the addition of a row; None for a row with errors. An invalid file name becomes an error of the row."""
    try:
        filename = checked_filename(row.text(FILENAME))
    except VaultFault as fault:
        row.refuse(fault)
        return None
    if sha256 is None or record_id is None:
        return None
    description = row.text(DESCRIPTION) or None
    external_id = row.text(EXTERNAL_ID) or None
    return Addition(record_id, filename, sha256, description, external_id)


def _read_named(rows: Source, id_param: str | None, *required: str) -> list[BatchRow]:
    """Return rows that name attachments by record and attachment id or, with ``id_param``, by external id.

    :raises VaultFault: INVALID_DATA when ``id_param`` is another column.
    """
    if id_param not in (None, EXTERNAL_ID):
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"Attachments are named by [{EXTERNAL_ID}], or without idParam",
        )
    known = {"id", ATTACHMENT_ID, EXTERNAL_ID, *required}
    names = (EXTERNAL_ID,) if id_param else ("id", ATTACHMENT_ID)
    read = [_checked(row, known, (*names, *required)) for row in rows]
    for row in read:
        if row.errors or id_param:
            continue
        if _attachment_id(row.text(ATTACHMENT_ID)) is None:
            row.fail(
                ErrorType.INVALID_DATA,
                f"Invalid value for parameter [{ATTACHMENT_ID}]",
            )
    return read


def _attachment_id(text: str) -> int | None:
    """Return the attachment id in a text; None for an invalid one."""
    return whole_number(text, MAX_ID)


async def _found(
    connection: Connection,
    object_name: str,
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
        ids = [_attachment_id(row.text(ATTACHMENT_ID)) or 0 for row in good]
        keys = ids
        found = await table.by_id(connection, object_name, ids)
    pairs: list[tuple[BatchRow, Attachment]] = []
    seen: set[int] = set()
    for row, key in zip(good, keys, strict=True):
        attachment = found.get(key)
        # A row with a record's id must name an attachment of that record.
        if attachment is None or row.text("id") not in ("", attachment.record_id):
            row.fail(ErrorType.INVALID_DATA, "There is no such attachment")
        elif attachment.id in seen:
            row.fail(ErrorType.INVALID_DATA, "The attachment is repeated in this call")
        else:
            seen.add(attachment.id)
            row.done(attachment.id, attachment.latest.number)
            pairs.append((row, attachment))
    return pairs
