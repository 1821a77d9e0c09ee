"""Attachments of many records in one call: created from the staging area, described, deleted; row by row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation
from shared.vault.attachments.attachment_writing import AttachmentWriter
from shared.vault.errors import ApiError, VaultFault
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
    from shared.vault.model.component_model import Field, VaultObject
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.record_writes import Source
    from shared.vault.records.rows import RowResult
    from shared.vault.staging.staging_service import StagingService
    from shared.vault.storage.database import Connection

MAX_STAGED_FILE = 100 * 2**20  # bytes of each file of a call
MAX_ID = 2**31 - 1

FILENAME, FILE, DESCRIPTION, EXTERNAL_ID = (
    "filename__v",
    "file",
    "description__v",
    "external_id__v",
)
ATTACHMENT_ID = "attachment_id"


@dataclass(slots=True)
class BatchRow:
    """One row of a call, and what it came to: the attachment and its version, or errors."""

    given: Mapping[str, object]
    errors: list[ApiError] = field(default_factory=list)
    attachment_id: int | None = None
    version: int | None = None
    warned: bool = (
        False  # nothing was added: the record has the same bytes attached already
    )

    def text(self, name: str) -> str:
        """The value of a column as text, empty without one."""
        value = self.given.get(name)
        return "" if value is None else str(value)

    def fail(self, fault: VaultFault) -> None:
        """Note why the row cannot be carried out."""
        self.errors.append(fault.error)

    def done(self, attachment_id: int, version: int) -> None:
        """Note what came of the row."""
        self.attachment_id, self.version = attachment_id, version


class AttachmentBatches:
    """The attachment calls of many records; errors of single rows are results, faults of the call are raised."""

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
        self, caller: Caller, object_name: str, rows: Source, id_param: str | None
    ) -> list[BatchRow]:
        """Attach files of the staging area to the records that the rows name by ``id`` or by a unique field."""
        self._staging.area(caller)
        target = self._target(caller, object_name, rows)
        key = key_field(target, id_param)
        read = [
            _checked(
                row,
                {key.name, FILENAME, FILE, DESCRIPTION, EXTERNAL_ID},
                (FILENAME, FILE),
            )
            for row in rows
        ]
        kept = [await self._kept(caller, row) for row in read]

        async def work(connection: Connection, writer: AttachmentWriter) -> None:
            named = await self._named(connection, caller, target, key, read)
            additions = [
                (row, addition)
                for row, sha256, record_id in zip(read, kept, named, strict=True)
                if (addition := _addition(row, sha256, record_id)) is not None
            ]
            taken = await writer.taken_external_ids(
                [addition for _, addition in additions]
            )
            for at, (row, _) in enumerate(additions):
                if at in taken:
                    row.fail(
                        VaultFault(
                            ErrorType.INVALID_DATA,
                            f"Another attachment has this [{EXTERNAL_ID}]",
                        )
                    )
            going = [(row, addition) for row, addition in additions if not row.errors]
            steps = await writer.add([addition for _, addition in going])
            for (row, _), step in zip(going, steps, strict=True):
                row.done(step.after.id, step.after.version)
                row.warned = not step.added

        return await self._change(caller, object_name, read, work)

    async def describe(
        self, caller: Caller, object_name: str, rows: Source, id_param: str | None
    ) -> list[BatchRow]:
        """Change the descriptions of attachments' latest versions."""
        self._target(caller, object_name, rows)
        read = _read_named(rows, id_param, DESCRIPTION)

        async def work(connection: Connection, writer: AttachmentWriter) -> None:
            found = await _found(connection, object_name, read, id_param)
            await writer.describe(
                [
                    (
                        attachment,
                        checked_text(
                            DESCRIPTION, row.given[DESCRIPTION], MAX_DESCRIPTION
                        ),
                    )
                    for row, attachment in found
                ]
            )

        return await self._change(caller, object_name, read, work)

    async def delete(
        self, caller: Caller, object_name: str, rows: Source, id_param: str | None
    ) -> list[BatchRow]:
        """Delete attachments with all their versions."""
        self._target(caller, object_name, rows)
        read = _read_named(rows, id_param)

        async def work(connection: Connection, writer: AttachmentWriter) -> None:
            found = await _found(connection, object_name, read, id_param)
            await writer.remove([attachment for _, attachment in found])

        return await self._change(caller, object_name, read, work)

    def _target(self, caller: Caller, object_name: str, rows: Source) -> VaultObject:
        target = self._attachments.target(caller, object_name, Operation.EDIT)
        self._records.target(caller, object_name, rows)
        return target

    async def _kept(self, caller: Caller, row: BatchRow) -> str | None:
        """The checksum under which a row's file is kept by now, None for a row with errors."""
        if row.errors:
            return None
        try:
            file = await self._staging.file(caller, row.text(FILE))
            kept = await self._content.keep(
                self._staging.content(file), limit=self.max_file
            )
        except VaultFault as fault:
            row.fail(fault)
            return None
        return kept.sha256

    async def _named(
        self,
        connection: Connection,
        caller: Caller,
        target: VaultObject,
        key: Field,
        rows: Sequence[BatchRow],
    ) -> list[str | None]:
        """Lock the records that the rows name; their ids, None for a row that names none, which gets an error."""
        keys = [{key.name: row.given.get(key.name)} for row in rows]
        read = self._records.reader(target).read(keys, key)
        stored = await self._records.batch(connection, caller, target).lock(read, key)
        named: list[str | None] = []
        for row, record in zip(rows, read, strict=True):
            if not record.errors and record.key not in stored:
                record.fail(ErrorType.INVALID_DATA, f"No record has this [{key.name}]")
            row.errors += record.errors
            named.append(None if record.errors else stored[record.key]["id"])
        return named

    async def _change(
        self,
        caller: Caller,
        object_name: str,
        rows: Sequence[BatchRow],
        work: Callable[[Connection, AttachmentWriter], Awaitable[None]],
    ) -> list[BatchRow]:
        """Run the work in a transaction; when it is run again, rows begin as they were."""
        errors = [list(row.errors) for row in rows]

        async def begun(connection: Connection) -> list[RowResult]:
            for row, before in zip(rows, errors, strict=True):
                row.errors = list(before)
            await work(
                connection,
                AttachmentWriter(
                    connection, self._components.registry, caller, object_name
                ),
            )
            return []

        await self._records.carry_out(begun)
        return list(rows)


