"""A store of files by key: what the Vault needs of a folder or of an S3 bucket, and no more."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault

CHUNK = 2**20  # bytes: what is held of a file at a time


class StoreError(Exception):
    """A file or folder cannot be had, or cannot be put where it was to go."""


class NotFound(StoreError):
    """There is no such file or folder."""


class AlreadyThere(StoreError):
    """There is one of this name already, or a file stands where a folder is needed."""


class NotEmpty(StoreError):
    """The folder has something in it."""


class TooLarge(StoreError):
    """More bytes came than the file may hold; nothing was stored."""


class ChecksumMismatch(StoreError):
    """The bytes that came are not those that were meant; nothing was stored."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file just stored."""

    key: str
    size: int
    md5: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Item:
    """A file or folder in the store; a folder has neither size nor date."""

    key: str
    is_folder: bool
    size: int = 0
    modified: datetime | None = None

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    @property
    def position(self) -> str:
        """Where the item stands in a list, for ``FileStore.list`` to go on behind it."""
        return f"{self.key}/" if self.is_folder else self.key


class FileStore(Protocol):
    """Files by key; a key is names joined by slashes, checked by whoever makes it.

    Every call is safe beside calls of other processes: a file is there whole or not at all.
    """

    async def put(
        self,
        key: str,
        content: AsyncIterable[bytes],
        *,
        overwrite: bool = True,
        limit: int | None = None,
        md5: str | None = None,
    ) -> StoredFile:
        """Store a file of up to ``limit`` bytes with the folders above it; ``md5`` (hex) is what it must come to.

        Raises AlreadyThere, TooLarge, ChecksumMismatch.
        """

    def get(
        self, key: str, start: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """The bytes of a file, from ``start``, at most ``length`` of them, in chunks; raises NotFound at the first."""

    async def find(self, key: str) -> Item | None:
        """The file or folder of this key, or None."""

    async def list(
        self,
        folder: str,
        *,
        recursive: bool = False,
        after: str | None = None,
        limit: int = 1000,
    ) -> Sequence[Item]:
        """The items of a folder, from behind the position ``after`` on; each folder stands before what is in it."""

    async def make_folder(self, key: str) -> None:
        """Make a folder, and those above it; raises AlreadyThere."""

    async def delete(self, key: str) -> None:
        """Delete a file or an empty folder; one that is not there is no fault. Raises NotEmpty."""

    async def move(self, source: str, target: str, *, resumed: bool = False) -> None:
        """Move a file or a folder with what is in it; ``resumed`` completes a move that was cut off.

        Raises NotFound, AlreadyThere.
        """

    async def tidy(self, before: datetime) -> None:
        """Remove what was begun before that moment and never became a file."""

    async def close(self) -> None:
        """Let go of connections."""


class Digest:
    """Size and checksums of bytes that pass by."""

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        self.size = 0

    def update(self, chunk: bytes) -> None:
        """Count a chunk in; raises TooLarge."""
        self.size += len(chunk)
        if self._limit is not None and self.size > self._limit:
            raise TooLarge
        self._md5.update(chunk)
        self._sha256.update(chunk)

    def stored(self, key: str, md5: str | None) -> StoredFile:
        """What was stored; raises ChecksumMismatch when it does not come to ``md5``."""
        found = StoredFile(
            key, self.size, self._md5.hexdigest(), self._sha256.hexdigest()
        )
        if md5 is not None and md5 != found.md5:
            raise ChecksumMismatch
        return found


async def in_blocks(
    content: AsyncIterable[bytes], size: int = CHUNK
) -> AsyncIterator[bytes]:
    """The same bytes in blocks of ``size``, the last one shorter."""
    buffer = bytearray()
    async for chunk in content:
        buffer += chunk
        while len(buffer) >= size:
            yield bytes(buffer[:size])
            del buffer[:size]
    if buffer:
        yield bytes(buffer)


async def delete_tree(store: FileStore, key: str) -> int:
    """Delete a file, or a folder with all that is in it; the number of files deleted."""
    deleted = 0
    while items := await store.list(key, recursive=True):
        for item in items:
            if not item.is_folder:
                await store.delete(item.key)
                deleted += 1
        for item in reversed(items):
            if item.is_folder:
                await _delete_if_empty(store, item.key)
    await store.delete(key)
    return deleted


async def _delete_if_empty(store: FileStore, key: str) -> None:
    """A folder that goes on beyond the page of items is left to the next one."""
    try:
        await store.delete(key)
    except NotEmpty:
        return


FAULTS: tuple[tuple[type[StoreError], ErrorType, str], ...] = (
    (NotFound, ErrorType.INVALID_DATA, "There is no such file or folder"),
    (AlreadyThere, ErrorType.ITEM_NAME_EXISTS, "There is an item of this name already"),
    (NotEmpty, ErrorType.OPERATION_NOT_ALLOWED, "The folder is not empty"),
    (
        TooLarge,
        ErrorType.EXCEEDS_FILE_MAX_SIZE,
        "The file is larger than files may be here",
    ),
    (
        ChecksumMismatch,
        ErrorType.INVALID_DATA,
        "The content does not have the checksum that was given for it",
    ),
)


MD5_HEX = 32


@contextmanager
def as_faults() -> Iterator[None]:
    """Turn the store's errors into VaultFaults."""
    try:
        yield
    except StoreError as error:
        raise fault_of(error) from error


def fault_of(error: StoreError) -> VaultFault:
    """The fault that a store's error is to a caller."""
    for kind, error_type, message in FAULTS:
        if isinstance(error, kind):
            return VaultFault(error_type, message)
    return VaultFault(ErrorType.UNEXPECTED_ERROR, "The file cannot be stored")


def given_md5(header: str | None) -> str | None:
    """A Content-MD5 header as hex digits; it may be written so, or in base64. Raises VaultFault ``INVALID_DATA``."""
    if not header:
        return None
    text = header.strip()
    try:
        digest = (
            bytes.fromhex(text)
            if len(text) == MD5_HEX
            else base64.b64decode(text, validate=True)
        )
    except (ValueError, binascii.Error) as error:
        raise VaultFault(
            ErrorType.INVALID_DATA, "Content-MD5 is not a checksum"
        ) from error
    if len(digest) != MD5_HEX // 2:
        raise VaultFault(ErrorType.INVALID_DATA, "Content-MD5 is not a checksum")
    return digest.hex()
