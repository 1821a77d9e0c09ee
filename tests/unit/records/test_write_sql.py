"""The SQL of the write path, as text: a change of a lock, a conflict or a cast shows here."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.records import record_statements as statements
from shared.vault.records.batch_values import Columns, parts
from tests.unit.records.shapes import THING, shape, text

NOON = datetime(2025, 1, 31, 12, tzinfo=UTC)
NOTE, COLOURS = THING.fields["note__c"], THING.fields["colours__c"]
ID, PRICE = THING.fields["id"], THING.fields["price__c"]


def managed(value_format: str | None) -> VaultObject:
    name = Field(
        "name__v",
        "Name",
        FieldType.STRING,
        system_managed_name=True,
        value_format=value_format,
    )
    return shape("numbered__c", name)


def test_an_insert_leaves_out_what_breaks_a_unique_index() -> None:
    assert statements.insert_statement(THING, [ID, PRICE, COLOURS]) == (
        'INSERT INTO records."thing__c" ("id", "price__c", "colours__c")'
        " SELECT u.c1, u.c2, string_to_array(u.c3, ',')"
        " FROM unnest($1::text::text[], $2::text::numeric[], $3::text::text[]) AS u(c1, c2, c3)"
        " ON CONFLICT DO NOTHING RETURNING id"
    )


def test_an_insert_that_leaves_out_nothing_looks_at_no_index_before() -> None:
    sql = statements.insert_statement(THING, [ID], leaving_out=False)
    assert sql.endswith("FROM unnest($1::text::text[]) AS u(c1)")


def test_an_update_is_by_id() -> None:
    assert statements.update_statement(THING, [NOTE, COLOURS]) == (
        'UPDATE records."thing__c" t SET "note__c" = u.c2,'
        " \"colours__c\" = string_to_array(u.c3, ',')"
        " FROM unnest($1::text::text[], $2::text::text[], $3::text::text[]) AS u(id, c2, c3)"
        " WHERE t.id = u.id"
    )


def test_what_all_rows_have_alike_is_sent_once() -> None:
    date, status = THING.fields["modified_date__v"], THING.fields["status__v"]
    rows = [
        {"status__v": status, "note__c": "x", "modified_date__v": NOON}
        for status in ("active__v", "inactive__v")
    ]

    columns = Columns.of([NOTE, status, date], rows)
    sql = statements.insert_statement(THING, columns.fields, columns.shared)

    assert columns.values == ['{"x","x"}', '{"active__v","inactive__v"}', NOON]
    assert sql == (
        'INSERT INTO records."thing__c" ("note__c", "status__v", "modified_date__v")'
        " SELECT u.c1, u.c2, $3::timestamptz"
        " FROM unnest($1::text::text[], $2::text::text[]) AS u(c1, c2)"
        " ON CONFLICT DO NOTHING RETURNING id"
    )
    assert "least(greatest($4::timestamptz, t." in statements.update_statement(
        THING, columns.fields, columns.shared, later=date.name
    )


def test_many_texts_are_sent_as_rows() -> None:
    names = [f"text_{number}__c" for number in range(6)]
    target = shape("wide__c", *(text(name) for name in names))
    fields = [
        *(target.fields[name] for name in names),
        target.fields["created_date__v"],
    ]
    rows = [{name: f"{name} {row}" for name in names[row:]} for row in range(2)]

    columns = Columns.of(fields, rows)
    sql = statements.update_statement(target, columns.fields, columns.shared)

    first = tuple(f"{name} 0" for name in names)
    second = (None, *(f"{name} 1" for name in names[1:]))
    assert columns.values == [None, [(*first, None, None), (*second, None, None)]]
    assert sql == (
        'UPDATE records."wide__c" t SET "text_0__c" = u.c3_1, "text_1__c" = u.c3_2, "text_2__c" = u.c3_3,'
        ' "text_3__c" = u.c3_4, "text_4__c" = u.c3_5, "text_5__c" = u.c3_6, "created_date__v" = $2::timestamptz'
        " FROM unnest($1::text::text[], $3::platform.texts_8[])"
        " AS u(id, c3_1, c3_2, c3_3, c3_4, c3_5, c3_6, c3_7, c3_8) WHERE t.id = u.id"
    )


@pytest.mark.parametrize(
    ("texts", "sizes"),
    [(5, [1] * 5), (6, [6]), (32, [32]), (33, [32, 1]), (70, [32, 32, 6])],
)
def test_texts_go_together_from_six_on(texts: int, sizes: list[int]) -> None:
    fields = [text(f"text_{number}__c") for number in range(texts)]

    found = parts([*fields, PRICE], frozenset())

    numbers = [len(part) for part in found if part != (PRICE,)]
    assert numbers == sizes
    assert sorted(f.name for part in found for f in part) == sorted(
        f.name for f in [*fields, PRICE]
    )


def test_a_date_that_grows_is_at_least_a_millisecond_later() -> None:
    date = THING.fields["modified_date__v"]

    sql = statements.update_statement(THING, [date], later=date.name)

    assert "least(greatest(u.c2, t.\"modified_date__v\" + interval '1 ms')" in sql


def test_records_are_locked_in_the_order_of_their_ids() -> None:
    sql = statements.lock_statement(THING, THING.fields["key__c"], [NOTE, COLOURS])

    assert sql.endswith("ORDER BY id FOR NO KEY UPDATE")
    assert 'array_to_string("colours__c", \',\') AS "colours__c"' in sql


def test_a_managed_name_is_head_digits_and_tail() -> None:
    assert statements.name_parameters(managed("CR-{000}/x")) == ("CR-", 3, "/x")
    assert statements.name_parameters(managed(None)) == ("", 6, "")
    assert statements.name_parameters(managed("{0")) == ("", 6, "")
    assert statements.name_parameters(THING) == ()


def test_a_managed_name_is_drawn_once_a_row() -> None:
    sql = statements.insert_statement(managed("N-{00}"), [ID])

    assert sql.count("nextval") == 1
    assert (
        "$2::text || lpad(u.number, greatest($3::int, length(u.number)), '0') || $4::text"
        in sql
    )


def test_unique_fields_are_those_that_callers_set() -> None:
    target = shape(
        "plain__c",
        text("key__c", unique=True),
        text("own__sys", unique=True, system=True),
    )

    assert [field.name for field in statements.unique_fields(target)] == ["key__c"]
