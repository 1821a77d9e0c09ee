"""Files of attachment fields: one a record and field, kept under a handle that the field holds."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation
from shared.vault.attachments.attachment_archive import record_title
from shared.vault.components.schema import quote, table
from shared.vault.errors import VaultFault
from shared.vault.files.attachment_model import (
    FieldFile,
    Handle,
    Unkept,
    checked_filename,
    media_type,
)
from shared.vault.files.content_service import Content, unused_sql
from shared.vault.model.component_model import Field, FieldType, VaultObject

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.attachments.attachment_service import Of
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.files.content_service import ContentService
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.record_writes import Source
    from shared.vault.records.rows import RowResult
    from shared.vault.staging.staging_service import StagingService
    from shared.vault.storage.database import Database

MAX_FILE = 100 * 2**20  # bytes
HANDLE = re.compile(r"[A-Z]{3}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

KEEP = """
INSERT INTO platform.field_file (filename, format, sha256) VALUES ($1, $2, $3)
ON CONFLICT (filename, sha256) DO UPDATE SET last_stored = now() RETURNING handle
"""
# In their order, so that two calls never wait for each other. Noted as stored again, they are safe from the sweep.
TOUCH = """
UPDATE platform.field_file SET last_stored = now() WHERE handle IN
    (SELECT handle FROM platform.field_file WHERE handle = ANY($1::text[]) ORDER BY handle FOR UPDATE)
