"""By which words a similar question is found, and which texts of records are links."""

from __future__ import annotations

import pytest

from shared.vault.admin.showing import is_web_address
from shared.vault.admin.similar_answers import ANY_WORD, MAX_WORDS, question_words
from shared.vault.vql.phrase import MAX_PHRASE


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("", []),
        ("Is it so?", []),
        # The longest first; each once, whatever its case and punctuation.
        ("May Cholecap be crushed? CRUSHED!", ["cholecap", "crushed"]),
        ("stabil über 25 °C (in Lösung)", ["lösung", "stabil", "über"]),
        # A word that no search takes, as a pasted address without spaces.
        (f"{'x' * 251} crushed", ["crushed"]),
        ("dose's OR 'x' AND (NOT) \\* \"y\"", ["dose"]),
    ],
)
def test_words_of_a_question(question: str, words: list[str]) -> None:
    assert question_words(question) == words


def test_a_long_question_has_as_many_words_as_a_search_takes() -> None:
    assert len(question_words(" ".join(f"word{n}" for n in range(99)))) == MAX_WORDS


def test_long_words_are_as_many_as_a_search_phrase_takes() -> None:
    words = question_words(" ".join(f"{'arzneimittel' * 3}{n}" for n in range(9)))
    assert 2 < len(words) < 9
    assert len(ANY_WORD.join(words)) <= MAX_PHRASE


@pytest.mark.parametrize(
    ("text", "is_link"),
    [
        ("https://medical.example/ui/answers/a_b-c", True),
        ("http://127.0.0.1:8081/ui", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("//medical.example", False),
        ("see https://medical.example", False),
        ("https://medical.example and more", False),
        ("https://medical.example\njavascript:", False),
        ("https://m\N{CYRILLIC SMALL LETTER IE}dical.example", False),
        ("", False),
    ],
)
def test_an_address_of_a_page_is_a_link(text: str, is_link: bool) -> None:
    assert is_web_address(text) is is_link
