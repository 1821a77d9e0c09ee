"""Search phrases: words, wildcards, exact words, operators and their order, bounds."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.vault.vql import VqlError, VqlLimitError, compile_query, parse
from shared.vault.vql.phrase import read_phrase
from shared.vault.vql.syntax_tree import Connective, Search, Word
from tests.unit.vql.sample import REGISTRY, readable


def word(*parts: str) -> Word:
    return Word(parts)


@pytest.mark.parametrize(
    ("phrase", "terms"),
    [
        ("insulin", word("insulin")),
        ("a b", Search(Connective.AND, (word("a"), word("b")))),
        ("a b OR c", Search(Connective.OR, (word("a"), word("b"), word("c")))),
        (
            "a OR b AND c",
            Search(
                Connective.OR,
                (word("a"), Search(Connective.AND, (word("b"), word("c")))),
            ),
        ),
        (
            "(a OR b) AND c",
            Search(
                Connective.AND,
                (Search(Connective.OR, (word("a"), word("b"))), word("c")),
            ),
        ),
        ("NOT a", Search(Connective.NOT, (word("a"),))),
        (
            "a AND NOT b",
            Search(Connective.AND, (word("a"), Search(Connective.NOT, (word("b"),)))),
        ),
        ("and or not", Search(Connective.AND, (word("and"), word("or"), word("not")))),
        (
            '"blood  sugar" x',
            Search(Connective.AND, (Word(("blood  sugar",), exact=True), word("x"))),
        ),
        ("o*olog*", word("o", "olog", "")),
        (
            r"50\% it''s a\*",
            Search(Connective.AND, (word("50%"), word("it's"), word("a*"))),
        ),
        (r"\"a", word('"a')),
    ],
)
def test_terms(phrase: str, terms: object) -> None:
    assert read_phrase(f"'{phrase}'") == terms


@pytest.mark.parametrize(
    "phrase",
    [
        "",
        " ",
        "*a",
        "a*b*c*",
        "AND",
        "a OR",
        "NOT",
        "(",
        ")",
        "(a",
        "a)",
        '"',
        '""',
        '"a',
    ],
)
def test_what_is_no_phrase(phrase: str) -> None:
    with pytest.raises(ValueError, match=r"search|exact"):
        read_phrase(f"'{phrase}'")


@pytest.mark.parametrize(
    "phrase",
    ["x" * 251, " ".join(["a*"] * 11), "(" * 30 + "a" + ")" * 30, "NOT " * 30 + "a"],
)
def test_bounds(phrase: str) -> None:
    with pytest.raises(VqlLimitError):
        read_phrase(f"'{phrase}'")


def patterns(find: str) -> list[object]:
    query = compile_query(
        parse(f"SELECT id FROM account__v FIND ({find} SCOPE name__v)"),
        REGISTRY,
        readable,
    )
    return list(query.matching_parameters)


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("'insulin'", [r"\minsulin\w*"]),
        ("'\"insulin\"'", [r"\minsulin\M"]),
        ("'blood sugar'", [r"\mblood\M", r"\msugar\M"]),
        ("'\"blood sugar\"'", [r"\mblood\s+sugar\M"]),
        ("'o*olog*'", [r"\mo\w*olog\w*"]),
        ("'x'", [r"\mx\M"]),
        ("'CC-123'", [r"\mCC\-123\M"]),
        ("'10mg'", [r"\m10mg\M"]),
        ("'(a.b|c)+'", [r"\ma\.b\|c\M", r"\+"]),
        ("'étude'", [r"étude\w*"]),
        (r"'\\d[0-9]'", [r"\\d\[0\-9\]"]),
    ],
)
def test_patterns(phrase: str, expected: list[str]) -> None:
    assert patterns(phrase) == expected


@given(
    st.text(
        st.characters(exclude_characters="\0'\\", exclude_categories=["Cs"]),
        max_size=50,
    )
)
def test_no_character_of_a_word_is_an_operator(text: str) -> None:
    try:
        found = patterns(f"'{text}'")
    except VqlError:
        return
    for pattern in found:
        plain = re.sub(r"\\[mM]|\\w\*|\\s\+", "", str(pattern))
        assert not re.search(r"(?<!\\)(?:\\\\)*[][(){}.^$|?*+]", plain)


def test_find_keeps_its_text_and_ranks() -> None:
    query = compile_query(
        parse("SELECT id FROM account__v FIND ( 'a b'  SCOPE name__v )"),
        REGISTRY,
        readable,
    )
    assert query.find == "( 'a b'  SCOPE name__v )"
    assert "ORDER BY ts_rank(" in query.sql
    assert query.parameters[-1] == "'a':* | 'b':*"
    assert not query.keyset
