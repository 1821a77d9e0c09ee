"""Search phrases: words, wildcards, exact words, operators and their order, bounds."""

from __future__ import annotations

import pytest

from shared.vault.vql import VqlLimitError, compile_query, parse
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


def parts_of(find: str) -> list[object]:
    """The parts between the wildcards of each word that is searched for."""
    query = compile_query(
        parse(f"SELECT id FROM account__v FIND ({find} SCOPE name__v)"),
        REGISTRY,
        readable,
    )
    return [each for each in query.matching_parameters if isinstance(each, list)]


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("'insulin'", [["insulin", ""]]),
        ("'\"insulin\"'", [["insulin"]]),
        ("'blood sugar'", [["blood", ""], ["sugar", ""]]),
        ("'blood OR NOT sugar'", [["blood", ""], ["sugar", ""]]),
        ("'\"blood sugar\"'", [["blood sugar"]]),
        ("'o*olog*'", [["o", "olog", ""]]),
        ("'x'", [["x"]]),
        ("'CC-123'", [["CC-123"]]),
        ("'12-34'", [["12-34"]]),
        ("'10mg'", [["10mg"]]),
        ("'Jean-Lu'", [["Jean-Lu", ""]]),
        ("'(a.b|c)+'", [["a.b|c", ""], ["+"]]),
        ("'étude'", [["étude", ""]]),
        (r"'\\d[0-9]'", [[r"\d[0-9]"]]),
    ],
)
def test_words_are_beginnings_of_words(phrase: str, expected: list[list[str]]) -> None:
    assert parts_of(phrase) == expected


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
