"""The store in a local folder: one file a key, put in place whole by a rename."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from shared.vault.files.file_store import (
    CHUNK,
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
    """Files below one folder, which may be shared by processes on several machines."""

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
        """See FileStore."""
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
        self, key: str, start: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """See FileStore."""
        file = await asyncio.to_thread(_open, self._path(key), start)
        try:
            left = length
            while left is None or left > 0:
                chunk = await asyncio.to_thread(
                    file.read, CHUNK if left is None else min(CHUNK, left)
                )
                if not chunk:
                    return
                if left is not None:
                    left -= len(chunk)
                yield chunk
        finally:
            await asyncio.to_thread(file.close)

    async def find(self, key: str) -> Item | None:
        """See FileStore."""
        return await asyncio.to_thread(_item, self._path(key), key)

    async def list(
        self,
        folder: str,
        *,
        recursive: bool = False,
        after: str | None = None,
        limit: int = 1000,
    ) -> Sequence[Item]:
        """See FileStore."""
        names = (
            None
            if after is None
            else tuple(after.removeprefix(f"{folder}/").rstrip("/").split("/"))
        )

        def page() -> list[Item]:
            found = _walk(self._path(folder), folder, names, recursive=recursive)
            return [item for _, item in zip(range(limit), found, strict=False)]

        return await asyncio.to_thread(page)

    async def make_folder(self, key: str) -> None:
        """See FileStore."""
        await asyncio.to_thread(_make_folder, self._path(key))

    async def delete(self, key: str) -> None:
        """See FileStore."""
        await asyncio.to_thread(_delete, self._path(key))

    async def move(self, source: str, target: str, *, resumed: bool = False) -> None:
        """See FileStore."""
        await asyncio.to_thread(_move, self._path(source), self._path(target), resumed)

    async def tidy(self, before: datetime) -> None:
        """See FileStore."""
        await asyncio.to_thread(_tidy, self._root / INCOMING, before)

    async def close(self) -> None:
        """See FileStore."""

    def _path(self, key: str) -> Path:
        """The place of a key; keys are made from checked names, and one that is not never leaves the folder."""
        names = key.split("/")
        if not all(names) or any(
            name in (".", "..") or "\x00" in name for name in names
        ):
            message = "a key of the store is malformed"
            raise ValueError(message)
        return self._root.joinpath(*names)


def _create(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
    return path.open("xb")


def _publish(file: BinaryIO, target: Path, overwrite: bool) -> None:
    """Put a complete file in its place, in one step."""
    file.flush()
    os.fsync(file.fileno())
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        if overwrite:
            Path(file.name).replace(target)
        else:
            os.link(file.name, target)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise AlreadyThere from error


def _discard(file: BinaryIO) -> None:
    file.close()
    Path(file.name).unlink(missing_ok=True)


def _open(path: Path, start: int) -> BinaryIO:
    try:
        file = path.open("rb")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise NotFound from error
    file.seek(start)
    return file


def _item(path: Path, key: str) -> Item | None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if path.is_dir():
        return Item(key, is_folder=True)
    return Item(
        key,
        is_folder=False,
        size=status.st_size,
        modified=datetime.fromtimestamp(status.st_mtime, UTC),
    )


def _walk(
    path: Path, key: str, after: tuple[str, ...] | None, *, recursive: bool
) -> Iterator[Item]:
    """Items in the order of their names, a folder before what is in it, from behind ``after`` on."""
    try:
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
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        path.mkdir(mode=FOLDER_MODE)
    except (FileExistsError, NotADirectoryError) as error:
        raise AlreadyThere from error


def _delete(path: Path) -> None:
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
    if resumed and not source.exists() and target.exists():
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        if source.is_dir():
            _move_folder(source, target)
        else:
            if not (resumed and target.exists() and target.samefile(source)):
                os.link(source, target)
            source.unlink()
    except FileNotFoundError as error:
        raise NotFound from error
    except (FileExistsError, NotADirectoryError) as error:
        raise AlreadyThere from error


def _move_folder(source: Path, target: Path) -> None:
    if target.exists():
        raise AlreadyThere  # a rename would take the place of an empty folder
    try:
        source.rename(target)
    except OSError as error:
        if target.exists():
            raise AlreadyThere from error
        raise


def _tidy(incoming: Path, before: datetime) -> None:
    with contextlib.suppress(FileNotFoundError):
        for path in incoming.iterdir():
            if path.stat().st_mtime < before.timestamp():
                path.unlink(missing_ok=True)
