"""Searches as VQL: always a valid statement, whatever a user types."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.vault.admin.listing import MAX_WORDS, find
from shared.vault.vql import parse


def test_words_are_beginnings_of_words_as_they_stand() -> None:
    assert find("  Dose  INQ-000012 ") == " FIND ('Dose* INQ-000012*')"
    assert find("a OR NOT b*") == " FIND ('a* OR* NOT* b*')"
    assert find("") == find(" '() ") == ""


@given(st.text(max_size=200))
def test_any_text_is_a_search(text: str) -> None:
    condition = find(text)
    parse(f"SELECT id FROM thing__c{condition}")
    assert condition.count(" ") <= MAX_WORDS + 1
