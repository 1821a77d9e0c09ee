"""A zip archive written as its files pass by, never held whole."""

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


async def record_title(
    connection: Connection, registry: Registry, target: VaultObject, record_id: str
) -> str:
    """The label of the record's type, or of its object, and its name; raises VaultFault ``INVALID_DATA``."""
    columns = (
        "name__v, object_type__v"
        if target.allow_types
        else "name__v, NULL AS object_type__v"
    )
    sql = f"SELECT {columns} FROM {table(target.name)} WHERE id = $1"
    record = None if "\x00" in record_id else await connection.fetchrow(sql, record_id)
    if record is None:
        raise VaultFault(ErrorType.INVALID_DATA, "There is no record with this id")
    labels = {
        registry.object_type_id(t.object, t.name): t.label
        for t in registry.types_of(target.name).values()
    }
    return f"{labels.get(record['object_type__v'], target.label)} {record['name__v']}"


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A file on its way into an archive."""

    name: str
    date: datetime
    content: AsyncIterator[bytes]


class _Sink:
    """What has been written and not yet taken; it cannot seek, so that the archive does without."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        self._chunks.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is held open."""

    def take(self) -> bytes:
        taken = b"".join(self._chunks)
        self._chunks.clear()
        return taken


async def zipped(files: Iterable[ArchivedFile]) -> AsyncIterator[bytes]:
    """The bytes of an archive of these files, which are stored as they are."""
    sink = _Sink()
    archive = zipfile.ZipFile(sink, "w")
    try:
        for file in files:
            entry = archive.open(
                zipfile.ZipInfo(file.name, file.date.timetuple()[:6]),
                "w",
                force_zip64=True,
            )
            try:
                async for chunk in file.content:
                    entry.write(chunk)
                    yield sink.take()
            finally:
                entry.close()
    finally:
        archive.close()
    yield sink.take()
