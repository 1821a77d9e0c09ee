"""What the store cannot do, as faults of the API."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from contextlib import contextmanager

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault
from shared.vault.files.file_store import (
    AlreadyThere,
    ChecksumMismatch,
    NotEmpty,
    NotFound,
    StoreError,
    TooLarge,
)

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