def _checked(
    given: Mapping[str, object], known: set[str], required: Sequence[str]
) -> BatchRow:
    """A row whose columns are known and there; with its errors."""
    row = BatchRow(given)
    for name in given.keys() - known:
        row.fail(
            VaultFault(
                ErrorType.ATTRIBUTE_NOT_SUPPORTED,
                f"A row here has no column [{name[:100]}]",
            )
        )
    for name in required:
        if not row.text(name) and (name != DESCRIPTION or name not in given):
            row.fail(
                VaultFault(
                    ErrorType.PARAMETER_REQUIRED, f"Missing required parameter [{name}]"
                )
            )
    for name, most in ((DESCRIPTION, MAX_DESCRIPTION), (EXTERNAL_ID, MAX_EXTERNAL_ID)):
        try:
            checked_text(name, given.get(name), most)
        except VaultFault as fault:
            row.fail(fault)
    return row


def _addition(
    row: BatchRow, sha256: str | None, record_id: str | None
) -> Addition | None:
    """What a row adds, None for one with errors."""
    try:
        filename = checked_filename(row.text(FILENAME))
    except VaultFault as fault:
        row.fail(fault)
        return None
    if sha256 is None or record_id is None:
        return None
    return Addition(
        record_id,
        filename,
        sha256,
        row.text(DESCRIPTION) or None,
        row.text(EXTERNAL_ID) or None,
    )


def _read_named(rows: Source, id_param: str | None, *required: str) -> list[BatchRow]:
    """Rows that name attachments, by record and id or by external id."""
    if id_param not in (None, EXTERNAL_ID):
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"Attachments are named by [{EXTERNAL_ID}], or without idParam",
        )
    known = {"id", ATTACHMENT_ID, EXTERNAL_ID, *required}
    names = (EXTERNAL_ID,) if id_param else ("id", ATTACHMENT_ID)
    read = [_checked(row, known, (*names, *required)) for row in rows]
    for row in read:
        text = row.text(ATTACHMENT_ID)
        if (
            not row.errors
            and not id_param
            and not (text.isascii() and text.isdigit() and int(text[:20]) <= MAX_ID)
        ):
            row.fail(
                VaultFault(
                    ErrorType.INVALID_DATA,
                    f"Invalid value for parameter [{ATTACHMENT_ID}]",
                )
            )
    return read


async def _found(
    connection: Connection,
    object_name: str,
    rows: Sequence[BatchRow],
    id_param: str | None,
) -> list[tuple[BatchRow, Attachment]]:
    """The attachments that rows without errors name, each with its row; a row that names none gets an error."""
    good = [row for row in rows if not row.errors]
    found: dict[object, Attachment]
    if id_param:
        found = await table.by_external_id(
            connection, object_name, [row.text(EXTERNAL_ID) for row in good]
        )
    else:
        found = await table.by_id(
            connection, object_name, [int(row.text(ATTACHMENT_ID)) for row in good]
        )
    pairs: list[tuple[BatchRow, Attachment]] = []
    seen: set[int] = set()
    for row in good:
        attachment = found.get(
            row.text(EXTERNAL_ID) if id_param else int(row.text(ATTACHMENT_ID))
        )
        if attachment is None or row.text("id") not in ("", attachment.record_id):
            row.fail(VaultFault(ErrorType.INVALID_DATA, "There is no such attachment"))
        elif attachment.id in seen:
            row.fail(
                VaultFault(
                    ErrorType.INVALID_DATA, "The attachment is repeated in this call"
                )
            )
        else:
            seen.add(attachment.id)
            row.done(attachment.id, attachment.latest.number)
            pairs.append((row, attachment))
    return pairs
