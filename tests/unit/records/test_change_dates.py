"""Statements date changes by the Vault's clock only: a run may already have read past any other date."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

VAULT = Path(__file__).parents[3] / "shared" / "vault"
DATED = re.compile(
    r"modified_date__v|version_modified_date__v|date_deleted|platform\.deletion"
)
WRITES = re.compile(r"\b(?:INSERT INTO|UPDATE)\b")
OTHER_CLOCKS = re.compile(
    r"\b(?:now|clock_timestamp|statement_timestamp|transaction_timestamp)\(\)"
    r"|CURRENT_TIMESTAMP",
    re.IGNORECASE,
)


def texts() -> Iterator[tuple[str, str]]:
    """The text constants of the Vault, each with its module; of a text with expressions its parts together."""
    for path in VAULT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [
                    part.value for part in node.values if isinstance(part, ast.Constant)
                ]
                yield path.name, " ".join(map(str, parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield path.name, node.value


def test_no_statement_dates_a_change_by_another_clock() -> None:
    dating = [
        (module, text)
        for module, text in texts()
        if DATED.search(text) and WRITES.search(text)
    ]
    assert {"sign_ins.py", "exception_triggers.py", "deletions.py"} <= {
        each for each, _ in dating
    }
    assert [each for each in dating if OTHER_CLOCKS.search(each[1])] == []
