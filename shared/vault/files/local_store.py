"""Stores files in a local folder: one file for each key, which is renamed to its final path when it is complete."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import weakref
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from shared.vault.files.file_store import (
    READ_CHUNK,
    AlreadyThere,
    Digest,
    Item,
    NotEmpty,
    NotFound,
    StoredFile,
    in_blocks,
)

INCOMING = ".incoming"  # files on their way; no key begins with a dot
FOLDER_MODE = 0o750


class LocalStore:
    """Stores files below one folder, which processes on several machines may share."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(
        self,
        key: str,
        content: AsyncIterable[bytes],
        *,
        overwrite: bool = True,
        limit: int | None = None,
        md5: str | None = None,
    ) -> StoredFile:
        """Store a file; see FileStore."""
        incoming = self._root / INCOMING / str(uuid4())
        file = await asyncio.to_thread(_create, incoming)
        try:
            digest = Digest(limit)
            async for block in in_blocks(content):
                digest.update(block)
                await asyncio.to_thread(file.write, block)
            stored = digest.stored(key, md5)
            await asyncio.to_thread(_publish, file, self._path(key), overwrite)
            return stored
        finally:
            await asyncio.to_thread(_discard, file)

    async def get(
        self,
        key: str,
        start: int = 0,
        length: int | None = None,
    ) -> AsyncIterator[bytes]:
        """Yield the bytes of a file; see FileStore."""
        reader = await asyncio.to_thread(_open, self._path(key))
        end = None if length is None else start + length
        try:
            while end is None or start < end:
                size = READ_CHUNK
                if end is not None:
                    size = min(READ_CHUNK, end - start)
                chunk = await asyncio.to_thread(reader.read, size, start)
                if not chunk:
                    return
                start += len(chunk)
                yield chunk
        finally:
            reader.close()

    async def find(self, key: str) -> Item | None:
        """Return the file or folder of a key; see FileStore."""
        path = self._path(key)
        return await asyncio.to_thread(_item, path, key)

    async def list(
        self,
        folder: str,
        *,
        recursive: bool = False,
        after: str | None = None,
        limit: int = 1000,
    ) -> Sequence[Item]:
        """Return items of a folder; see FileStore."""
        path = self._path(folder)
        names: tuple[str, ...] | None = None
        if after is not None:
            inside = after.removeprefix(f"{folder}/").rstrip("/")
            names = tuple(inside.split("/"))

        def page() -> list[Item]:
            found = _walk(path, folder, names, recursive=recursive)
            return [*islice(found, limit)]

        return await asyncio.to_thread(page)

    async def make_folder(self, key: str) -> None:
        """Make a folder; see FileStore."""
        path = self._path(key)
        await asyncio.to_thread(_make_folder, path)

    async def delete(self, key: str) -> None:
        """Delete a file or an empty folder; see FileStore."""
        path = self._path(key)
        await asyncio.to_thread(_delete, path)

    async def move(
        self,
        source: str,
        target: str,
        *,
        resumed: bool = False,
    ) -> None:
        """Move a file or a folder; see FileStore."""
        source_path = self._path(source)
        target_path = self._path(target)
        await asyncio.to_thread(_move, source_path, target_path, resumed)

    async def tidy(self, before: datetime) -> None:
        """Remove incomplete files; see FileStore."""
        incoming = self._root / INCOMING
        await asyncio.to_thread(_tidy, incoming, before)

    async def close(self) -> None:
        """Do nothing: no connection is open."""

    def _path(self, key: str) -> Path:
        """Return the path of a key in the folder.

        :raises ValueError: the key has an empty name, a null character, or a name that would leave the folder.
        """
        names = key.split("/")
        # Keys are made from checked names; this is the last line of defence.
        if not all(map(_is_name, names)):
            message = "a key of the store is malformed"
            raise ValueError(message)
        return self._root.joinpath(*names)


def _is_name(name: str) -> bool:
    """Return whether a part of a key is the name of a file or folder."""
    return name not in ("", ".", "..") and "\x00" not in name


