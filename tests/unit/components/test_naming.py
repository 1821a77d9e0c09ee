"""Names made from labels."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.vault.components.naming import name_of_label


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("North America", "north_america__c"),
        ("  L'Est (2) ", "l_est_2__c"),
        ("Österreich", "osterreich__c"),
        ("a__b", "a_b__c"),
        ("X" * 200, "x" * 31 + "_aa20c23e__c"),
    ],
)
def test_names(label: str, name: str) -> None:
    assert name_of_label(label) == name


@given(st.text(max_size=200))
def test_every_label_has_a_name(label: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*__c", name_of_label(label))


def test_labels_without_latin_letters_have_names_of_their_own() -> None:
    assert name_of_label("東") != name_of_label("西")


def test_long_labels_that_differ_at_their_end_have_different_names() -> None:
    start = "the same beginning of a long label " * 2
    assert name_of_label(start + "a") != name_of_label(start + "b")
    assert name_of_label(start + "a") == name_of_label(start.upper() + "A")
