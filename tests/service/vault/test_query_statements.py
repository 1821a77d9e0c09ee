"""The statements of the VQL fixture, and random variants of them, on a real database: rows or a typed error."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.servers import PostgresServer
from shared.vault.components import schema_changes
from shared.vault.components.schema import create_order_index
from shared.vault.storage.database import Database
from shared.vault.storage.fair_slots import QueryLimits
from shared.vault.storage.migrate import migrate
from shared.vault.vql import CompiledQuery, Execution, VqlError, facets_of, resolve
from shared.vault.vql.deferred import TOKENS
from tests.servers import fresh_database
from tests.unit.vql.examples import many
from tests.unit.vql.plans import INDEXES, plan_class
from tests.unit.vql.sample import OBJECTS, REGISTRY, TARGETS
from tests.unit.vql.test_injection import STATEMENTS, WORDS, compiled

if TYPE_CHECKING:
    from shared.vault.storage.database import Connection

ROWS = 500
EXECUTION = Execution(
    datetime(2025, 1, 31, 12, tzinfo=UTC),
    {name: 7 if kind is int else "seven" for name, kind in TOKENS.items()},
    "/api/v25.1/query/00000000-0000-0000-0000-000000000000",
)
FILL = """
INSERT INTO records.account__v (id, global_id__sys, name__v, status__v, npi__v, biography__v, languages__v, state__v,
    created_by__v, created_date__v, modified_by__v, modified_date__v, birth_date__v, parent_account__v)
SELECT 'ACC' || n, 'G' || n, 'Account ' || n, 'active__v', 'N' || n, repeat('insulin and diabetes ', 10),
    ARRAY['fr__v'], 'new_state__v', 1, now() - n * interval '1 day', 1, now() - n * interval '1 hour',
    date '2000-01-01' + n, CASE WHEN n > 10 THEN 'ACC' || (n % 10 + 1) END
