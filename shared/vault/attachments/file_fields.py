"""Stores the files of attachment fields: one for each record and field, under the handle that the field contains."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, may, may_set
from shared.vault.attachments.attachment_archive import record_title
from shared.vault.errors import VaultFault
from shared.vault.files.attachment_model import (
    FieldFile,
    Handle,
    UnstoredFile,
    checked_filename,
    media_type,
)
from shared.vault.files.content_service import Content, unused_sql
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.model.field_types import quoted, table

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.attachments.attachment_service import FileOwner
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.files.content_service import ContentService
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.record_writes import Source
    from shared.vault.records.rows import RowResult
    from shared.vault.staging.staging_service import StagingService
    from shared.vault.storage.database import Database

MAX_FILE = 100 * 2**20  # bytes
HANDLE = re.compile(r"[A-Z]{3}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# The handle of a file; the same bytes under the same name have one handle.
KEEP = """
INSERT INTO platform.field_file (filename, format, sha256) VALUES ($1, $2, $3)
ON CONFLICT (filename, sha256) DO UPDATE SET last_stored = now() RETURNING handle
"""
# Handles that are used again, which saves them from the sweep. In their order, so that two calls never deadlock.
TOUCH = """
UPDATE platform.field_file SET last_stored = now() WHERE handle IN
    (SELECT handle FROM platform.field_file WHERE handle = ANY($1::text[]) ORDER BY handle FOR UPDATE)
RETURNING handle
"""
# Files by their handles, with what is needed to read them.
FILES = """
SELECT f.handle, f.filename, f.format, f.last_stored, c.sha256, c.size, c.md5, c.stored_as
FROM platform.field_file f JOIN platform.content c USING (sha256) WHERE f.handle = ANY($1::text[])
"""
# Unused files, last stored before a moment. A file that a field uses by now is dated as stored again, and stays.
REMOVE_UNUSED = (
    "DELETE FROM platform.field_file u WHERE u.last_stored < $1 AND {unused}"
)


class AttachmentFields:
    """Serves the attachment fields of records; all methods raise VaultFault.

    A caller who may read a record may read its files; a caller who may edit it may change them.
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
        self,
        caller: Caller,
        object_name: str,
        rows: Source,
    ) -> Source:
        """Return the rows of a record call, with handles for the files that they name.

        A row names a file by its path on the staging area, or by the handle in a field of a record. For a file that
        cannot be stored, the row has an ``UnstoredFile``, which becomes an error of the row when the row is read.

        :raises VaultFault: when the caller may not write records of the object.
        """
        target = self._components.registry.objects.get(object_name)
        names = [] if target is None else [field.name for field in _fields(target)]
        texts = {
            str(row[name]) for row in rows for name in names if _names_file(row, name)
        }
        if not texts:
            return rows
        # Before any file is copied for a caller who may not write at all.
        self._records.target(caller, object_name, rows)
        handles = [text for text in texts if HANDLE.fullmatch(text)]
        known = await self._reused_handles(caller, handles)
        files: dict[str, Handle | UnstoredFile] = {}
        for text in sorted(texts):
            # A text that looks like a handle, but is not a known one, may be a path.
            files[text] = known.get(text) or await self._staged(caller, text)
        return [_replaced(row, names, files) for row in rows]

    async def _reused_handles(
        self,
        caller: Caller,
        handles: Sequence[str],
    ) -> dict[str, Handle]:
        """Return handles by their texts, and protect their files from removal by housekeeping for a day.

        Handles that are in no record readable by the caller are omitted: knowing a handle gives no right to its file.
        """
        fields = [
            f"SELECT {quoted(field.name)} FROM {table(target.name)} WHERE {quoted(field.name)} = ANY($1::text[])"
            for target in self._components.registry.objects.values()
            if may(caller, target.name, Operation.READ)
            for field in _fields(target)
        ]
        if not handles or not fields:
            return {}
        async with self._database.connection() as connection:
            found = await connection.fetch(" UNION ".join(fields), handles)
            rows = await connection.fetch(TOUCH, [record[0] for record in found])
        return {row["handle"]: Handle(row["handle"]) for row in rows}

    async def _staged(self, caller: Caller, path: str) -> Handle | UnstoredFile:
        """Store a staged file, and return its handle, or the reason why it cannot be stored."""
        try:
            name = checked_filename(path)
            item = await self._staging.file(caller, path)
            staged = self._staging.content(item)
            return await self._keep(name, staged)
        except VaultFault as fault:
            return UnstoredFile(fault.error.message)

    async def _keep(
        self,
        filename: str,
        content: AsyncIterable[bytes],
    ) -> Handle:
        """Store bytes as a file, and return its handle.

        :raises VaultFault: EXCEEDS_FILE_MAX_SIZE.
        """
        kept = await self._content.keep(content, limit=self.max_file)
        format_ = media_type(filename)
        async with self._database.connection() as connection:
            handle = await connection.fetchval(KEEP, filename, format_, kept.sha256)
        return Handle(handle)

    async def require_record(self, owner: FileOwner, field_name: str) -> None:
        """Check that the caller may store a file in the field of the record, before the file is read.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA when there is no such field or record, or the Vault sets
            the field itself.
        """
        target = self._records.target(
            owner.caller, owner.object_name, [{}], Operation.EDIT
        )
        field = _field(target, field_name)
        if not may_set(owner.caller, target.name, field):
            raise VaultFault(
                ErrorType.INVALID_DATA, f"Field [{field_name}] is set by the Vault"
            )
        await self._records.state_of(target, owner.record_id)

    async def put(
        self,
        owner: FileOwner,
        field_name: str,
        filename: str,
        content: AsyncIterable[bytes],
    ) -> list[RowResult]:
        """Store a file in the field, in place of the previous one, and return the result of the record's update.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA for a file name that is not valid; EXCEEDS_FILE_MAX_SIZE.
        """
        name = checked_filename(filename)
        handle = await self._keep(name, content)
        row = {"id": owner.record_id, field_name: handle}
        return await self._records.update(owner.caller, owner.object_name, [row])

    async def one(self, owner: FileOwner, field_name: str) -> FieldFile:
        """Return the file of a field.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA when there is no such field or record, or no file.
        """
        target = self._records.target(
            owner.caller, owner.object_name, [{}], Operation.READ
        )
        field = _field(target, field_name)
        found = await self._files_of(target, [field], owner.record_id)
        if field.name not in found:
            raise VaultFault(
                ErrorType.INVALID_DATA,
                f"Field [{field.name}] of the record contains no file",
            )
        return found[field.name]

    async def all(self, owner: FileOwner) -> tuple[str, Mapping[str, FieldFile]]:
        """Return the name of the archive of a record's files, and the files by field.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA when there is no such record.
        """
        target = self._records.target(
            owner.caller, owner.object_name, [{}], Operation.READ
        )
        registry = self._components.registry
        async with self._database.connection() as connection:
            title = await record_title(connection, registry, target, owner.record_id)
        files = await self._files_of(target, _fields(target), owner.record_id)
        return f"{title} - attachment fields.zip", files

    def bytes_of(
        self,
        file: FieldFile,
        start: int = 0,
        length: int | None = None,
    ) -> AsyncIterator[bytes]:
        """Yield the bytes of a file from ``start`` on, at most ``length`` of them, in chunks."""
        return self._content.read(file.content, start, length)

    async def _files_of(
        self,
        target: VaultObject,
        fields: Sequence[Field],
        record_id: str,
    ) -> dict[str, FieldFile]:
        """Return the files of a record by field, without fields that have no file.

        :raises VaultFault: INVALID_DATA when there is no such record.
        """
        columns = "".join(f", {quoted(field.name)}" for field in fields)
        sql = f"SELECT id{columns} FROM {table(target.name)} WHERE id = $1"
        async with self._database.connection() as connection:
            possible = "\x00" not in record_id
            record = await connection.fetchrow(sql, record_id) if possible else None
            if record is None:
                raise VaultFault(
                    ErrorType.INVALID_DATA, "There is no record with this id"
                )
            handles = {field.name: record[field.name] for field in fields}
            stored = [handle for handle in handles.values() if handle]
            rows = await connection.fetch(FILES, stored)
        files = {row["handle"]: _field_file(row) for row in rows}
        return {
            name: files[handle] for name, handle in handles.items() if handle in files
        }

    async def remove_unused(self, before: datetime) -> None:
        """Remove files that no field refers to and that were last stored before ``before``.

        Housekeeping removes their bytes separately.
        """
        async with self._database.connection() as connection:
            unused = await unused_sql(connection, "platform.field_file")
            sql = REMOVE_UNUSED.format(unused=unused)
            await connection.execute(sql, before)