def _create(path: Path) -> BinaryIO:
    """Create an empty file with the folder above it, and return it open."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
    return path.open("xb")


def _publish(file: BinaryIO, target: Path, overwrite: bool) -> None:
    """Move a complete file to its final path, in one step.

    :raises AlreadyThere: there is a file and ``overwrite`` is False, or a file is in the place of a folder.
    """
    file.flush()
    # Before the rename: after a crash of the machine the name must not stand for an empty file.
    os.fsync(file.fileno())
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        if overwrite:
            Path(file.name).replace(target)
        else:
            # A link fails when there is a file, which a rename would replace.
            os.link(file.name, target)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise AlreadyThere from error


def _discard(file: BinaryIO) -> None:
    """Close a file, and remove its temporary name; a published file stays under its final name."""
    file.close()
    Path(file.name).unlink(missing_ok=True)


class _Reader:
    """A file open for reading; its descriptor is closed by ``close``, or else with the reader itself.

    When a download is abandoned, its objects are collected in any order: a file object might be reported as still open
    before the generator that closes it has run to its end.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.close = weakref.finalize(self, os.close, self._descriptor)

    @property
    def is_folder(self) -> bool:
        """Return whether a folder was opened, which has no bytes."""
        return stat.S_ISDIR(os.fstat(self._descriptor).st_mode)

    def read(self, size: int, start: int) -> bytes:
        """Return at most ``size`` bytes from the place ``start`` on; none at the end of the file."""
        return os.pread(self._descriptor, size, start)


def _open(path: Path) -> _Reader:
    """Open a file for reading.

    :raises NotFound: there is no such file.
    """
    try:
        reader = _Reader(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound from error
    if reader.is_folder:
        reader.close()
        raise NotFound
    return reader


def _item(path: Path, key: str) -> Item | None:
    """Return the file or folder at a path, or None."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(status.st_mode):
        return Item(key, is_folder=True)
    modified = datetime.fromtimestamp(status.st_mtime, UTC)
    return Item(key, is_folder=False, size=status.st_size, modified=modified)


def _walk(
    path: Path,
    key: str,
    after: tuple[str, ...] | None,
    *,
    recursive: bool,
) -> Iterator[Item]:
    """Yield the items after ``after`` in the order of their names, a folder before the items in it.

    ``after`` is the path of the last listed item as names below this folder; None lists from the beginning.
    """
    try:
        # Names with a dot are the store's own, as INCOMING is.
        names = sorted(
            entry.name for entry in path.iterdir() if not entry.name.startswith(".")
        )
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        inside: tuple[str, ...] | None = None
        if after is not None and name <= after[0]:
            if name < after[0]:
                continue
            inside = after[1:]
        item = _item(path / name, f"{key}/{name}")
        if item is None:
            continue  # deleted meanwhile
        if inside is None:
            yield item
        if item.is_folder and recursive:
            yield from _walk(path / name, item.key, inside or None, recursive=True)


def _make_folder(path: Path) -> None:
    """Make a folder, and those above it.

    :raises AlreadyThere: there is an item at its place, or a file above it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        path.mkdir(mode=FOLDER_MODE)
    except (FileExistsError, NotADirectoryError) as error:
        raise AlreadyThere from error


def _delete(path: Path) -> None:
    """Delete a file or an empty folder; do nothing when there is none.

    :raises NotEmpty: there is something in the folder.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if not path.is_dir():
            path.unlink()
            return
        try:
            path.rmdir()
        except OSError as error:
            if any(path.iterdir()):
                raise NotEmpty from error
            raise


def _move(source: Path, target: Path, resumed: bool) -> None:
    """Move a file or a folder; ``resumed`` completes a move that was interrupted.

    :raises NotFound: there is no item to move.
    :raises AlreadyThere: there is an item at the target.
    """
    if resumed and not source.exists() and target.exists():
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        if source.is_dir():
            _move_folder(source, target)
        else:
            _move_file(source, target, resumed)
    except FileNotFoundError as error:
        raise NotFound from error
    except (FileExistsError, NotADirectoryError) as error:
        raise AlreadyThere from error


def _move_file(source: Path, target: Path, resumed: bool) -> None:
    """Move a file: make a hard link at the target, then remove the source.

    :raises FileExistsError: there is an item at the target.
    """
    # Interrupted between both steps, the file has both names.
    linked = resumed and target.exists() and target.samefile(source)
    if not linked:
        os.link(source, target)
    source.unlink()


def _move_folder(source: Path, target: Path) -> None:
    """Move a folder by a rename.

    :raises AlreadyThere: there is an item at the target.
    """
    # A rename would replace an empty folder.
    if target.exists():
        raise AlreadyThere
    try:
        source.rename(target)
    except OSError as error:
        if target.exists():
            raise AlreadyThere from error
        raise


def _tidy(incoming: Path, before: datetime) -> None:
    """Remove incomplete files that were last written before a moment."""
    with contextlib.suppress(FileNotFoundError):
        for path in incoming.iterdir():
            if path.stat().st_mtime < before.timestamp():
                path.unlink(missing_ok=True)
