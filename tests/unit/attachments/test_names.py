"""File names, descriptions and media types of attachments, and their texts on the audit trail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault
from shared.vault.files.attachment_model import (
    MAX_FILENAME,
    audit_text,
    checked_filename,
    checked_text,
    media_type,
)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("report.pdf", "report.pdf"),
        ("/home/ada/report.pdf", "report.pdf"),
        ("C:\\Users\\Ada\\report.pdf", "report.pdf"),
        ("folder/..\\report.pdf", "report.pdf"),
        ("  report.pdf ", "report.pdf"),
        ("Référence clinique.docx", "Référence clinique.docx"),
        ("x" * MAX_FILENAME, "x" * MAX_FILENAME),
    ],
)
def test_a_file_name_is_kept_without_folders(sent: str, kept: str) -> None:
    assert checked_filename(sent) == kept


@pytest.mark.parametrize(
    "sent", ["", " ", "/", "folder/", ".", "a/..", "a\x00b", "a\nb", "x" * 256]
)
def test_a_file_name_that_is_none_is_refused(sent: str) -> None:
    with pytest.raises(VaultFault) as raised:
        checked_filename(sent)
    assert raised.value.error.type is ErrorType.INVALID_DATA


@given(st.text())
def test_a_kept_file_name_names_no_other_folder(sent: str) -> None:
    try:
        kept = checked_filename(sent)
    except VaultFault:
        return
    assert kept not in {"", ".", ".."}
    assert not set(kept) & set("/\\\x00\n")
    assert checked_filename(kept) == kept


@pytest.mark.parametrize(
    ("value", "kept"),
    [("text", "text"), ("", None), (None, None), (12, "12"), ("abcde", "abcde")],
)
def test_a_text_is_kept_unless_it_is_empty(value: object, kept: str | None) -> None:
    assert checked_text("description__v", value, 5) == kept


@pytest.mark.parametrize("value", ["abcdef", "a\x00b"])
def test_a_text_that_cannot_be_stored_is_refused(value: str) -> None:
    with pytest.raises(VaultFault, match="description__v"):
        checked_text("description__v", value, 5)


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("a.pdf", "application/pdf"),
        ("A.PDF", "application/pdf"),
        ("a.csv", "text/csv"),
        ("a", "application/octet-stream"),
        ("a.unknown", "application/octet-stream"),
    ],
)
def test_the_media_type_is_that_of_the_ending(filename: str, expected: str) -> None:
    assert media_type(filename) == expected


@pytest.mark.parametrize(
    ("description", "expected"),
    [(None, "a.pdf (2)"), ("", "a.pdf (2)"), ("signed", "a.pdf (2): signed")],
)
def test_the_audit_trail_names_file_version_and_description(
    description: str | None, expected: str
) -> None:
    assert audit_text("a.pdf", 2, description) == expected
