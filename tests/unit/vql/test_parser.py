"""Syntax trees, places in messages, and the bound on depth."""

from __future__ import annotations

import re
from contextlib import suppress
from decimal import Decimal

import pytest

from shared.vault.vql import (
    VqlError,
    VqlLimitError,
    VqlSyntaxError,
    parse,
    parse_criteria,
    parse_statement,
)
from shared.vault.vql.parser import MAX_ORDER
from shared.vault.vql.syntax_tree import (
    And,
    Between,
    Comparison,
    Contains,
    InSelect,
    Item,
    Like,
    Limits,
    Operand,
    Operator,
    Or,
    Path,
)
from shared.vault.vql.vql_tokens import MAX_CONDITIONS, MAX_DEPTH
from tests.unit.vql.test_injection import STATEMENTS


def operand(name: str, at: int) -> Operand:
    return Operand(Path((name,), at))


def test_items_and_source() -> None:
    select = parse("select a__vr.b__v, longtext(c__v) as d from e__v").select
    assert select.items == (
        Item(Path(("a__vr", "b__v"), 1)),
        Item(Path(("c__v",), 5), "LONGTEXT", "d"),
    )
    assert select.source == "e__v"


def test_and_binds_tighter_than_or() -> None:
    expression = parse_criteria("a__v = 1 or b__v != 2.50 AND c__v = null").expression
    assert expression == Or(
        (
            Comparison(operand("a__v", 0), Operator.EQUAL, 1, 2),
            And(
                (
                    Comparison(
                        operand("b__v", 4), Operator.NOT_EQUAL, Decimal("2.50"), 6
                    ),
                    Comparison(operand("c__v", 8), Operator.EQUAL, None, 10),
                )
            ),
        )
    )


def test_conditions() -> None:
    assert parse_criteria("a__v CONTAINS (true, 'x')").expression == Contains(
        operand("a__v", 0), (True, "x"), 2
    )
    assert parse_criteria("a__v BETWEEN 1 AND 2").expression == Between(
        operand("a__v", 0), 1, 2, 2
    )
    assert parse_criteria(r"a__v LIKE 'x%\%'").expression == Like(
        operand("a__v", 0), ("x", "%"), 2
    )
    semi_join = parse_criteria(
        "id IN (SELECT id FROM b__vr WHERE c__v = 'x')"
    ).expression
    assert isinstance(semi_join, InSelect)
    assert semi_join.select.source == "b__vr"


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("", Limits()),
        ("MAXROWS 1 SKIP 2 PAGESIZE 3 PAGEOFFSET 4", Limits(1, 2, 3, 4)),
        ("LIMIT 3 OFFSET 4", Limits(pagesize=3, pageoffset=4)),
        ("LIMIT 3 OFFSET 4 PAGESIZE 5", Limits(pagesize=5)),
    ],
)
def test_limits(text: str, limits: Limits) -> None:
    assert parse(f"SELECT id FROM a__v {text}").select.limits == limits


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        (
            "SELECT id,\n FROM a__v",
            "expected a field, found FROM (line 2, column 2)",
            12,
        ),
        (
            "SELECT id FROM a__v WHERE b__v c__v",
            "expected an operator, found c__v (line 1, column 32)",
            31,
        ),
        (
            "SELECT id",
            "expected FROM, found the end of the statement (line 1, column 10)",
            9,
        ),
        (
            "SELECT id FROM a__v 'x'",
            "expected the end of the statement, found a string (line 1, column 21)",
            20,
        ),
    ],
)
def test_a_syntax_error_names_its_place(text: str, message: str, position: int) -> None:
    with pytest.raises(VqlSyntaxError) as caught:
        parse(text)
    assert caught.value.message == message
    assert caught.value.position == position
    assert caught.value.type == "INCORRECT_QUERY_SYNTAX_ERROR"


