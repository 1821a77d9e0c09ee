"""Values that error texts of the API repeat are in none of the texts that are recorded or logged."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.client.errors import ExpiredPage, QueryTimeout, VaultRefused
from shared.protocol.redaction import MAX_REASON, without_values
from shared.runtime.logging import first_line

PROJECT = Path(__file__).resolve().parents[3]
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
VALUES = st.text("aÄ1@.,:;][=\n\r'\" \\")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("exists with [email__sys=ann@example.com]", "exists with [email__sys]"),
        ("exists with [email__sys = ann@example.com]", "exists with [email__sys]"),
        ("exists with [note__c=Ann [Lee] here]", "exists with [note__c]"),
        ("exists with [note__c=Ann]\nLee]", "exists with [note__c]"),
        ("exists with [email__sys=ann@exam", "exists with [email__sys]"),
        ("[a__c=1] and [b__c=2]: choose", "[a__c]: choose"),
        ("Missing field [email__sys]", "Missing field [email__sys]"),
        ("a=1", "a=1"),
        ("x" * 2000, "x" * MAX_REASON),
    ],
)
def test_values_are_cut_from_error_texts(text: str, left: str) -> None:
    assert without_values(text) == left


@pytest.mark.parametrize("kind", [VaultRefused, ExpiredPage, QueryTimeout])
@given(value=VALUES)
def test_no_line_of_a_log_repeats_the_value_of_a_field(
    kind: type[VaultRefused], value: str
) -> None:
    message = f"Another resource already exists with [email__sys={value}]"
    refused = kind("INVALID_DATA", message)
    text = "INVALID_DATA: Another resource already exists with [email__sys]"
    assert first_line(refused) == text


def test_no_line_of_a_log_has_an_error_text_as_it_came() -> None:
    found = []
    for folder in ("services", "shared", "local", "medcrm"):
        for path in sorted((PROJECT / folder).rglob("*.py")):
            source = path.read_text()
            if "log." not in source:
                continue
            nodes = ast.walk(ast.parse(source))
            calls = (node for node in nodes if isinstance(node, ast.Call))
            lines = (call.lineno for call in calls if _logs(call))
            found += [f"{path.relative_to(PROJECT)}:{line}" for line in lines]
    assert found == []


def _logs(node: ast.Call) -> bool:
    """Return whether this is a call of a logger that is passed the text of an error, unread by ``first_line``."""
    if not isinstance(node.func, ast.Attribute):
        return False
    logger = ast.unparse(node.func.value)
    if node.func.attr not in LEVELS or not logger.endswith("log"):
        return False
    passed = [*node.args, *(keyword.value for keyword in node.keywords)]
    return any(_is_error_text(value) for value in passed)


def _is_error_text(value: ast.expr) -> bool:
    match value:
        case ast.Call(func=ast.Name(id="str"), args=[ast.Name(id=name)]):
            return name in {"error", "refused", "problem", "fault"}
        case ast.Attribute(value=ast.Name(id=name), attr="message"):
            return name in {"error", "refused", "problem", "fault"}
        case _:
            return False
