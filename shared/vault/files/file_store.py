"""Declares the interface of the file stores (a folder, an S3 bucket), and the code that both share."""

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
# The same of a file that is read: many clients may read slowly, and each of them has two such pieces.
READ_CHUNK = 2**16
MD5_HEX = 32  # digits


class StoreError(Exception):
    """Raised when the store cannot carry out a call; ``error_type`` and ``text`` are those of the API's fault."""

    error_type = ErrorType.UNEXPECTED_ERROR
    text = "The file cannot be stored"


class NotFound(StoreError):
    """Raised when there is no such file or folder."""

    error_type = ErrorType.INVALID_DATA
    text = "There is no such file or folder"


class AlreadyThere(StoreError):
    """Raised when there is an item with this key, or a file in the place of a folder."""

    error_type = ErrorType.ITEM_NAME_EXISTS
    text = "There is an item of this name already"


class NotEmpty(StoreError):
    """Raised when a folder that is to be deleted is not empty."""

    error_type = ErrorType.OPERATION_NOT_ALLOWED
    text = "The folder is not empty"


class TooLarge(StoreError):
    """Raised when a file has more bytes than allowed; nothing was stored."""

    error_type = ErrorType.EXCEEDS_FILE_MAX_SIZE
    text = "The file is larger than is allowed here"


class ChecksumMismatch(StoreError):
    """Raised when the received bytes do not have the expected checksum; nothing was stored."""

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
        """Return the position of the item in a list, after which ``FileStore.list`` can continue."""
        return f"{self.key}/" if self.is_folder else self.key


class FileStore(Protocol):
    """Stores files by key; a key is names joined by slashes, which the caller has checked.

    Other processes may call the store at the same time: a file exists either completely or not at all.
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

        :raises AlreadyThere: a file has this key and ``overwrite`` is False, or a file is in the place of a folder.
        :raises TooLarge: more than ``limit`` bytes arrive.
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
        """Return the items of a folder after the position ``after``; a folder comes before the items in it."""

    async def make_folder(self, key: str) -> None:
        """Make a folder, and those above it.

        :raises AlreadyThere: there is an item with this key.
        """

    async def delete(self, key: str) -> None:
        """Delete a file or an empty folder; do nothing when there is none.

        :raises NotEmpty: the folder is not empty.
        """

    async def move(
        self,
        source: str,
        target: str,
        *,
        resumed: bool = False,
    ) -> None:
        """Move a file, or a folder with its content; ``resumed`` completes a move that was interrupted.

        :raises NotFound: there is no item to move.
        :raises AlreadyThere: there is an item at the target.
        """

    async def tidy(self, before: datetime) -> None:
        """Remove uploads that were started before a moment and never completed."""

    async def close(self) -> None:
        """Close connections."""


class Digest:
    """Counts and digests the bytes of a file while it is stored."""

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
        """Return the file stored under a key, after comparing its checksum with ``md5`` (hex), if set.

        :raises ChecksumMismatch: the bytes have another checksum.
        """
        found_md5 = self._md5.hexdigest()
        if md5 is not None and md5 != found_md5:
            raise ChecksumMismatch
        return StoredFile(key, self.size, found_md5, self._sha256.hexdigest())


async def in_blocks(
    content: AsyncIterable[bytes], size: int = CHUNK
) -> AsyncIterator[bytes]:
    """Yield the bytes of ``content`` in blocks of ``size`` bytes; the last block may be shorter."""
    buffer = bytearray()
    async for chunk in content:
        buffer += chunk
        while len(buffer) >= size:
            yield bytes(buffer[:size])
            del buffer[:size]
    if buffer:
        yield bytes(buffer)


async def delete_tree(store: FileStore, key: str) -> int:
    """Delete a file, or a folder with its content, and return the number of deleted files."""
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
    """Delete a folder unless it still has items; a later page of the list deletes it then."""
    try:
        await store.delete(key)
    except NotEmpty:
        return


@contextmanager
def as_faults() -> Iterator[None]:
    """Convert errors of the store that the block raises to VaultFaults.

    :raises VaultFault: of the type of the error.
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

    :raises VaultFault: INVALID_DATA when it is not an MD5 checksum.
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

    :raises ValueError: the text is not base64.
    """
    return base64.b64decode(text, validate=True)
