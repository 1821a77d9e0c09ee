"""Whatever the text: a statement with its literals in parameters, or a typed error."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from shared.vault.vql import CompiledQuery, VqlError, compile_query, parse, parse_criteria
from tests.unit.vql.sample import OBJECTS, REGISTRY, readable

STATEMENTS = [
    line.partition(" ")[2].replace("␊", "\n")
    for line in Path(__file__).with_name("statements.txt").read_text(encoding="utf-8").splitlines()
    if line.startswith("OK ")
]
WORDS = sorted({word for text in STATEMENTS for word in re.findall(r"\w+|'[^']*'|[^\s\w]", text)} | set(OBJECTS))


def place_holders(sql: str) -> set[int]:
    return {int(number) for number in re.findall(r"\$(\d+)", sql)}


def assert_sound(query: CompiledQuery) -> None:
    sql, parameters = query.page()
    assert place_holders(sql) == set(range(1, len(parameters) + 1))
    assert place_holders(query.count_sql) == set(range(1, len(query.count_parameters) + 1))


def run(text: str) -> None:
    with suppress(VqlError):
        parse_criteria(text)
    with suppress(VqlError):
        assert_sound(compile_query(parse(text), REGISTRY, readable))


@given(st.text())
def test_any_text(text: str) -> None:
    run(text)


@given(st.text())
def test_any_condition(text: str) -> None:
    run(f"SELECT id FROM account__v WHERE {text}")
    run(f"SELECT id FROM account__v WHERE name__v = {text}")
    run(f"SELECT id FROM account__v WHERE name__v = '{text}'")


@given(st.lists(st.sampled_from(WORDS), max_size=30))
def test_any_order_of_words(words: list[str]) -> None:
    run(" ".join(words))


@given(st.sampled_from(STATEMENTS), st.integers(0, 200), st.integers(0, 20), st.sampled_from(["", *WORDS]))
def test_statements_with_a_piece_replaced(text: str, start: int, length: int, word: str) -> None:
    run(text[:start] + word + text[start + length :])


@given(st.sampled_from(STATEMENTS))
def test_every_parameter_is_used(text: str) -> None:
    assert_sound(compile_query(parse(text), REGISTRY, readable))


LITERAL = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])).map(lambda text: f"Zq7{text}")
SHAPES = st.sampled_from(
    [
        "name__v = {0}",
        "name__v != {0} AND npi__v > {1}",
        "id CONTAINS ({0}, {1})",
        "id CONTAINS (\n{0})",
        "name__v LIKE {0}",
        "name__v BETWEEN {0} AND {1}",
        "CASEINSENSITIVE(name__v) = {0} OR CASEINSENSITIVE(name__v) CONTAINS ({1}, {0})",
        "languages__v CONTAINS ({0}) AND status__v != {1}",
        "primary_country__vr.name__v = {0}",
        "id IN (SELECT id FROM addresses__vr WHERE city_cda__v = {0})",
    ]
)


def quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("%", "\\%") + "'"


@given(SHAPES, LITERAL, LITERAL)
def test_no_literal_enters_the_sql(shape: str, first: str, second: str) -> None:
    condition = shape.format(quoted(first), quoted(second))
    sub_select = f"(SELECT id FROM addresses__vr WHERE city_cda__v = {quoted(second)})"
    query = compile_query(parse(f"SELECT id, {sub_select} FROM account__v WHERE {condition}"), REGISTRY, readable)
    plain_text = f"SELECT id, (SELECT id FROM addresses__vr WHERE city_cda__v = 'x') FROM account__v WHERE {shape}"
    plain = compile_query(parse(plain_text.format("'x'", "'x'")), REGISTRY, readable)
    assert query.sql == plain.sql
    assert query.count_sql == plain.count_sql
    assert "Zq7" not in query.sql + query.count_sql
    if "LIKE" not in shape:
        assert first in str_values(query.parameters)


def str_values(parameters: tuple[object, ...]) -> list[object]:
    return [value for entry in parameters for value in (entry if isinstance(entry, list) else [entry])]
