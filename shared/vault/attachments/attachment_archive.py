"""Writes zip archives of a record's files, and names them after the record."""

from __future__ import annotations

import zipfile
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.components.schema import table
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry
    from shared.vault.model.component_model import VaultObject
    from shared.vault.storage.database import Connection


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A file to be put into an archive; ``content`` is read once."""

    name: str
    date: datetime
    content: AsyncIterator[bytes]


class _Sink:
    """Buffers written bytes until they are read; it cannot seek, so the archive is written in one pass."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        """Collect bytes, and return their number."""
        self._chunks.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: written bytes can be read at once."""

    def close(self) -> None:
        """Do nothing: there is no file to close."""

    def take(self) -> bytes:
        """Return the collected bytes, and drop them."""
        taken = b"".join(self._chunks)
        self._chunks.clear()
        return taken


async def zipped(files: Iterable[ArchivedFile]) -> AsyncIterator[bytes]:
    """Yield the bytes of an archive of these files, uncompressed; at most one chunk is in memory."""
    sink = _Sink()
    archive = zipfile.ZipFile(sink, "w")
    try:
        for file in files:
            moment = file.date.timetuple()[:6]
            info = zipfile.ZipInfo(file.name, moment)
            # The size is not known before the end: an entry of 4 GB or more needs the larger format.
            entry = archive.open(info, "w", force_zip64=True)
            try:
                async for chunk in file.content:
                    entry.write(chunk)
                    yield sink.take()
            finally:
                entry.close()
    finally:
        archive.close()
    yield sink.take()


async def record_title(
    connection: Connection,
    registry: Registry,
    target: VaultObject,
    record_id: str,
) -> str:
    """Return the label of a record's type, or of its object, and the record's name.

    :raises VaultFault: INVALID_DATA when there is no such record.
    """
    object_type = "object_type__v" if target.allow_types else "NULL AS object_type__v"
    sql = f"SELECT name__v, {object_type} FROM {table(target.name)} WHERE id = $1"
    # PostgreSQL refuses texts with a null character, so that no record has such an id.
    record = None if "\x00" in record_id else await connection.fetchrow(sql, record_id)
    if record is None:
        raise VaultFault(ErrorType.INVALID_DATA, "There is no record with this id")
    labels = {
        registry.object_type_id(each.object, each.name): each.label
        for each in registry.types_of(target.name).values()
    }
    label = labels.get(record["object_type__v"], target.label)
    return f"{label} {record['name__v']}"
