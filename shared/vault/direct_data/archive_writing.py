"""Packs CSV files into an archive (``.tar.gz``) in parts, with at most a chunk in memory."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

# The size of the parts that the public API has.
PART_BYTES = 2**30
# Levels above it take several times as long for a tenth of the size.
LEVEL = 2


class PartWriter:
    """Writes bytes to files ``001``, ``002`` … of a folder; each has ``limit`` bytes, the last one may have fewer."""

    def __init__(self, folder: Path, limit: int = PART_BYTES) -> None:
        self._folder = folder
        self._limit = limit
        self._file: BinaryIO | None = None
        self._room = 0
        self.parts: list[Path] = []

    def write(self, data: bytes) -> int:
        """Write bytes to as many parts as they need; return the number of bytes."""
        rest = memoryview(data)
        while rest:
            if not self._room:
                self._next()
            taken = rest[: self._room]
            self._current.write(taken)
            self._room -= len(taken)
            rest = rest[len(taken) :]
        return len(data)

    def flush(self) -> None:
        """Do nothing: a part is flushed when it is closed."""

    @property
    def _current(self) -> BinaryIO:
        """Return the open part.

        :raises ValueError: when no part is open.
        """
        if self._file is None:
            message = "no part is open"
            raise ValueError(message)
        return self._file

    def _next(self) -> None:
        self.close()
        path = self._folder / f"{len(self.parts) + 1:03}"
        self._file = path.open("wb")
        self._room = self._limit
        self.parts.append(path)

    def close(self) -> None:
        """Close the open part."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the open part."""
        self.close()


def pack(
    folder: Path, names: Iterable[str], target: Path, limit: int = PART_BYTES
) -> list[Path]:
    """Pack files of a folder, named by their paths in it, into parts in ``target``; return the paths of the parts.

    Each file is removed when it has been packed, so that the disk never has all data twice.
    """
    with (
        PartWriter(target, limit) as parts,
        gzip.GzipFile("", "wb", LEVEL, parts, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|") as archive,
    ):
        for name in names:
            path = folder / name
            # An archive tells the size of a file before its bytes: only a written file has one.
            archive.add(path, name, recursive=False, filter=_plain)
            path.unlink()
    return parts.parts


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return a member of the archive without the names of this machine's users and groups."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member
