"""Package files in the Vault's store: whole in memory while they are worked on, so never large."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from uuid import uuid4

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault
from shared.vault.files.file_store import NotFound
from shared.vault.packages.package_archive import MAX_FILE_BYTES

if TYPE_CHECKING:
    from shared.vault.files.file_store import FileStore

FOLDER = "packages"


async def put(files: FileStore, content: bytes) -> str:
    """Store a file under a key of its own, and return the key."""
    key = f"{FOLDER}/{uuid4()}.vpk"

    async def whole() -> AsyncIterator[bytes]:
        yield content

    await files.put(key, whole(), limit=MAX_FILE_BYTES)
    return key


async def get(files: FileStore, key: str) -> bytes:
    """The file of a key; raises VaultFault when it is not in the store any more."""
    content = bytearray()
    try:
        async for chunk in files.get(key):
            content += chunk
    except NotFound as error:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            "The file of the package is not in the store any more",
        ) from error
    return bytes(content)
