"""Error types in plain words, and the keys that errors name: all that the picklists and the connector have."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.connector.processing import message_failure
from services.connector.rules import item_failures
from services.connector.rules.compiled import _unusable
from services.connector.rules.conversion import PendingReference
from services.connector.rules.lookups import (
    LookupSet,
    LookupType,
    MissingLookup,
    _missing,
)
from shared.vault.exceptions.error_explanations import explanation_of, reason_of
from shared.vault.exceptions.exception_model import ItemErrorType, MessageErrorType
from shared.vault.exceptions.missing_keys import missing_lookup_key, missing_record_key
from tests.unit.connector.standard_vaults import CRM, MEDICAL, registry

TYPES = [*ItemErrorType, *MessageErrorType]


@pytest.mark.parametrize("error_type", TYPES)
def test_each_error_type_has_sentences_without_its_code(
    error_type: ItemErrorType | MessageErrorType,
) -> None:
    words = explanation_of(error_type.value)
    assert words is not None
    for sentence in (words.what, words.remedy):
        assert sentence[0].isupper() and sentence.endswith(".")
        assert "__" not in sentence and "error" not in sentence[:6].lower()


def test_no_two_error_types_say_the_same() -> None:
    said = [explanation_of(each.value) for each in TYPES]
    assert len(set(said)) == len(TYPES)


def test_an_error_type_that_was_added_has_no_words() -> None:
    assert explanation_of("mine__c") is None


@pytest.mark.parametrize("standard", [MEDICAL, CRM])
def test_the_error_types_are_those_of_the_picklists_and_of_the_connector(
    standard: Path,
) -> None:
    picklists = registry(standard).picklists
    of_items = picklists["exception_item_error_type__sys"].entries
    of_messages = picklists["exception_message_error_type__sys"].entries
    assert set(of_items) == {each.value for each in ItemErrorType}
    assert set(of_items) == {each.value for each in item_failures.ItemErrorType}
    assert set(of_messages) == {each.value for each in MessageErrorType}
    assert set(of_messages) > {each.value for each in message_failure.MessageErrorType}


BEFORE = "Integration rule r__c, field rule f__c, target field x__v.y__v: "
COLOURS = LookupSet("colours__c", LookupType.PICKLIST, {})
TEXTS = LookupSet("texts__c", LookupType.GENERIC, {})


def no_row(lookup: LookupSet, *keys: str) -> str:
    return BEFORE + str(_missing(lookup, list(keys), MissingLookup.ERROR, coded=False))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (no_row(COLOURS, "teal__c"), "teal__c"),
        (f"another line\n{no_row(COLOURS, 'teal__c')}", "teal__c"),
        (no_row(COLOURS, "teal__c", "plum__c"), ""),
        (no_row(COLOURS, "Ms Doe"), ""),
        (no_row(TEXTS, "teal__c"), ""),
        ("cut off: reference lookup colours__c (picklist) has no active row", ""),
        ("", ""),
    ],
)
def test_the_key_that_a_lookup_misses(text: str, key: str) -> None:
    assert missing_lookup_key(text, COLOURS.name) == key


def no_record(key: str, name: str = "product__v") -> str:
    reference = PendingReference(name, "external_id__v", key)
    return BEFORE + str(_unusable(reference, None))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (no_record("P-77"), "P-77"),
        (no_record(" P-77"), "P-77"),
        (f"{no_record('C-1', 'country__v')}\n{no_record('P-77')}", "P-77"),
        (no_record("jane@example.test"), ""),
        (no_record("Ms Doe"), ""),
        (no_record("C-1", "country__v"), ""),
        ("", ""),
    ],
)
def test_the_key_that_no_record_has(text: str, key: str) -> None:
    assert missing_record_key(text, "product__v", "external_id__v") == key


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"{BEFORE}no such row", "No such row"),
        (f"{BEFORE}one: two\n{BEFORE}three", "One: two\nThree"),
        ("Field [x__v]: too long", "Field [x__v]: too long"),
        (BEFORE.rstrip(), BEFORE.rstrip()),
        ("", ""),
    ],
)
def test_a_reason_stands_without_the_names_before_it(text: str, reason: str) -> None:
    assert reason_of(text) == reason


def test_what_the_connector_names_before_a_reason_is_left_out() -> None:
    assert reason_of(no_record("P-77")).startswith("No product__v with external_id__v ")
