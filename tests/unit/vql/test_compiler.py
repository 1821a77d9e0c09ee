"""The SQL and parameters of compiled statements."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from shared.vault.model.field_types import words_sql
from shared.vault.vql import (
    CompiledQuery,
    Options,
    VqlLimitError,
    VqlNameError,
    check_criteria,
    compile_query,
    parse,
    parse_criteria,
)
from shared.vault.vql.deferred import ChildAddress
from shared.vault.vql.vql_errors import VqlSyntaxError
from tests.unit.vql.sample import OBJECTS, REGISTRY, TARGETS, readable

CASELESS = 'platform.caseless(t0."name__v") = (SELECT platform.caseless($1::text))'
WORDS = words_sql(OBJECTS["account__v"], "t0")


def compiled(text: str) -> CompiledQuery:
    return compile_query(parse(text), REGISTRY, readable, targets=TARGETS)


def where(condition: str, source: str = "account__v") -> tuple[str, tuple[object, ...]]:
    query = compiled(f"SELECT id FROM {source} WHERE {condition}")
    return query.count_sql.partition(" WHERE ")[2], query.count_parameters


def test_keyset_page() -> None:
    query = compiled(
        "SELECT id, name__v FROM account__v WHERE npi__v = 'x' PAGESIZE 100"
    )
    assert query.sql == (
        'SELECT t0."id", t0."name__v", t0."id" FROM records."account__v" t0'
        ' WHERE t0."npi__v" = $1::text AND t0."id" > $2::text ORDER BY t0."id" LIMIT $3::bigint OFFSET $4::bigint'
    )
    assert query.keyset
    assert query.keys == ("id", "name__v")
    assert query.page()[1] == ("x", "", 100, 0)
    assert query.page(pageoffset=200)[1] == ("x", "", 100, 200)
    assert query.page(pageoffset=200, after="ACC1")[1] == ("x", "ACC1", 100, 0)
    assert query.page(pagesize=10)[1] == ("x", "", 10, 0)
    assert (
        query.count_sql
        == 'SELECT count(*) FROM records."account__v" t0 WHERE t0."npi__v" = $1::text'
    )
    assert query.count_parameters == ("x",)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("account__vr.npi__v = 'x'", 't1."npi__v" = $1::text'),
        ("account__vr.npi__v CONTAINS ('x', 'y')", 't1."npi__v" = ANY($1::text[])'),
    ],
)
def test_a_key_behind_a_reference_is_a_condition_on_the_reference(
    condition: str, expected: str
) -> None:
    keys = f'SELECT t1."id" FROM records."account__v" t1 WHERE {expected}'
    found, _ = where(condition, "address__v")
    assert found == f't0."account__v" = ANY(ARRAY({keys}))'


@pytest.mark.parametrize(
    "condition",
    [
        "account__vr.npi__v != 'x'",
        "account__vr.name__v = 'x'",
        "account__vr.npi__v LIKE 'x%'",
        "CASEINSENSITIVE(account__vr.npi__v) = 'x'",
    ],
)
def test_other_conditions_behind_a_reference_stay_there(condition: str) -> None:
    assert "ARRAY(SELECT" not in where(condition, "address__v")[0]


def test_page_of_an_ordered_result() -> None:
    query = compiled("SELECT name__v FROM account__v ORDER BY name__v DESC, beds__v")
    assert query.sql.endswith(
        ' ORDER BY t0."name__v" DESC NULLS LAST, t0."beds__v" ASC NULLS LAST, t0."id"'
        " LIMIT $2::bigint OFFSET $3::bigint"
    )
    assert not query.keyset
    assert query.page(pageoffset=1000)[1] == ("account__v", 1000, 1000)
    with pytest.raises(ValueError, match="after"):
        query.page(after="ACC1")


def test_order_by_id_keeps_the_keyset() -> None:
    assert compiled("SELECT id FROM account__v ORDER BY id").keyset
    assert not compiled("SELECT id FROM account__v ORDER BY id DESC").keyset


@pytest.mark.parametrize(
    ("condition", "listed"),
    [
        ("id CONTAINS ('a', 'b')", True),
        ("npi__v CONTAINS ('a')", True),
        ("(npi__v CONTAINS ('a') OR id CONTAINS ('b'))", True),
        ("npi__v CONTAINS ('a') AND name__v != 'b'", True),
        ("name__v CONTAINS ('a')", False),
        ("(npi__v CONTAINS ('a') OR name__v CONTAINS ('b'))", False),
        ("CASEINSENSITIVE(npi__v) CONTAINS ('a')", False),
        ("npi__v = 'a'", False),
        ("npi__v != 'a'", False),
    ],
)
def test_what_lists_bound_is_ordered_without_the_index_of_ids(
    condition: str, listed: bool
) -> None:
    query = compiled(f"SELECT id FROM account__v WHERE {condition}")
    order = query.sql.partition(" ORDER BY ")[2].partition(" LIMIT ")[0]
    assert order == ("t0.\"id\" || ''" if listed else 't0."id"')
    assert query.keyset


def test_maxrows_and_skip() -> None:
    query = compiled("SELECT id FROM account__v MAXROWS 25 SKIP 5 PAGESIZE 10")
    assert [query.page(pageoffset=offset)[1] for offset in (0, 10, 20, 30)] == [
        ("", 10, 5),
        ("", 10, 15),
        ("", 5, 25),
        ("", 0, 35),
    ]
    assert query.page(pageoffset=20, after="ACC1")[1] == ("ACC1", 5, 0)
    assert query.count_sql == (
        'SELECT count(*) FROM (SELECT 1 FROM records."account__v" t0 LIMIT $1::bigint OFFSET $2::bigint) counted'
    )
    assert query.count_parameters == (25, 5)
    assert compiled("SELECT id FROM account__v SKIP 5").count_parameters == (None, 5)


def test_pagesize_has_a_ceiling() -> None:
    assert compiled("SELECT id FROM account__v").pagesize == 1000
    assert compiled("SELECT id FROM account__v PAGESIZE 5000").pagesize == 1000
    assert compiled("SELECT id FROM account__v LIMIT 5000").pagesize == 1000


@pytest.mark.parametrize("limit", ["PAGESIZE", "LIMIT", "MAXROWS", "SKIP", "OFFSET"])
def test_limits_are_numbers_of_rows(limit: str) -> None:
    least = 1 if limit in ("PAGESIZE", "LIMIT") else 0
    text = f"SELECT id FROM account__v {limit}"
    for refused in ("-1", "1.5", "x", "'1'", "", *(["0", "00"] if least else [])):
        with pytest.raises(VqlSyntaxError, match=f"a number of rows, {least} or more"):
            compiled(f"{text} {refused}")
    for accepted in ("1", "9" * 40, *([] if least else ["0"])):
        compiled(f"{text} {accepted}")


def test_one_join_a_path() -> None:
    query = compiled(
        "SELECT account__vr.name__v, account__vr.npi__v, account__vr.primary_country__vr.country_code__v,"
        " account__vr.id FROM address__v WHERE account__vr.name__v != null"
    )
    assert query.sql.count("LEFT JOIN") == 2
    assert query.count_sql.count("LEFT JOIN") == 1
    assert query.keys[2] == "account__vr.primary_country__vr.country_code__v"
    assert compiled("SELECT account__vr.id FROM address__v").sql.count("JOIN") == 0


@pytest.mark.parametrize(
    ("condition", "sql", "parameters"),
    [
        ("name__v != 'x'", 't0."name__v" IS DISTINCT FROM $1::text', ("x",)),
        ("name__v = null", 't0."name__v" IS NULL', ()),
        ("name__v != null", 't0."name__v" IS NOT NULL', ()),
        ("id CONTAINS ('a', 'b')", 't0."id" = ANY($1::text[])', (["a", "b"],)),
        ("beds__v CONTAINS (1, 2)", 't0."beds__v" = ANY($1::bigint[])', ([1, 2],)),
        ("beds__v > 1.5", 't0."beds__v" > $1::numeric', (Decimal("1.5"),)),
        ("score__v = 3", 't0."score__v" = $1::numeric', (Decimal(3),)),
        (
            "beds__v = 9223372036854775808",
            't0."beds__v" = $1::numeric',
            (Decimal(2**63),),
        ),
        ("do_not_call__v = true", 't0."do_not_call__v" = $1::boolean', (True,)),
        (
            "birth_date__v < '2000-02-29'",
            't0."birth_date__v" < $1::date',
            (date(2000, 2, 29),),
        ),
        ("languages__v = 'fr__v'", 't0."languages__v" @> $1::text[]', (["fr__v"],)),
        (
            "languages__v != 'fr__v'",
            '(t0."languages__v" @> $1::text[]) IS NOT TRUE',
            (["fr__v"],),
        ),
        ("languages__v CONTAINS ('a')", 't0."languages__v" && $1::text[]', (["a"],)),
        ("status__v CONTAINS ('a')", 't0."status__v" = ANY($1::text[])', (["a"],)),
        (
            r"name__v LIKE '50\%_\\%'",
            f'({WORDS} @@ (SELECT platform.search_query($2::text, false, NULL)) AND t0."name__v" LIKE $1::text)',
            (r"50\%\_\\%", "50%_\\"),
        ),
        ("name__v LIKE '-%'", 't0."name__v" LIKE $1::text', ("-%",)),
        (
            "name__v LIKE 'é'",
            f'({WORDS} @@ (SELECT platform.search_query($2::text, true, NULL)) AND t0."name__v" LIKE ANY($1::text[]))',
            (["é", "e\u0301"], "é"),
        ),
        ("name__v = 'é'", 't0."name__v" = ANY($1::text[])', (["é", "e\u0301"],)),
        (
            "name__v != 'é'",
            '(t0."name__v" = ANY($1::text[])) IS NOT TRUE',
            (["é", "e\u0301"],),
        ),
        (
            "name__v CONTAINS ('é', 'e')",
            't0."name__v" = ANY($1::text[])',
            (["é", "e", "e\u0301"],),
        ),
        ("npi__v = 'é'", 't0."npi__v" = $1::text', ("é",)),
        (
            "CASEINSENSITIVE(name__v) = 'X'",
            f"({WORDS} @@ (SELECT platform.search_query($2::text, true, NULL)) AND {CASELESS})",
            ("X", "X"),
        ),
        (
            "CASEINSENSITIVE(name__v) CONTAINS ('X')",
            'platform.caseless(t0."name__v") IN (SELECT platform.caseless(v) FROM unnest($1::text[]) AS v)',
            (["X"],),
        ),
        (
            "beds__v BETWEEN 1 AND 2",
            't0."beds__v" BETWEEN $1::bigint AND $2::bigint',
            (1, 2),
        ),
        (
            "name__v = 'a' OR (name__v = 'b' AND npi__v = 'c')",
            '(t0."name__v" = $1::text OR (t0."name__v" = $2::text AND t0."npi__v" = $3::text))',
            ("a", "b", "c"),
        ),
        (
            "id IN (SELECT id FROM addresses__vr WHERE city_cda__v = 'Rome')",
            't0."id" IN (SELECT t1."account__v" FROM records."address__v" t1 WHERE t1."city_cda__v" = $1::text)',
            ("Rome",),
        ),
    ],
)
def test_conditions(condition: str, sql: str, parameters: tuple[object, ...]) -> None:
    assert where(condition) == (sql, parameters)


@pytest.mark.parametrize(
    ("literal", "moment"),
    [
        ("2025-01-31T10:20:30.719Z", datetime(2025, 1, 31, 10, 20, 30, 719_000, UTC)),
        ("2025-01-31T10:20:30Z", datetime(2025, 1, 31, 10, 20, 30, 0, UTC)),
        ("2025-01-31T10:20", datetime(2025, 1, 31, 10, 20, 0, 0, UTC)),
        ("2025-01-31", datetime(2025, 1, 31, 0, 0, 0, 0, UTC)),
        ("2025-01-31T10:20:30+02:00", datetime(2025, 1, 31, 8, 20, 30, 0, UTC)),
    ],
)
def test_date_times_are_utc(literal: str, moment: datetime) -> None:
    assert where(f"modified_date__v >= '{literal}'")[1] == (moment,)


def test_values_are_encoded_by_sql() -> None:
    query = compiled(
        "SELECT status__v, languages__v, score__v, beds__v, birth_date__v, biography__v FROM account__v SKIP 1"
    )
    assert query.sql.partition(" FROM ")[0] == (
        'SELECT CASE WHEN t0."status__v" IS NULL THEN NULL ELSE ARRAY[t0."status__v"] END, t0."languages__v",'
        ' t0."score__v"::text, t0."beds__v", to_char(t0."birth_date__v", \'YYYY-MM-DD\'),'
        ' left(t0."biography__v", 250), t0."id"'
    )
    whole = compiled("SELECT LONGTEXT(biography__v) AS text FROM account__v")
    assert whole.keys == ("text",)
    assert "left(" not in whole.sql


def test_sub_select() -> None:
    query = compiled(
        "SELECT id, (SELECT id FROM addresses__vr WHERE city_cda__v = 'Rome' PAGESIZE 9) FROM account__v"
    )
    assert query.keys == ("id", "addresses__vr")
    assert query.json_keys == {"addresses__vr"}
    assert query.parameters == (
        "Rome",
        '{"id":',
        9,
        ChildAddress(0),
        "account__v",
    )
    assert query.deferred
    assert (
        'WHERE t1."account__v" = t0."id" AND t1."city_cda__v" = $1::text ORDER BY t1."id" LIMIT $3'
        in query.sql
    )
    assert query.matching_parameters == ()


def test_sub_select_rows_have_a_ceiling() -> None:
    query = parse(
        "SELECT id, (SELECT id FROM addresses__vr PAGESIZE 9) FROM account__v"
    )
    bounded = compile_query(query, REGISTRY, readable, Options(subselect_rows=5))
    assert 5 in bounded.parameters
    assert 9 not in bounded.parameters


def test_columns_keep_the_order_of_the_statement() -> None:
    query = compiled(
        "SELECT (SELECT id FROM addresses__vr), name__v, name__v, id FROM account__v"
    )
    assert query.keys == ("addresses__vr", "name__v", "id")


def test_an_error_names_field_object_and_place_but_no_value() -> None:
    with pytest.raises(VqlNameError) as caught:
        compiled("SELECT id\nFROM account__v\nWHERE birth_date__v = 'Ludwig'")
    assert caught.value.type == "INVALID_DATA"
    assert caught.value.message == (
        "field [birth_date__v] of object [account__v]: a value for it must be a date, 'YYYY-MM-DD' (line 3, column 23)"
    )


def test_paths_joins_and_items_have_bounds() -> None:
    deep = ".".join(["parent_account__vr"] * 11)
    with pytest.raises(VqlLimitError, match="line 1, column 8"):
        compiled(f"SELECT {deep}.name__v FROM account__v")
    compiled(f"SELECT {deep[:-19]}.name__v FROM account__v")
    many = ", ".join(f"LONGTEXT(biography__v) AS a{number}" for number in range(501))
    with pytest.raises(VqlLimitError, match="500"):
        compiled(f"SELECT {many} FROM account__v")


def test_permission_is_asked_once_an_object() -> None:
    asked: list[str] = []

    def note(object_name: str) -> bool:
        asked.append(object_name)
        return True

    text = "SELECT account__vr.name__v, account__vr.npi__v FROM address__v WHERE account__vr.name__v = 'x'"
    compile_query(parse(text), REGISTRY, note)
    assert asked == ["address__v", "account__v"]


def test_criteria_are_checked_against_an_object() -> None:
    criteria = parse_criteria(
        "status__v = 'active__v' AND primary_country__vr.country_code__v = 'FR'"
    )
    check_criteria(criteria, "account__v", REGISTRY, readable)
    with pytest.raises(
        VqlNameError,
        match=r"unknown relationship \[primary_country__vr\].*line 1, column 29",
    ):
        check_criteria(criteria, "address__v", REGISTRY, readable)
