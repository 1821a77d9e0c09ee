"""Declares what the Vault needs of a store of files, a folder or an S3 bucket, and what both stores share."""

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

CHUNK = 2**20  # bytes of a file that are in memory at a time
MD5_HEX = 32  # digits


class StoreError(Exception):
    """What the store cannot do, as a fault of the API: its type and its text."""

    error_type = ErrorType.UNEXPECTED_ERROR
    text = "The file cannot be stored"


class NotFound(StoreError):
    """Raised when there is no such file or folder."""

    error_type = ErrorType.INVALID_DATA
    text = "There is no such file or folder"


class AlreadyThere(StoreError):
    """Raised when there is an item of this name, or a file where a folder is needed."""

    error_type = ErrorType.ITEM_NAME_EXISTS
    text = "There is an item of this name already"


class NotEmpty(StoreError):
    """Raised when a folder that is to be deleted has something in it."""

    error_type = ErrorType.OPERATION_NOT_ALLOWED
    text = "The folder is not empty"


class TooLarge(StoreError):
    """Raised when more bytes came than the file may have; nothing was stored."""

    error_type = ErrorType.EXCEEDS_FILE_MAX_SIZE
    text = "The file is larger than files may be here"


class ChecksumMismatch(StoreError):
    """Raised when the bytes that came do not have the expected checksum; nothing was stored."""

    error_type = ErrorType.INVALID_DATA
    text = "The content does not have the checksum that was sent for it"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that has just been stored, with its checksums in hex."""

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
        """Return the last part of the key."""
        return self.key.rpartition("/")[2]

    @property
    def position(self) -> str:
        """Return where the item stands in a list, for ``FileStore.list`` to continue behind it."""
        return f"{self.key}/" if self.is_folder else self.key


class FileStore(Protocol):
    """Files by key; a key is names joined by slashes, checked by its maker.

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
        """Store a file of up to ``limit`` bytes, with the folders above it; ``md5`` (hex) is its expected checksum.

        :raises AlreadyThere: a file has this key and not ``overwrite``, or a file stands where a folder is needed.
        :raises TooLarge: more than ``limit`` bytes came.
        :raises ChecksumMismatch: the bytes have another checksum.
        """

    def get(
        self,
        key: str,
        start: int = 0,
        length: int | None = None,
    ) -> AsyncIterator[bytes]:
        """Yield the bytes of a file from ``start`` on, at most ``length`` of them, in chunks.

        :raises NotFound: with the first chunk, when there is no such file.
        """

    async def find(self, key: str) -> Item | None:
        """Return the file or folder of this key, or None."""

    async def list(
        self,
        folder: str,
        *,
        recursive: bool = False,
        after: str | None = None,
        limit: int = 1000,
    ) -> Sequence[Item]:
        """Return the items of a folder behind the position ``after``; each folder stands before what is in it."""

    async def make_folder(self, key: str) -> None:
        """Make a folder, and those above it.

        :raises AlreadyThere: there is an item of this key.
        """

    async def delete(self, key: str) -> None:
        """Delete a file or an empty folder; do nothing when there is none.

        :raises NotEmpty: there is something in the folder.
        """

    async def move(
        self,
        source: str,
        target: str,
        *,
        resumed: bool = False,
    ) -> None:
        """Move a file, or a folder with all that is in it; ``resumed`` completes a move that was interrupted.

        :raises NotFound: there is no item to move.
        :raises AlreadyThere: there is an item at the target.
        """

    async def tidy(self, before: datetime) -> None:
        """Remove what was begun before a moment and never became a file."""

    async def close(self) -> None:
        """Close connections."""


class Digest:
    """Counts and digests the bytes of a file on their way into a store."""

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        self.size = 0

    def update(self, chunk: bytes) -> None:
        """Add a chunk.

        :raises TooLarge: the file has more bytes than its limit.
        """
        self.size += len(chunk)
        # Before the store writes the chunk: a file without end must not fill the disk.
        if self._limit is not None and self.size > self._limit:
            raise TooLarge
        self._md5.update(chunk)
        self._sha256.update(chunk)

    def stored(self, key: str, md5: str | None) -> StoredFile:
        """Return what was stored under a key; ``md5`` (hex) is the expected checksum, if any.

        :raises ChecksumMismatch: the bytes have another checksum.
        """
        found_md5 = self._md5.hexdigest()
        if md5 is not None and md5 != found_md5:
            raise ChecksumMismatch
        return StoredFile(key, self.size, found_md5, self._sha256.hexdigest())


async def in_blocks(
    content: AsyncIterable[bytes], size: int = CHUNK
) -> AsyncIterator[bytes]:
    """Yield the same bytes in blocks of ``size``, the last one shorter."""
    buffer = bytearray()
    async for chunk in content:
        buffer += chunk
        while len(buffer) >= size:
            yield bytes(buffer[:size])
            del buffer[:size]
    if buffer:
        yield bytes(buffer)


async def delete_tree(store: FileStore, key: str) -> int:
    """Delete a file, or a folder with all that is in it, and return how many files were deleted."""
    deleted = 0
    while items := await store.list(key, recursive=True):
        files = [item for item in items if not item.is_folder]
        for file in files:
            await store.delete(file.key)
        deleted += len(files)
        # Backwards, for a folder stands before what is in it.
        for item in reversed(items):
            if item.is_folder:
                await _delete_if_empty(store, item.key)
    await store.delete(key)
    return deleted


async def _delete_if_empty(store: FileStore, key: str) -> None:
    """Delete a folder, unless it has items beyond the page that was listed: the next page deletes it then."""
    try:
        await store.delete(key)
    except NotEmpty:
        return


@contextmanager
def as_faults() -> Iterator[None]:
    """Raise the store's errors as VaultFaults.

    :raises VaultFault: of the type that the error stands for.
    """
    try:
        yield
    except StoreError as error:
        raise fault_of(error) from error


def fault_of(error: StoreError) -> VaultFault:
    """Return a store's error as a fault of the API."""
    return VaultFault(error.error_type, error.text)


def md5_of_header(header: str | None) -> str | None:
    """Return a Content-MD5 header, written in hex or in base64, as hex digits; None without one.

    :raises VaultFault: INVALID_DATA when it is no MD5 checksum.
    """
    if not header:
        return None
    text = header.strip()
    # 16 bytes are 24 characters in base64, so that the length distinguishes both.
    try:
        decode = bytes.fromhex if len(text) == MD5_HEX else _from_base64
        digest = decode(text)
    except (ValueError, binascii.Error) as error:
        raise VaultFault(
            ErrorType.INVALID_DATA, "Content-MD5 is not a checksum"
        ) from error
    if len(digest) != MD5_HEX // 2:
        raise VaultFault(ErrorType.INVALID_DATA, "Content-MD5 is not a checksum")
    return digest.hex()


def _from_base64(text: str) -> bytes:
    """Return the bytes of a text in base64.

    :raises ValueError: it is none.
    """
    return base64.b64decode(text, validate=True)
