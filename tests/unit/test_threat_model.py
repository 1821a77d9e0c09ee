"""The threat model: each line names existing tests, or says that none exists; each risk of OWASP has its row."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PAGE = PROJECT / "docs" / "security.md"
THREATS, _, RISKS = PAGE.read_text(encoding="utf-8").partition("## OWASP")
ROW = re.compile(r"^\| (?P<what>(?!What |Risk |---).+?) \| .+ \| (?P<shown>[^|]+) \|$")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
NOT_YET = "No test shows this yet."
COMPOSED = "`make test-compose`"


def rows(text: str) -> dict[str, str]:
    """The last cell of each row, by the first."""
    matches = (ROW.match(line) for line in text.splitlines())
    return {match["what"]: match["shown"] for match in matches if match}


@cache
def functions_in(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(
        node.name for node in ast.walk(tree) if isinstance(node, functions)
    )


EVERY_ROW = {**rows(THREATS), **rows(RISKS)}


@pytest.mark.parametrize("what", EVERY_ROW)
def test_a_line_is_shown_by_tests_that_exist(what: str) -> None:
    shown = EVERY_ROW[what]
    if shown in (NOT_YET, COMPOSED):
        return
    named = NAMED.findall(shown)
    assert ", ".join(f"`{file}::{test}`" for file, test in named) == shown
    for file, test in named:
        assert test.startswith("test_")
        assert test in functions_in(PROJECT / file), (file, test)


def test_each_threat_says_whether_it_can() -> None:
    lines = [line for line in THREATS.splitlines() if ROW.match(line)]
    assert len(lines) == len(rows(THREATS)) > 50
    assert all(line.split(" | ")[1] in ("can", "cannot") for line in lines)


def test_every_risk_has_a_row_with_tests() -> None:
    numbers = [what.partition(" ")[0] for what in rows(RISKS)]
    assert numbers == [f"API{number}" for number in range(1, 11)]
    assert NOT_YET not in RISKS
