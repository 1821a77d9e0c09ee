"""A list of texts that is sent as the text of an array arrives as it was."""

from __future__ import annotations

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.vault.model.field_types import array_text

# PostgreSQL takes neither NUL nor lone surrogates in text.
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
SPECIAL = st.sampled_from(
    ["", "NULL", "null", '"', "\\", '\\"', "{", "}", "{a,b}", ",", " a ", "a\nb"]
)


@given(st.lists(st.lists(st.none() | SPECIAL | TEXTS), min_size=1, max_size=30))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_texts_arrive_as_they_were(
    postgres_dsn: str, lists: list[list[str | None]]
) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    try:
        for texts in lists:
            sent = array_text(texts)
            assert await connection.fetchval("SELECT $1::text::text[]", sent) == texts
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("texts", "text"),
    [
        ([], "{}"),
        (["a", None, ""], '{"a",NULL,""}'),
        (['a"b', "c\\", None], '{"a\\"b","c\\\\",NULL}'),
        (["NULL"], '{"NULL"}'),
    ],
)
def test_only_quotes_and_backslashes_are_escaped(
    texts: list[str | None], text: str
) -> None:
    assert array_text(texts) == text
