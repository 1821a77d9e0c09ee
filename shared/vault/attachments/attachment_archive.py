"""A zip archive written as its files pass by, never held whole."""

from __future__ import annotations

import zipfile
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime


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
