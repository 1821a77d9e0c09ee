"""Reads and writes ``statements.txt``: VQL statements and, below each, what it compiles to.

A case is a block of lines; an empty line ends it, and lines that begin with ``#`` are headings::

    VQL   SELECT name__v FROM account__v WHERE id = 'A1'
    PLAN  id/keyset
    SQL   SELECT t0."name__v", t0."id"
          FROM records."account__v" t0
          WHERE …
    WITH  $1 'A1'  $2 ''  $3 1000  $4 0

``PLAN`` is the class of the plan (``plans.py``), ``SQL`` the first page's statement broken at its clauses, ``WITH``
its parameters. A SHOW has its rows as ``ROW`` lines instead, a statement that is refused ``FAIL`` with the error's
type and message. The sign ␊ stands for a line break within a statement.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from shared.vault.vql import (
    CompiledQuery,
    VqlError,
    compile_query,
    parse_statement,
    show_rows,
)
from shared.vault.vql.deferred import ChildAddress, Deferred, Edge, TokenValue
from shared.vault.vql.syntax_tree import Show
from tests.unit.vql.plans import plan_class
from tests.unit.vql.sample import REGISTRY, TARGETS, readable

FILE = Path(__file__).with_name("statements.txt")
LABEL = 6  # characters in front of each line
WIDTH = 110  # characters of a line of parameters; where they take more, one a line
LONGEST = 200  # characters of a parameter; the rows of registry targets are longer
CLAUSE = re.compile(
    r" (?=(?:FROM|LEFT JOIN|WHERE|AND|ORDER BY|GROUP BY|LIMIT|UNION)\b)"
)


@dataclass(frozen=True)
class Case:
    """One statement and the lines that are expected below it."""

    text: str
    expected: str

    @property
    def is_refused(self) -> bool:
        return self.expected.startswith("FAIL")


def read_blocks() -> list[Case | str]:
    """Return the cases in order, and between them the headings as text."""
    blocks = FILE.read_text(encoding="utf-8").rstrip("\n").split("\n\n")
    return [block if block.startswith("#") else _case(block) for block in blocks]


def read_cases() -> list[Case]:
    return [block for block in read_blocks() if isinstance(block, Case)]


def renew() -> None:
    """Replace the expectations of every statement in the file by what it compiles to now."""
    blocks = [
        block if isinstance(block, str) else _block(block.text, outcome(block.text))
        for block in read_blocks()
    ]
    FILE.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")


def outcome(text: str) -> str:
    """Return the lines that belong below a statement."""
    try:
        statement = parse_statement(text)
        if isinstance(statement, Show):
            rows = show_rows(statement, REGISTRY, readable, TARGETS)
            return "\n".join(_line("ROW", json.dumps(row)) for row in rows)
        compiled = compile_query(statement, REGISTRY, readable, targets=TARGETS)
    except VqlError as error:
        return _line("FAIL", f"{error.type}: {error.message}")
    return "\n".join([_line("PLAN", plan_class(compiled, TARGETS)), *_page(compiled)])


def _page(compiled: CompiledQuery) -> list[str]:
    sql, parameters = compiled.page()
    first, *others = _clauses(sql)
    lines = [_line("SQL", first), *(_line("", clause) for clause in others)]
    shown = [f"${n} {_shown(each)}" for n, each in enumerate(parameters, 1)]
    together = "  ".join(shown)
    rows = [together] if len(together) <= WIDTH else shown
    return lines + [_line("" if n else "WITH", row) for n, row in enumerate(rows)]


def _clauses(sql: str) -> list[str]:
    """Break a statement at its own clauses, not at those within parentheses."""
    clauses = [""]
    for piece in CLAUSE.split(sql):
        open_before = clauses[-1].count("(") > clauses[-1].count(")")
        if open_before or not clauses[-1]:
            clauses[-1] = f"{clauses[-1]} {piece}".strip()
        else:
            clauses.append(piece)
    return clauses


def _shown(parameter: object) -> str:
    text = (
        f"<{_deferred(parameter)}>"
        if isinstance(parameter, Deferred)
        else repr(parameter)
    )
    if len(text) <= LONGEST:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{text[:LONGEST]}… {len(text)} characters, sha256 {digest}"


def _deferred(parameter: Deferred) -> str:
    """Name a parameter whose value is known only when the statement runs."""
    match parameter:
        case Edge(literal, end, days):
            side = "behind" if end else "begin of"
            shown = "day" if days else "moment"
            return f"{shown} {side} {literal.tense} {literal.count} {literal.unit}"
        case TokenValue(name, text):
            return f"{name} as {'text' if text else 'a number'}"
        case ChildAddress(number):
            return f"address of sub-select {number}"
        case _:
            return repr(parameter)


def _case(block: str) -> Case:
    head, _, expected = block.partition("\n")
    assert head.startswith("VQL"), head
    return Case(head[LABEL:].replace("␊", "\n"), expected)


def _block(text: str, expected: str) -> str:
    return _line("VQL", text.replace("\n", "␊")) + "\n" + expected


def _line(label: str, text: str) -> str:
    return f"{label:{LABEL}}{text}"