FROM generate_series(1, $1) n
"""


@pytest.fixture(scope="module")
async def database(postgres_server: PostgresServer) -> AsyncIterator[Database]:
    """The sample objects as tables with records."""
    async with fresh_database(postgres_server) as dsn:
        database = Database(dsn, limits=QueryLimits(timeout_seconds=20))
        await database.open()
        await migrate(database)
        async with database.connection() as connection:
            versions = REGISTRY.documents.versions
            assert versions is not None
            for vault_object in (*OBJECTS.values(), versions):
                for statement in schema_changes.plan(None, vault_object).statements:
                    await connection.execute(statement)
            await connection.execute(FILL, ROWS)
            # As the background makes it for many records that are read by date.
            by_date = create_order_index(
                "account__v", "modified_date__v", descending=False
            )
            await connection.execute(by_date)
            await connection.execute("ANALYZE")
        yield database
        await database.close()


@asynccontextmanager
async def read_only(database: Database) -> AsyncIterator[Connection]:
    async with database.transaction() as connection:
        await connection.execute("SET TRANSACTION READ ONLY")
        yield connection


async def run(connection: Connection, query: CompiledQuery) -> None:
    """The page and the count of a statement; every error of the database fails the test."""
    sql, parameters = query.page(min(query.pagesize, 50))
    rows = await connection.fetch(sql, *resolve(parameters, EXECUTION))
    # Behind the keys: the number of all records, where it is known, and the record's id.
    assert all(len(row) == len(query.keys) + query.whole + 1 for row in rows)
    counted = await connection.fetchval(
        query.count_sql, *resolve(query.count_parameters, EXECUTION)
    )
    assert counted >= len(rows)


@pytest.mark.parametrize("text", STATEMENTS)
async def test_statements_of_the_fixture(database: Database, text: str) -> None:
    query = compiled(text)
    if query is not None:
        async with read_only(database) as connection:
            await run(connection, query)


def indexed() -> Iterator[tuple[str, str]]:
    for text in STATEMENTS:
        query = compiled(text)
        kind = "" if query is None else plan_class(query, TARGETS).partition("/")[0]
        if kind in INDEXES and query is not None and query.object_name == "account__v":
            yield kind, text


COLUMNS = {
    "id": r"\(id\b|\bid ",
    "unique": "npi__v",
    "modified": "modified_date__v",
    "reference": "account__v",
}


@pytest.mark.parametrize(("kind", "text"), list(indexed()))
async def test_the_class_of_a_plan_is_what_the_database_can_do(
    database: Database, kind: str, text: str
) -> None:
    query = compiled(text)
    assert query is not None
    async with read_only(database) as connection:
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.fetch(
            f"EXPLAIN {query.count_sql}", *resolve(query.count_parameters, EXECUTION)
        )
    conditions = " ".join(row[0] for row in plan if "Index Cond" in row[0])
    assert re.search(COLUMNS[kind], conditions), "\n".join(row[0] for row in plan)


@pytest.mark.parametrize("condition", ["= '7_ACC1'", "CONTAINS ('7_ACC1', '7_ACC2')"])
async def test_a_global_id_is_found_by_the_index_of_ids(
    database: Database, condition: str
) -> None:
    query = compiled(f"SELECT id FROM account__v WHERE global_id__sys {condition}")
    assert query is not None
    async with read_only(database) as connection:
        # As PostgreSQL plans a statement that has been prepared, whatever its values.
        await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        plan = await connection.fetch(
            f"EXPLAIN {query.count_sql}", *resolve(query.count_parameters, EXECUTION)
        )
    shown = "\n".join(row[0] for row in plan)
    assert re.search(r"Index Cond: \(id = ", shown), shown


async def tried(database: Database, text: str) -> None:
    with suppress(VqlError):
        query = compiled(text)
        if query is not None:
            async with read_only(database) as connection:
                await run(connection, query)


@many
@given(
    st.sampled_from(STATEMENTS),
    st.integers(0, 200),
    st.integers(0, 20),
    st.sampled_from(["", *WORDS]),
)
async def test_statements_with_a_piece_replaced(
    database: Database, text: str, start: int, length: int, word: str
) -> None:
    await tried(database, text[:start] + word + text[start + length :])


@many
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
async def test_any_value(database: Database, text: str) -> None:
    value = "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    await tried(
        database,
        f"SELECT id FROM account__v WHERE name__v = {value} OR npi__v > {value}",
    )
    await tried(
        database,
        f"SELECT id FROM account__v WHERE CASEINSENSITIVE(name__v) CONTAINS ({value}, 'x')",
    )
    await tried(
        database,
        f"SELECT id, (SELECT id AS {text[:40]} FROM addresses__vr) FROM account__v",
    )
    await tried(database, f"SELECT id FROM account__v FIND ({value})")


@many
@given(st.text(st.sampled_from("ab*\"()\\.[]{}^$+?|-_ ANDORT'é\u0301"), max_size=40))
async def test_any_search_phrase(database: Database, text: str) -> None:
    await tried(
        database,
        f"SELECT id FROM account__v FIND ('{text}' SCOPE name__v, biography__v)",
    )


async def test_a_value_is_data_to_the_database_as_well(database: Database) -> None:
    query = compiled(
        "SELECT id FROM account__v WHERE name__v = '\\'; DROP TABLE records.account__v; --'"
    )
    assert query is not None
    async with database.connection() as connection:
        await run(connection, query)
        assert (
            await connection.fetchval("SELECT count(*) FROM records.account__v") == ROWS
        )


async def test_facets_count_what_the_statement_selects(database: Database) -> None:
    query = compiled(
        "SELECT id FROM account__v WHERE birth_date__v < '2000-01-12' AND created_by__v != ${User.id}"
    )
    assert query is not None
    async with read_only(database) as connection:
        found = {
            facet.field.name: await connection.fetch(
                facet.sql, *resolve(facet.parameters, EXECUTION)
            )
            for facet in facets_of(
                query,
                ["status__v", "languages__v", "do_not_call__v", "parent_account__v"],
            )
        }
    assert [tuple(row) for row in found["status__v"]] == [("active__v", 10, 1)]
    assert [tuple(row) for row in found["languages__v"]] == [("fr__v", 10, 1)]
    assert found["do_not_call__v"] == found["parent_account__v"] == []


async def test_what_is_stored_in_an_odd_way_is_shown_all_the_same(
    database: Database,
) -> None:
    """Long texts at their limits, and names that are not in their picklist."""
    query = compiled(
        "SELECT id, TOLABEL(status__v) AS s, TOLABEL(languages__v) AS l, TRIM(languages__v) AS t, notes__v,"
        " LONGTEXT(notes__v) AS n FROM account__v WHERE id = 'ACC1'"
    )
    assert query is not None
    async with database.connection() as connection:
        change = connection.transaction()
        await change.start()
        await connection.execute(
            "UPDATE records.account__v SET status__v = 'gone__c', languages__v = ARRAY['fr__v', 'gone__c'],"
            " notes__v = '<p>' || repeat('x', 300) || '</p>' WHERE id = 'ACC1'"
        )
        sql, parameters = query.page()
        row = (await connection.fetch(sql, *parameters))[0]
        await change.rollback()
    assert row[1:4] == (["gone__c"], ["French", "gone__c"], ["fr", "gone"])
    assert (row[4], row[5]) == ("x" * 250, "x" * 300)