@pytest.mark.parametrize(
    "condition",
    [
        "name__v = Ludwig",
        "name__v = 'O'Ludwig'",
        "name__v 'Ludwig'",
        r"name__v = 'Ludwig\q'",
        "'Ludwig' = name__v",
        "name__v IN ('Ludwig')",
        "name__v CONTAINS ('Ludwig' 'Ludwig')",
        "name__v LIKE '%Ludwig'",
        "beds__v = 4711 4711",
    ],
)
def test_values_stay_out_of_messages(condition: str) -> None:
    with pytest.raises(VqlSyntaxError) as caught:
        parse(f"SELECT id FROM a__v WHERE {condition}")
    assert "Ludwig" not in caught.value.message
    assert "4711" not in caught.value.message


def test_depth_has_a_bound() -> None:
    def nested(depth: int) -> str:
        return "(" * depth + "a__v = 1" + ")" * depth

    parse_criteria(nested(MAX_DEPTH))
    with pytest.raises(VqlLimitError, match="line 1, column"):
        parse_criteria(nested(MAX_DEPTH + 1))
    with pytest.raises(VqlLimitError):
        parse_criteria("(" * 40_000)
    parse_criteria(" OR ".join([nested(MAX_DEPTH)] * 100))


CONDITIONS = {
    "=": "a__v = 1",
    "!= beside =": "a__v != 1",
    "in parentheses": "((a__v = 1))",
    "BETWEEN": "a__v BETWEEN 1 AND 2",
    "LIKE": "a__v LIKE 'b%'",
    "a list of one": "a__v CONTAINS (1)",
    "in a semi-join": "id IN (SELECT id FROM b__v WHERE a__v = 1)",
}
STATEMENT = {
    "of a query": "SELECT id FROM a__v WHERE {}",
    "of a sub-select": "SELECT id, (SELECT id FROM b__vr WHERE {}) FROM a__v",
    "of a semi-join": "SELECT id FROM a__v WHERE id IN (SELECT id FROM b__v WHERE {})",
    "shared by both": "SELECT id, (SELECT id FROM b__vr WHERE c__v = 1) FROM a__v WHERE {}",
}


@pytest.mark.parametrize("statement", STATEMENT)
@pytest.mark.parametrize("joined", [" OR ", " AND "])
def test_conditions_of_a_statement_have_a_bound(statement: str, joined: str) -> None:
    text = STATEMENT[statement]
    taken = 0 if statement in ("of a query", "of a sub-select") else 1

    def conditions(number: int) -> str:
        return text.format(joined.join(["a__v = 1"] * number))

    parse(conditions(MAX_CONDITIONS - taken))
    with pytest.raises(VqlLimitError, match=r"at most 1,000 conditions \(line 1"):
        parse(conditions(MAX_CONDITIONS - taken + 1))


@pytest.mark.parametrize("kind", CONDITIONS)
def test_every_kind_of_condition_counts(kind: str) -> None:
    condition = CONDITIONS[kind]
    counted = 2 if kind == "in a semi-join" else 1
    most = MAX_CONDITIONS // counted
    parse_criteria(" OR ".join([condition] * most))
    with pytest.raises(VqlLimitError):
        parse_criteria(" OR ".join([condition] * (most + 1)))


def test_a_list_is_one_condition_however_long() -> None:
    listed = ",".join(["'x'"] * (10 * MAX_CONDITIONS))
    parse_criteria(f"a__v CONTAINS ({listed})")


def test_fields_of_order_have_a_bound() -> None:
    head = "SELECT id FROM a__v ORDER BY "
    parse(head + ", ".join(["id"] * MAX_ORDER))
    with pytest.raises(VqlLimitError, match=f"at most {MAX_ORDER} fields"):
        parse(head + ", ".join(["id"] * (MAX_ORDER + 1)))


def test_criteria_are_an_expression_and_nothing_else() -> None:
    with pytest.raises(VqlSyntaxError, match="end of the statement"):
        parse_criteria("a__v = 1 ORDER BY a__v")
    with pytest.raises(VqlSyntaxError, match="expected a field"):
        parse_criteria("")


def test_statements_that_end_anywhere() -> None:
    """Each fixture statement cut after each of its words is a statement or a typed error, never a defect."""
    for text in STATEMENTS:
        words = re.findall(r"\s*\S+", text)
        for count in range(len(words)):
            with suppress(VqlError):
                parse_statement("".join(words[:count]))
