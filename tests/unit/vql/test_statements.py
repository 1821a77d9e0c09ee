"""Every statement of statements.txt compiles, or fails with the error type that stands before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.vault.vql import VqlError, compile_query, parse
from tests.unit.vql.sample import REGISTRY, readable

LINES = [
    line.partition(" ")[::2]
    for line in Path(__file__).with_name("statements.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


@pytest.mark.parametrize(("expected", "text"), LINES)
def test_outcome(expected: str, text: str) -> None:
    text = text.replace("␊", "\n")
    if expected == "OK":
        compile_query(parse(text), REGISTRY, readable)
        return
    with pytest.raises(VqlError, match=r"\(line \d+, column \d+\)$") as caught:
        compile_query(parse(text), REGISTRY, readable)
    assert caught.value.type == expected
