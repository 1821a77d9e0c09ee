"""Tokens: lists as one, escapes, places, and linear time on hostile text."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.vault.vql import VqlLimitError, VqlSyntaxError, literal
from shared.vault.vql.vql_errors import place
from shared.vault.vql.vql_tokens import (
    END,
    MAX_TEXT,
    QUOTE,
    like_segments,
    list_values,
    position_of,
    string_value,
    tokenize,
)

IDS = [f"V4T{number:012d}" for number in range(500)]


def test_a_list_of_literals_is_one_token() -> None:
    text = "WHERE id CONTAINS (" + " , ".join(f"'{id_}'" for id_ in IDS) + ")"
    found = tokenize(text)
    assert len(found) == 5
    assert list_values(found[3]) == tuple(IDS)


@pytest.mark.parametrize(
    ("token", "values"),
    [
        ("('a')", ("a",)),
        (r"('it''s', 'x\'y', '', ',')", ("it's", "x'y", "", ",")),
        ("('a''', '''b')", ("a'", "'b")),
        (r"('\\', 'b')", ("\\", "b")),
        ("(1, -2 ,3)", (1, -2, 3)),
    ],
)
def test_list_values(token: str, values: tuple[object, ...]) -> None:
    assert tokenize(token) == [token, END]
    assert list_values(token) == values


storable = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40
)


@given(st.lists(storable, min_size=1, max_size=8))
def test_any_text_survives_quoting(values: list[str]) -> None:
    token = "(" + ",".join(map(literal, values)) + ")"
    assert tokenize(token) == [token, END]
    assert list_values(token) == tuple(values)
    assert string_value(literal(values[0])) == values[0]


@given(st.lists(storable, min_size=1, max_size=8))
def test_doubled_quotes_survive_too(values: list[str]) -> None:
    token = (
        "("
        + ",".join(
            "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
            for value in values
        )
        + ")"
    )
    assert list_values(token) == tuple(values)


@pytest.mark.parametrize(
    ("token", "segments"),
    [
        ("'abc'", ("abc",)),
        ("'abc%'", ("abc", "")),
        (r"'a\%b%c'", ("a%b", "c")),
        ("'a%%b'", ("a", "", "b")),
        (r"'o''n\\%'", ("o'n\\", "")),
        ("'%a'", ("", "a")),
    ],
)
def test_like_segments(token: str, segments: tuple[str, ...]) -> None:
    assert like_segments(token) == segments


@pytest.mark.parametrize("token", [r"'\q'", "'a\\\n'"])
def test_unknown_escape(token: str) -> None:
    with pytest.raises(ValueError, match="escape"):
        string_value(token)


def test_position_counts_characters_of_the_text_as_given() -> None:
    text = "\n SELECT  id FROM\n  x "
    assert [position_of(text, number) for number in range(4)] == [2, 10, 13, 20]
    assert place(text, 20) == "line 3, column 3"
    assert position_of(text, 99) == len(text.rstrip())


def test_the_text_has_a_bound() -> None:
    tokenize("a" * MAX_TEXT)
    with pytest.raises(VqlLimitError, match="50000"):
        tokenize("a" * (MAX_TEXT + 1))


@pytest.mark.parametrize("text", ["SELECT 'a\0'", "SELECT 'a\ud800'"])
def test_characters_that_cannot_be_stored(text: str) -> None:
    with pytest.raises(VqlSyntaxError) as caught:
        tokenize(text)
    assert caught.value.position == 9


def test_stripping_leaves_no_space_that_a_token_could_begin_with() -> None:
    spaces = [chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace()]
    assert set(" \t\n\r\f\v") <= set(spaces)
    assert tokenize("a" + "".join(spaces)) == ["a", END]


@pytest.mark.parametrize(
    "text",
    [
        "('a'," * 9_000,
        "('a " * 12_000,
        "('a' " * 9_000,
        "('a','" * 8_000,
        "'" + "''" * 24_000,
        "'" + "\\" * 49_000,
        " " * 50_000,
        "a" + " " * 49_000 + "b",
        "a." * 25_000,
        "a.1" * 16_000,
        "(" + "1" * 49_000,
        "'" + "\\'" * 24_000,
        "1" * 49_000 + "a",
        "(" * 50_000,
    ],
)
def test_hostile_text_is_cut_once(text: str) -> None:
    # The whole text is covered by its tokens: nothing was skipped, nothing read twice.
    found = tokenize(text)
    read = text
    if QUOTE in found:
        # A string that is not closed is its quote, and stands for the rest.
        assert found[-2:] == [QUOTE, END]
        read = text[: position_of(text, len(found) - 2) + 1]
    assert "".join("".join(found).split()) == "".join(read.split())
