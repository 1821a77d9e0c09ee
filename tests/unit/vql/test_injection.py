"""Any text gives a statement with its literals in parameters, or a typed error.

``HYPOTHESIS_EXAMPLES=100000 pytest --timeout=0`` tries as many texts in each of these tests.
"""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from shared.vault.vql import (
    CompiledQuery,
    Execution,
    Show,
    VqlError,
    compile_query,
    parse_criteria,
    parse_statement,
    resolve,
    show_rows,
)
from shared.vault.vql.deferred import TOKENS, Deferred
from tests.unit.vql.cases import read_cases
from tests.unit.vql.examples import many
from tests.unit.vql.sample import OBJECTS, REGISTRY, TARGETS, readable

STATEMENTS = [case.text for case in read_cases() if not case.is_refused]
WORDS = sorted(
    {word for text in STATEMENTS for word in re.findall(r"\w+|'[^']*'|[^\s\w]", text)}
    | set(OBJECTS)
)
EXECUTION = Execution(
    datetime(2025, 1, 31, 12, tzinfo=UTC),
    {name: kind() for name, kind in TOKENS.items()},
    "/api",
)


def place_holders(sql: str) -> set[int]:
    return {int(number) for number in re.findall(r"\$(\d+)", sql)}


def assert_sound(query: CompiledQuery) -> None:
    sql, parameters = query.page()
    assert place_holders(sql) == set(range(1, len(parameters) + 1))
    assert place_holders(query.count_sql) == set(
        range(1, len(query.count_parameters) + 1)
    )
    resolved = resolve(parameters, EXECUTION) if query.deferred else parameters
    assert not any(isinstance(parameter, Deferred) for parameter in resolved)


def compiled(text: str) -> CompiledQuery | None:
    statement = parse_statement(text)
    if isinstance(statement, Show):
        show_rows(statement, REGISTRY, readable, TARGETS)
        return None
    return compile_query(statement, REGISTRY, readable, targets=TARGETS)


def run(text: str) -> None:
    with suppress(VqlError):
        parse_criteria(text)
    with suppress(VqlError):
        query = compiled(text)
        if query is not None:
            assert_sound(query)


@many
@given(st.text())
def test_any_text(text: str) -> None:
    run(text)


@many
@given(st.text())
def test_any_condition(text: str) -> None:
    run(f"SELECT id FROM account__v WHERE {text}")
    run(f"SELECT id FROM account__v WHERE name__v = {text}")
    run(f"SELECT id FROM account__v WHERE name__v = '{text}'")
    run(f"SELECT id FROM account__v FIND ('{text}')")
    run(f"SHOW FIELDS FROM account__v LIKE '{text}'")


@many
@given(st.lists(st.sampled_from(WORDS), max_size=30))
def test_any_order_of_words(words: list[str]) -> None:
    run(" ".join(words))


@many
@given(
    st.sampled_from(STATEMENTS),
    st.integers(0, 200),
    st.integers(0, 20),
    st.sampled_from(["", *WORDS]),
)
def test_statements_with_a_piece_replaced(
    text: str, start: int, length: int, word: str
) -> None:
    run(text[:start] + word + text[start + length :])


def test_every_parameter_is_used() -> None:
    for text in STATEMENTS:
        query = compiled(text)
        if query is not None:
            assert_sound(query)


LITERAL = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"])
).map(lambda text: f"Zq7{text}")
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
        "TOLABEL(status__v) = {0} OR TOLABEL(languages__v) CONTAINS ({1})",
        "state__v = STATETYPE({0}) AND name__v = {1}",
        "created_date__v = LAST_DAYS:3 AND created_by__v = ${{User.id}} AND name__v = {0}",
    ]
)


def quoted(value: str) -> str:
    return (
        "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("%", "\\%") + "'"
    )


def like(value: str) -> str:
    """A literal that is compared as this one is: a text with accents may be stored composed and decomposed."""
    forms = {unicodedata.normalize(form, value) for form in ("NFC", "NFD")}
    return "'x'" if forms == {value} else "'é'"


@many
@given(SHAPES, LITERAL, LITERAL)
def test_no_literal_enters_the_sql(shape: str, first: str, second: str) -> None:
    condition = shape.format(quoted(first), quoted(second))
    sub_select = f"(SELECT id FROM addresses__vr WHERE city_cda__v = {quoted(second)})"
    query = compiled(f"SELECT id, {sub_select} FROM account__v WHERE {condition}")
    of_the_kind = f"(SELECT id FROM addresses__vr WHERE city_cda__v = {like(second)})"
    condition = shape.format(like(first), like(second))
    plain = compiled(f"SELECT id, {of_the_kind} FROM account__v WHERE {condition}")
    assert query is not None and plain is not None
    assert query.sql == plain.sql
    assert query.count_sql == plain.count_sql
    assert "Zq7" not in query.sql + query.count_sql
    if "LIKE" not in shape and "STATETYPE" not in shape:
        assert first in str_values(query.parameters)


@many
@given(
    st.text(
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60
    )
)
def test_no_search_word_enters_the_sql(text: str) -> None:
    phrase = "'" + f"Zq7{text}".replace("\\", "\\\\").replace("'", "\\'") + "'"
    with suppress(VqlError):
        query = compiled(f"SELECT id FROM account__v FIND ({phrase} SCOPE name__v)")
        assert query is not None
        assert "Zq7" not in query.sql + query.count_sql
        assert_sound(query)


def str_values(parameters: tuple[object, ...]) -> list[object]:
    return [
        value
        for entry in parameters
        for value in (entry if isinstance(entry, list) else [entry])
    ]
