"""Versions of documents: their numbers, and the beginning of a document."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.error_types import ErrorType
from shared.vault.documents.versions import (
    Beginning,
    Number,
    Writing,
    document_number,
    first_number,
    first_version,
    latest_version,
    lifecycle_of,
    type_of,
    version_id,
)
from shared.vault.errors import VaultFault
from shared.vault.model.component_model import DocumentModel, DocumentType, Lifecycle

LETTER = DocumentType("letter__c", "Letter", lifecycles=("draft__c", "old__c"))
ANSWER = DocumentType("letter__c.answer__c", "Answer")
SHORT = DocumentType("letter__c.answer__c.short__c", "Short")
BOOK = DocumentType("book__c", "Book", lifecycles=("draft__c", "review__c"))
OLD = DocumentType("old__c", "Old", active=False)
TYPES = {kind.name: kind for kind in (LETTER, ANSWER, SHORT, BOOK, OLD)}

MAJOR, MINOR = "major_version_number__v", "minor_version_number__v"


def refusal(error: pytest.ExceptionInfo[VaultFault]) -> ErrorType:
    return error.value.error.type


@pytest.mark.parametrize(
    ("number", "draft", "steady"),
    [
        (Number(0, 1), "0.2", "1.0"),
        (Number(1, 0), "1.1", "2.0"),
        (Number(9, 99), "9.100", "10.0"),
    ],
)
def test_what_follows_a_version(number: Number, draft: str, steady: str) -> None:
    assert str(number.draft_after()) == draft
    assert str(number.steady_after()) == steady


NUMBERS = st.builds(Number, st.integers(0, 50), st.integers(0, 50))


@given(NUMBERS)
def test_a_version_that_follows_is_the_greater_one(number: Number) -> None:
    assert number < number.draft_after() < number.steady_after()


@given(st.integers(1, 10), NUMBERS, NUMBERS)
def test_versions_have_ids_of_their_own(
    document_id: int, number: Number, other: Number
) -> None:
    ids = {version_id(document_id, number), version_id(document_id, other)}
    assert len(ids) == len({number, other})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Number(0, 1)),
        ({MAJOR: "", MINOR: ""}, Number(0, 1)),
        ({MAJOR: "2", MINOR: "0"}, Number(2, 0)),
        ({MAJOR: "0", MINOR: "0"}, Number(0, 0)),
        ({MAJOR: "007", MINOR: "9999"}, Number(7, 9999)),
    ],
)
def test_the_first_number(fields: Mapping[str, str], expected: Number) -> None:
    assert first_number(fields) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {MAJOR: "1"},
        {MINOR: "1"},
        {MAJOR: "1", MINOR: ""},
        {MAJOR: "-1", MINOR: "0"},
        {MAJOR: "1.0", MINOR: "0"},
        {MAJOR: "٣", MINOR: "0"},
        {MAJOR: "10000", MINOR: "0"},
        {MAJOR: "0" * 12 + "123456", MINOR: "0"},
        {MAJOR: "9" * 5000, MINOR: "0"},
    ],
)
def test_a_first_number_that_is_none(fields: Mapping[str, str]) -> None:
    with pytest.raises(VaultFault) as raised:
        first_number(fields)
    assert refusal(raised) is ErrorType.INVALID_DATA


DRAFT = Lifecycle("draft__c", "Draft", "begun__c")
REVIEW = Lifecycle("review__c", "Review", "begun__c")
RETIRED = Lifecycle("old__c", "Old", "begun__c", active=False)
LIFECYCLES = {each.name: each for each in (DRAFT, REVIEW, RETIRED)}
MODEL = DocumentModel(types=TYPES, lifecycles=LIFECYCLES)


@pytest.mark.parametrize(
    ("type_", "subtype", "classification", "expected"),
    [
        ("letter__c", "", "", LETTER),
        ("Letter", "", "", LETTER),
        ("letter__c", "answer__c", "", ANSWER),
        ("Letter", "Answer", "Short", SHORT),
    ],
)
def test_a_type_is_named_level_by_level(
    type_: str, subtype: str, classification: str, expected: DocumentType
) -> None:
    fields = {
        "type__v": type_,
        "subtype__v": subtype,
        "classification__v": classification,
    }
    assert type_of(MODEL, fields) == expected


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, ErrorType.PARAMETER_REQUIRED),
        ({"subtype__v": "answer__c"}, ErrorType.PARAMETER_REQUIRED),
        ({"type__v": "none__c"}, ErrorType.INVALID_DATA),
        ({"type__v": "old__c"}, ErrorType.INVALID_DATA),
        ({"type__v": "answer__c"}, ErrorType.INVALID_DATA),
        ({"type__v": "letter__c", "subtype__v": "short__c"}, ErrorType.INVALID_DATA),
        (
            {"type__v": "letter__c", "classification__v": "short__c"},
            ErrorType.INVALID_DATA,
        ),
    ],
)
def test_fields_that_name_no_type(fields: Mapping[str, str], error: ErrorType) -> None:
    with pytest.raises(VaultFault) as raised:
        type_of(MODEL, fields)
    assert refusal(raised) is error


@pytest.mark.parametrize(
    ("kind", "chosen", "expected"),
    [
        (LETTER, None, DRAFT),
        (LETTER, "", DRAFT),
        (SHORT, None, DRAFT),
        (BOOK, "review__c", REVIEW),
        (BOOK, "Review", REVIEW),
    ],
)
def test_a_lifecycle_is_chosen_or_the_only_active_one(
    kind: DocumentType, chosen: str | None, expected: Lifecycle
) -> None:
    assert lifecycle_of(MODEL, kind, chosen) == expected


@pytest.mark.parametrize(
    ("kind", "chosen", "error"),
    [
        (BOOK, None, ErrorType.PARAMETER_REQUIRED),
        (BOOK, "none__c", ErrorType.INVALID_DATA),
        (LETTER, "old__c", ErrorType.INVALID_DATA),
        (OLD, None, ErrorType.INVALID_DATA),
    ],
)
def test_a_choice_of_no_lifecycle(
    kind: DocumentType, chosen: str | None, error: ErrorType
) -> None:
    with pytest.raises(VaultFault) as raised:
        lifecycle_of(MODEL, kind, chosen)
    assert refusal(raised) is error


@pytest.mark.parametrize(
    ("number_format", "document_id", "expected"),
    [
        ("", 7, "VV-00007"),
        ("ET-{######}", 12, "ET-000012"),
        ("{##}/x", 12345, "12345/x"),
        ("none", 1, "none"),
    ],
)
def test_the_number_of_a_document(
    number_format: str, document_id: int, expected: str
) -> None:
    kind = DocumentType("letter__c", "Letter", number_format=number_format)
    assert document_number(kind, document_id) == expected


NOW = datetime(2024, 5, 6, tzinfo=UTC)
WRITING = Writing(vault_id=9, user_id=31, moment=NOW)


def test_what_is_stored_of_a_new_document() -> None:
    beginning = Beginning(ANSWER, DRAFT, Number(0, 1))
    assert first_version(WRITING, 12, beginning, {"name__v": "Answer"}) == {
        "name__v": "Answer",
        "document_id__sys": 12,
        "global_id__sys": "9_12",
        "document_number__v": "VV-00012",
        "type__v": "letter__c",
        "subtype__v": "answer__c",
        "lifecycle__v": "draft__c",
        "document_creation_date__v": NOW,
        "created_by__v": 31,
        "id": "12_0_1",
        "latest_version__sys": True,
        "global_version_id__sys": "9_12_0_1",
        "major_version_number__v": 0,
        "minor_version_number__v": 1,
        "status__v": "begun__c",
        "version_creation_date__v": NOW,
        "version_created_by__v": 31,
        "last_modified_by__v": 31,
        "version_modified_date__v": NOW,
    }


def test_a_later_version_keeps_who_created_the_document() -> None:
    earlier = first_version(WRITING, 12, Beginning(ANSWER, DRAFT, Number(0, 1)), {})
    later = datetime(2024, 5, 7, tzinfo=UTC)
    writing = Writing(vault_id=9, user_id=32, moment=later)
    version = latest_version(writing, earlier, DRAFT, Number(0, 2))
    assert version["id"] == "12_0_2"
    assert version["created_by__v"] == 31
    assert version["document_creation_date__v"] == NOW
    assert version["last_modified_by__v"] == 32
    assert version["version_creation_date__v"] == later
    assert version["version_created_by__v"] == 32
