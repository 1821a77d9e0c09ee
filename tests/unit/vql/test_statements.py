"""Every statement of statements.txt compiles to a plan of its class, or fails with the error type before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.vault.vql import VqlError, compile_query, parse_statement, show_rows
from shared.vault.vql.syntax_tree import Show
from tests.unit.vql.plans import plan_class
from tests.unit.vql.sample import REGISTRY, TARGETS, readable

LINES = [
    line.partition(" ")[::2]
    for line in Path(__file__)
    .with_name("statements.txt")
    .read_text(encoding="utf-8")
    .splitlines()
    if line and not line.startswith("#")
]


def outcome(text: str) -> str:
    statement = parse_statement(text.replace("␊", "\n"))
    if isinstance(statement, Show):
        show_rows(statement, REGISTRY, readable, TARGETS)
        return f"show_{statement.kind.lower()}"
    return plan_class(
        compile_query(statement, REGISTRY, readable, targets=TARGETS), TARGETS
    )


@pytest.mark.parametrize(("expected", "text"), LINES)
def test_outcome(expected: str, text: str) -> None:
    if not expected.isupper():
        assert outcome(text) == expected
        return
    with pytest.raises(VqlError, match=r"\(line \d+, column \d+\)$") as caught:
        outcome(text)
    assert caught.value.type == expected


def test_there_are_statements_enough() -> None:
    assert len(set(LINES)) >= 300