RETURNING handle
"""
FILES = """
SELECT f.handle, f.filename, f.format, f.last_stored, c.sha256, c.size, c.md5, c.stored_as
FROM platform.field_file f JOIN platform.content c USING (sha256) WHERE f.handle = ANY($1::text[])
"""


class AttachmentFields:
    """The attachment fields of records; all methods raise VaultFault.

    Whoever may read a record may read its files, whoever may edit it may change them.
    """

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        records: RecordService,
        content: ContentService,
        staging: StagingService,
    ) -> None:
        self._database = database
        self._components = components
        self._records = records
        self._content = content
        self._staging = staging
        self.max_file = MAX_FILE

    async def with_files(
        self, caller: Caller, object_name: str, rows: Source
    ) -> Source:
        """The rows of a record call, with handles for the files that they name.

        A file is named by its path on the staging area, or by the handle that a field of a record holds. One that
        cannot be had becomes an error of its row, when that is read.
        """
        target = self._components.registry.objects.get(object_name)
        names = [] if target is None else [field.name for field in _fields(target)]
        given = {
            str(row[name])
            for row in rows
            for name in names
            if row.get(name) not in (None, "")
        }
        if not given:
            return rows
        self._records.target(caller, object_name, rows)
        known = await self._touched([text for text in given if HANDLE.fullmatch(text)])
        files: dict[str, Handle | Unkept] = {
            text: known[text] if text in known else await self._staged(caller, text)
            for text in sorted(given)
        }
        return [_replaced(row, names, files) for row in rows]

    async def _touched(self, handles: Sequence[str]) -> dict[str, Handle]:
        if not handles:
            return {}
        async with self._database.connection() as connection:
            return {
                row["handle"]: Handle(row["handle"])
                for row in await connection.fetch(TOUCH, handles)
            }

    async def _staged(self, caller: Caller, path: str) -> Handle | Unkept:
        try:
            name = checked_filename(path)
            item = await self._staging.file(caller, path)
            return await self._keep(name, self._staging.content(item))
        except VaultFault as fault:
            return Unkept(fault.error.message)

    async def _keep(self, filename: str, content: AsyncIterable[bytes]) -> Handle:
        kept = await self._content.keep(content, limit=self.max_file)
        async with self._database.connection() as connection:
            return Handle(
                await connection.fetchval(
                    KEEP, filename, media_type(filename), kept.sha256
                )
            )

    async def require_record(self, of: Of, field_name: str) -> None:
        """Refuse a file for a record that is not there or may not have it, before the file is read."""
        target = self._records.target(of.caller, of.object_name, [{}], Operation.EDIT)
        if not _field(target, field_name).editable:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"Field [{field_name}] is set by the Vault"
            )
        await self._records.state_of(target, of.record_id)

    async def put(
        self, of: Of, field_name: str, filename: str, content: AsyncIterable[bytes]
    ) -> list[RowResult]:
        """Make a file that of the field, in place of the one before."""
        handle = await self._keep(checked_filename(filename), content)
        row = {"id": of.record_id, field_name: handle}
        return await self._records.update(of.caller, of.object_name, [row])

    async def one(self, of: Of, field_name: str) -> FieldFile:
        """The file of a field."""
        target = self._records.target(of.caller, of.object_name, [{}], Operation.READ)
        field = _field(target, field_name)
        found = await self._of(target, [field], of.record_id)
        if field.name not in found:
            raise VaultFault(
                ErrorType.INVALID_DATA,
                f"Field [{field.name}] of the record holds no file",
            )
        return found[field.name]

    async def all(self, of: Of) -> tuple[str, Mapping[str, FieldFile]]:
        """What an archive of a record's files is called, and the files by field."""
        target = self._records.target(of.caller, of.object_name, [{}], Operation.READ)
        async with self._database.connection() as connection:
            title = await record_title(
                connection, self._components.registry, target, of.record_id
            )
        return f"{title} - attachment fields.zip", await self._of(
            target, _fields(target), of.record_id
        )

    def bytes_of(
        self, file: FieldFile, start: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """The bytes of a file from ``start`` on, at most ``length`` of them."""
        return self._content.read(file.content, start, length)

    async def _of(
        self, target: VaultObject, fields: Sequence[Field], record_id: str
    ) -> dict[str, FieldFile]:
        columns = "".join(f", {quote(field.name)}" for field in fields)
        sql = f"SELECT id{columns} FROM {table(target.name)} WHERE id = $1"
        async with self._database.connection() as connection:
            record = (
                None
                if "\x00" in record_id
                else await connection.fetchrow(sql, record_id)
            )
            if record is None:
                raise VaultFault(
                    ErrorType.INVALID_DATA, "There is no record with this id"
                )
            held = {field.name: record[field.name] for field in fields}
            rows = await connection.fetch(
                FILES, [handle for handle in held.values() if handle]
            )
        files = {
            row["handle"]: FieldFile(
                row["handle"],
                row["filename"],
                row["format"],
                Content(row["sha256"], row["size"], row["md5"], row["stored_as"]),
                row["last_stored"],
            )
            for row in rows
        }
        return {name: files[handle] for name, handle in held.items() if handle in files}

    async def remove_unused(self, before: datetime) -> None:
        """Forget files that no field holds and nobody has given since; what they say is swept with all content."""
        async with self._database.connection() as connection:
            unused = await unused_sql(connection, "platform.field_file")
            # One that a field came to hold meanwhile has been noted as stored again, and stays.
            await connection.execute(
                f"DELETE FROM platform.field_file u WHERE u.last_stored < $1 AND {unused}",
                before,
            )


def _fields(target: VaultObject) -> list[Field]:
    return [
        field
        for field in target.fields.values()
        if field.type is FieldType.ATTACHMENT and field.active
    ]


def _field(target: VaultObject, name: str) -> Field:
    for field in _fields(target):
        if field.name == name:
            return field
    raise VaultFault(
        ErrorType.INVALID_DATA,
        f"[{target.name}] has no attachment field [{name[:100]}]",
    )


def _replaced(
    row: Mapping[str, object],
    names: Sequence[str],
    files: Mapping[str, Handle | Unkept],
) -> Mapping[str, object]:
    held = {
        name: files[str(row[name])] for name in names if row.get(name) not in (None, "")
    }
    return {**row, **held} if held else row
