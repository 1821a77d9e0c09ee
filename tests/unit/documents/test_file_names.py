"""Names of files of documents, as sent and as stored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.error_types import ErrorType
from shared.vault.documents.document_content import MAX_FILENAME, file_name
from shared.vault.documents.document_store import SourceFile
from shared.vault.errors import VaultFault
from shared.vault.files.content_service import Content

CONTENT = Content("aa", 1, "bb", "content/aa")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("answer.pdf", "answer.pdf"),
        ("/home/ada/answer.pdf", "answer.pdf"),
        ("C:\\Ada\\answer.pdf", "answer.pdf"),
        (" answer.pdf ", "answer.pdf"),
        ("x" * MAX_FILENAME, "x" * MAX_FILENAME),
    ],
)
def test_a_file_name_is_kept_without_folders(sent: str, kept: str) -> None:
    assert file_name(sent) == kept


@pytest.mark.parametrize("sent", [None, "", "folder/", "a\x00b", "x" * 219])
def test_a_file_name_that_is_none_is_refused(sent: str | None) -> None:
    with pytest.raises(VaultFault) as raised:
        file_name(sent)
    assert raised.value.error.type is ErrorType.INVALID_DATA


@given(st.text(max_size=MAX_FILENAME))
def test_a_kept_file_name_has_no_folders(sent: str) -> None:
    try:
        kept = file_name(sent)
    except VaultFault:
        return
    assert not set(kept) & set("/\\\x00")
    assert file_name(kept) == kept


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("a.pdf", "application/pdf"),
        ("a.HTML", "text/html"),
        ("a", "application/octet-stream"),
    ],
)
def test_the_format_of_a_source_file(filename: str, expected: str) -> None:
    assert SourceFile(CONTENT, filename).format == expected
