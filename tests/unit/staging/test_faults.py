"""Content-MD5 in either form, and each of the store's errors as a fault of the API."""

from __future__ import annotations

import base64
import hashlib

import pytest

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault
from shared.vault.files import file_store as store
from shared.vault.files.file_store import as_faults, md5_of_header

DIGEST = hashlib.md5(b"content", usedforsecurity=False)


def test_a_checksum_in_either_form() -> None:
    assert md5_of_header(DIGEST.hexdigest()) == DIGEST.hexdigest()
    assert (
        md5_of_header(base64.b64encode(DIGEST.digest()).decode()) == DIGEST.hexdigest()
    )
    assert md5_of_header(None) is md5_of_header("") is None


@pytest.mark.parametrize("text", ["nothing", "zz" * 16, "ab" * 15, "YWJj", "é"])
def test_no_checksum(text: str) -> None:
    with pytest.raises(VaultFault):
        md5_of_header(text)


@pytest.mark.parametrize(
    ("error", "error_type"),
    [
        (store.NotFound, ErrorType.INVALID_DATA),
        (store.AlreadyThere, ErrorType.ITEM_NAME_EXISTS),
        (store.NotEmpty, ErrorType.OPERATION_NOT_ALLOWED),
        (store.TooLarge, ErrorType.EXCEEDS_FILE_MAX_SIZE),
        (store.ChecksumMismatch, ErrorType.INVALID_DATA),
        (store.StoreError, ErrorType.UNEXPECTED_ERROR),
    ],
)
def test_faults(error: type[store.StoreError], error_type: ErrorType) -> None:
    with pytest.raises(VaultFault) as raised, as_faults():
        raise error
    assert raised.value.error.type is error_type
