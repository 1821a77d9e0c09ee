"""Every statement of ``statements.txt`` compiles to the SQL and parameters below it, or is refused as said there.

``RENEW_STATEMENTS=1 pytest tests/unit/vql/test_statements.py`` writes what the compiler makes now into the file; the
diff is then reviewed like code. A new statement is added as a ``VQL`` line alone. Under CI nothing is ever renewed.
"""

from __future__ import annotations

import os
import re

import pytest

from tests.unit.vql.cases import Case, outcome, read_cases, renew

if os.environ.get("RENEW_STATEMENTS") == "1" and not os.environ.get("CI"):
    renew()

CASES = read_cases()


@pytest.mark.parametrize("case", CASES, ids=[case.text for case in CASES])
def test_outcome(case: Case) -> None:
    assert outcome(case.text) == case.expected


@pytest.mark.parametrize("case", [case for case in CASES if case.is_refused])
def test_a_refusal_says_where(case: Case) -> None:
    assert re.search(r"\(line \d+, column \d+\)$", case.expected)


def test_there_are_statements_enough() -> None:
    assert len({case.text for case in CASES}) >= 300
