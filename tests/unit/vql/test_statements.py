"""Every statement of ``statements.txt`` compiles to the SQL and parameters below it, or is refused as noted there.

``RENEW_STATEMENTS=1 pytest tests/unit/vql/test_statements.py`` writes the compiler's present output into the file;
review the diff like code. Add a new statement as a ``VQL`` line only. Under CI nothing is ever renewed.
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