def _field_file(row: Record) -> FieldFile:
    """Return the file that a row of the statement FILES describes."""
    content = Content(row["sha256"], row["size"], row["md5"], row["stored_as"])
    return FieldFile(
        row["handle"],
        row["filename"],
        row["format"],
        content,
        row["last_stored"],
    )


def _fields(target: VaultObject) -> list[Field]:
    """Return the active attachment fields of an object."""
    return [
        field
        for field in target.fields.values()
        if field.type is FieldType.ATTACHMENT and field.active
    ]


def _field(target: VaultObject, name: str) -> Field:
    """Return the attachment field of this name.

    :raises VaultFault: INVALID_DATA when the object has no such field.
    """
    for field in _fields(target):
        if field.name == name:
            return field
    raise VaultFault(
        ErrorType.INVALID_DATA,
        f"[{target.name}] has no attachment field [{name[:100]}]",
    )


def _names_file(row: Mapping[str, object], name: str) -> bool:
    """Return whether a row names a file for a field; an empty value names none, and removes the stored file."""
    return row.get(name) not in (None, "")


def _replaced(
    row: Mapping[str, object],
    names: Sequence[str],
    files: Mapping[str, Handle | UnstoredFile],
) -> Mapping[str, object]:
    """Return a row with the handles of its stored files in place of the names."""
    kept = {name: files[str(row[name])] for name in names if _names_file(row, name)}
    return {**row, **kept} if kept else row
