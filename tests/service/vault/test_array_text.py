"""Lists that are sent as the text of an array arrive as they were: texts, and values of every type of field."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.vault.assembly.vault import Vault
from shared.vault.model.component_model import Field, FieldType
from shared.vault.model.field_types import array_text
from shared.vault.records.batch_values import array_of, array_sql
from tests.service.vault.served import Api

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


FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
VALUES = {
    Field("whole__c", "Whole", FieldType.NUMBER): st.integers(-(2**63), 2**63 - 1),
    Field("price__c", "Price", FieldType.NUMBER, scale=4): st.decimals(
        allow_nan=False, allow_infinity=False
    )
    | st.sampled_from([Decimal("1E+30"), Decimal("-0.0001"), Decimal("1E-30")]),
    Field("yes__c", "Yes", FieldType.BOOLEAN): st.booleans(),
    Field("day__c", "Day", FieldType.DATE): st.dates()
    | st.sampled_from([date.min, date.max]),
    Field("moment__c", "Moment", FieldType.DATE_TIME): st.datetimes(
        timezones=st.just(UTC)
    )
    | st.sampled_from([FIRST, LAST]),
    Field("text__c", "Text", FieldType.STRING): SPECIAL | TEXTS,
}


@pytest.mark.parametrize("field", VALUES, ids=lambda field: field.name)
@given(data=st.data())
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_values_of_every_type_arrive_as_they_were(
    vault: Vault, admin: Api, data: st.DataObject, field: Field
) -> None:
    del admin  # the Vault is served
    values = data.draw(st.lists(st.none() | VALUES[field], max_size=30))
    sent = array_of(field, values)
    async with vault.database.connection() as connection:
        read = await connection.fetchval(f"SELECT {array_sql(field, 1)}", sent)
    assert read == values


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
