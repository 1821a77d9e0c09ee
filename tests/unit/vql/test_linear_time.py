"""Reading and compiling take steps in proportion to any text; the steps are counted, not timed."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from shared.vault.vql import VqlError, compile_query, parse, phrase
from shared.vault.vql import vql_tokens as tokens
from tests.unit.vql.sample import REGISTRY, TARGETS, readable

LONG = 40_000  # characters
PATTERNS = [
    value
    for module in (tokens, phrase)
    for value in vars(module).values()
    if isinstance(value, re.Pattern)
]


class Steps:
    """Calls, and the lines of Python code that ran."""

    def __init__(self) -> None:
        self.count = 0

    def trace(self, *_: object) -> Callable[..., Any]:
        self.count += 1
        return self.trace


@contextmanager
def counted() -> Iterator[Steps]:
    steps, before = Steps(), sys.gettrace()
    sys.settrace(steps.trace)
    try:
        yield steps
    finally:
        sys.settrace(before)


def steps_of(text: str) -> int:
    with counted() as steps, suppress(VqlError):
        compile_query(parse(text), REGISTRY, readable, targets=TARGETS)
    return steps.count


HOSTILE = {
    # So long that all of them are within the bound of a statement.
    "conditions": (
        "SELECT id FROM account__v WHERE id = 'x'",
        f" OR id = '{'x' * 40}'",
        "",
    ),
    "conjunctions": (
        "SELECT id FROM account__v WHERE id = 'x'",
        f" AND beds__v > {'1' * 30}",
        "",
    ),
    "conditions without end": (
        "SELECT id FROM account__v WHERE id = 'x'",
        " OR id = 'x'",
        "",
    ),
    "ids": ("SELECT id FROM account__v WHERE id CONTAINS ('x'", ",'x'", ")"),
    "ids not closed": ("SELECT id FROM account__v WHERE id CONTAINS ('x'", ",'x'", ""),
    "escapes": ("SELECT id FROM account__v WHERE id CONTAINS ('x'", ",'\\'%'", ")"),
    "mixed list": ("SELECT id FROM account__v WHERE id CONTAINS (null", ",'x'", ")"),
    "fields": ("SELECT id", ", name__v", " FROM account__v"),
    "paths": ("SELECT id", ", primary_country__vr.name__v", " FROM account__v"),
    "deep path": (
        "SELECT parent_account__vr",
        ".parent_account__vr",
        ".id FROM account__v",
    ),
    "opening parentheses": ("SELECT id FROM account__v WHERE ", "(", ""),
    "sub-selects": (
        "SELECT id",
        ", (SELECT id FROM addresses__vr)",
        " FROM account__v",
    ),
    "semi-joins": (
        "SELECT id FROM account__v WHERE id = 'x'",
        " AND id IN (SELECT id FROM addresses__vr)",
        "",
    ),
    "order": ("SELECT id FROM account__v ORDER BY id", ", name__v", ""),
    "quotes": ("SELECT id FROM account__v WHERE name__v = '", "''", "'"),
    "wildcards": ("SELECT id FROM account__v WHERE name__v LIKE 'a", "%_", "'"),
    "search words": ("SELECT id FROM account__v FIND ('a", " a*", "')"),
    "search phrases": (
        "SELECT id FROM account__v FIND ('a'",
        " OR 'b' SCOPE name__v",
        ")",
    ),
    "search parentheses": ("SELECT id FROM account__v FIND (", "(", ")"),
    "search negations": ("SELECT id FROM account__v FIND (", "NOT ", "'a')"),
    "tokens not closed": ("SELECT id FROM account__v WHERE id = ", "${a.", ""),
    "date literals": (
        "SELECT id FROM account__v WHERE id = 'x'",
        " AND birth_date__v    !=    LAST_DAYS:30000",
        "",
    ),
    "spaces": ("SELECT id FROM account__v", " ", ""),
}


@pytest.mark.parametrize("head", HOSTILE)
def test_twice_the_text_takes_at_most_twice_the_steps(head: str) -> None:
    begin, repeated, end = HOSTILE[head]
    few, many = (
        steps_of(begin + repeated * (length // len(repeated)) + end)
        for length in (LONG // 4, LONG)
    )
    assert many <= 4.2 * few + 2_000


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.pattern[:30])
def test_no_pattern_goes_back_over_what_it_has_read(pattern: re.Pattern[str]) -> None:
    """Every repetition is possessive, or repeats one character: no text makes it backtrack."""
    parser = re._parser
    for operator, argument in walked(parser.parse(pattern.pattern, pattern.flags)):
        if str(operator) in ("MAX_REPEAT", "MIN_REPEAT"):
            _, most, repeated = argument
            assert most == 1 or len(repeated) == 1


def walked(parsed: Any) -> Iterator[tuple[Any, Any]]:
    for operator, argument in parsed:
        yield operator, argument
        for inner in argument if isinstance(argument, tuple | list) else ():
            if hasattr(inner, "data"):
                yield from walked(inner)
            elif isinstance(inner, list):
                for branch in inner:
                    if hasattr(branch, "data"):
                        yield from walked(branch)
