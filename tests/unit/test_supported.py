"""The tables of the reference: each example behaves as its row says, and each word of the language has a row."""

from __future__ import annotations

import re

import pytest

from local.supported import MDL, VQL
from shared.vault.components.mdl import parse
from shared.vault.components.statement import Command
from shared.vault.vql import VqlError, compile_query, parse_statement, show_rows
from shared.vault.vql.deferred import NAMES, TOKENS
from shared.vault.vql.functions import SELECTABLE
from shared.vault.vql.syntax_tree import Show
from shared.vault.vql.vql_tokens import KEYWORDS
from tests.unit.vql.sample import REGISTRY, TARGETS, readable

ROWS = [(text, error) for rows in VQL.values() for _, text, error in rows]
STATEMENTS = " ".join(text for text, _ in ROWS)


def answer(text: str) -> None:
    statement = parse_statement(text)
    if isinstance(statement, Show):
        show_rows(statement, REGISTRY, readable, TARGETS)
    else:
        compile_query(statement, REGISTRY, readable, targets=TARGETS)


@pytest.mark.parametrize(("text", "error"), ROWS)
def test_a_vql_statement_is_answered_or_refused(text: str, error: str) -> None:
    if not error:
        answer(text)
        return
    with pytest.raises(VqlError) as caught:
        answer(text)
    assert caught.value.type == error


@pytest.mark.parametrize("word", sorted({*KEYWORDS, *SELECTABLE, *NAMES}))
def test_every_word_of_vql_has_a_row(word: str) -> None:
    assert re.search(rf"\b{word}\b", STATEMENTS)


@pytest.mark.parametrize("token", TOKENS)
def test_every_token_has_a_row(token: str) -> None:
    assert f"${{{token}}}" in STATEMENTS.lower()


@pytest.mark.parametrize("text", [text for _, text in MDL])
def test_an_mdl_statement_is_read(text: str) -> None:
    assert len(parse(text)) == 1


def test_every_command_of_mdl_has_a_row() -> None:
    assert {statement.command for _, text in MDL for statement in parse(text)} == set(
        Command
    )
