"""The database's connections: the bounds of statements, the clock, notifications after a lost connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from asyncpg.connection import LoggedQuery

from local.servers import PostgresServer
from shared.vault.security.sessions import FIND, SessionReads
from shared.vault.storage.clock import announced_moment, moment
from shared.vault.storage.database import (
    OUTBOX,
    Database,
    Notifications,
    OneTransaction,
    also_in_unit_of_work,
)
from shared.vault.storage.driver_types import FIRST_OWN_OID
from shared.vault.storage.migrate import FOLDER, alone, migrate
from tests.servers import fresh_database

BOUNDS = "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')"
# Ends the connections of others, as a restarted server does.
TERMINATE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%'
"""


@pytest.fixture
async def database(postgres_dsn: str) -> AsyncIterator[Database]:
    database = Database(postgres_dsn, max_size=1)
    await database.open()
    yield database
    await database.close()


async def test_a_migration_waits_longer_than_users_do(database: Database) -> None:
    async with database.connection() as connection:
        users = tuple(await connection.fetchrow(BOUNDS) or ())
    async with alone(database) as connection:
        migrating = tuple(await connection.fetchrow(BOUNDS) or ())
    # The pool has one connection: this is the one that was used alone.
    async with database.connection() as connection:
        afterwards = tuple(await connection.fetchrow(BOUNDS) or ())
    assert users == ("15s", "1min")
    assert migrating == ("0", "0")
    assert afterwards == users


async def test_migrations_are_applied_once(database: Database) -> None:
    await migrate(database)
    await migrate(database)
    names = "SELECT name FROM public.vault_migration ORDER BY name"
    async with database.connection() as connection:
        applied = [row["name"] for row in await connection.fetch(names)]
    assert applied == sorted(set(applied))
    assert applied[0].startswith("0001")


async def test_no_change_is_dated_before_a_moment_that_was_announced(
    database: Database,
) -> None:
    await migrate(database)
    ahead = (
        "UPDATE platform.clock SET given = now() + interval '1 hour' RETURNING given"
    )
    async with database.connection() as connection:
        # As after the server's clock was set back by an hour.
        later = await connection.fetchval(ahead)
        assert await moment(connection) == later
        assert await announced_moment(connection) == later


async def test_moments_are_whole_milliseconds(database: Database) -> None:
    await migrate(database)
    async with database.connection() as connection:
        now = await moment(connection)
    assert now.microsecond % 1000 == 0
    assert now.utcoffset() == timedelta(0)


async def test_a_unit_of_work_is_run_again_after_a_deadlock(database: Database) -> None:
    attempts: list[int] = []

    async def work(_: object) -> int:
        attempts.append(len(attempts))
        if len(attempts) < 3:
            raise asyncpg.DeadlockDetectedError
        return 7

    assert await database.unit_of_work(work) == 7
    assert len(attempts) == 3


async def test_an_addition_is_part_of_the_unit_of_work(database: Database) -> None:
    async def work(connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record]) -> int:
        await connection.execute("CREATE TABLE made (n int)")
        return 1

    async def refuse(_: object, result: object) -> None:
        assert result == 1
        raise ValueError("refused")

    with also_in_unit_of_work(refuse), pytest.raises(ValueError, match="refused"):
        await database.unit_of_work(work)
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT to_regclass('made')") is None


async def test_work_inside_one_transaction_is_undone_with_it(
    database: Database,
) -> None:
    async def work(
        connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record],
    ) -> None:
        await connection.execute("CREATE TABLE made (n int)")

    async def outer() -> None:
        async with database.transaction() as connection:
            await OneTransaction(connection).unit_of_work(work)
            raise ValueError("undone")

    with pytest.raises(ValueError, match="undone"):
        await outer()
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT to_regclass('made')") is None


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "2024-02-29"])
async def test_every_day_comes_back(database: Database, day: str) -> None:
    async with database.connection() as connection:
        stored = await connection.fetchval("SELECT $1::text::date", day)
    assert stored.isoformat() == day


async def test_a_lost_listener_listens_again(
    database: Database, postgres_dsn: str
) -> None:
    heard = asyncio.Event()
    notifications = Notifications(postgres_dsn)
    notifications.on(OUTBOX, heard.set)
    await notifications.start()
    try:
        # The first call says that it listens, the second that it was notified.
        for statement in ("SELECT 1", f"NOTIFY {OUTBOX}", TERMINATE):
            async with database.connection() as connection:
                await connection.execute(statement)
            await asyncio.wait_for(heard.wait(), 60)
            heard.clear()
    finally:
        await notifications.stop()


INDEXED = """
CREATE TABLE records.{0} (id text PRIMARY KEY, global_id__sys text NOT NULL, link__sys text);
CREATE UNIQUE INDEX {0}_global_id__sys_key ON records.{0} (global_id__sys);
CREATE UNIQUE INDEX {0}_link__sys_key ON records.{0} (link__sys);
"""
INDEXES = "SELECT indexname FROM pg_indexes WHERE tablename = 'old__c' ORDER BY 1"


async def test_an_older_database_loses_its_indexes_of_global_ids(
    database: Database,
) -> None:
    await migrate(database)
    async with database.connection() as connection:
        await connection.execute(INDEXED.format("old__c"))
        await connection.execute(
            "DELETE FROM public.vault_migration WHERE name LIKE '0066%'"
        )
    await migrate(database)
    async with database.connection() as connection:
        left = [row["indexname"] for row in await connection.fetch(INDEXES)]
    assert left == ["old__c_link__sys_key", "old__c_pkey"]


DATED = """
CREATE TABLE records.{0} (id text PRIMARY KEY, modified_date__v timestamptz NOT NULL);
CREATE INDEX {0}_modified_date__v_idx ON records.{0} (modified_date__v);
INSERT INTO platform.record_count (object, change) VALUES ('{0}', {1});
"""
DATE_INDEXES = """
SELECT indexname FROM pg_indexes WHERE tablename IN ('few__c', 'many__c') AND indexname !~ '_pkey' ORDER BY 1
"""


async def test_an_older_database_keeps_the_indexes_of_dates_of_many_records(
    database: Database,
) -> None:
    await migrate(database)
    async with database.connection() as connection:
        await connection.execute(DATED.format("few__c", 999))
        await connection.execute(DATED.format("many__c", 1_000))
        await connection.execute(
            "DELETE FROM public.vault_migration WHERE name LIKE '0071%'"
        )
    await migrate(database)
    async with database.connection() as connection:
        left = [row["indexname"] for row in await connection.fetch(DATE_INDEXES)]
        used = await connection.fetch(
            "SELECT object, field, descending FROM platform.ordered_field"
        )
    assert left == ["many__c_modified_date__v_asc"]
    assert [tuple(row) for row in used] == [("many__c", "modified_date__v", False)]


# Two calls on the same records, the second one of another message; a third that names no run.
OLD_LINEAGE = """
INSERT INTO platform.lineage (object, record_id, origin, message_id, run, source_record, told, written, audited)
SELECT 'old__c', record, '00000000-0000-0000-0000-000000000001', message, run, 'of ' || record, day, day, 7
FROM (VALUES ('m-1', 3), ('m-2', 4), ('m-3', NULL)) AS calls(message, run),
    unnest(ARRAY['r-1', 'r-2']) AS record, (SELECT timestamptz '2026-01-31 10:00:00Z' AS day) AS days
ORDER BY message, record
"""
ALL_LINEAGE = """
SELECT k.message_id, l.record_id, l.source_record, k.run, k.audited
FROM platform.lineage l JOIN platform.lineage_call k ON k.id = l.call ORDER BY k.id, l.record_id
"""
NEXT_CALL = "SELECT nextval('platform.lineage_call_id_seq') > max(id) FROM platform.lineage_call"


async def test_an_older_database_keeps_its_lineage(
    postgres_server: PostgresServer,
) -> None:
    migration = "0068_narrow_trails.sql"
    async with fresh_database(postgres_server) as dsn:
        connection = await asyncpg.connect(dsn)
        for file in sorted(FOLDER.glob("*.sql")):
            if file.name < migration:
                await connection.execute(file.read_text(encoding="utf-8"))
        await connection.execute(OLD_LINEAGE)
        await connection.execute((FOLDER / migration).read_text(encoding="utf-8"))
        rows = [tuple(row) for row in await connection.fetch(ALL_LINEAGE)]
        follows = await connection.fetchval(NEXT_CALL)
        await connection.close()
    assert rows == [
        (message, record, f"of {record}", run, 7)
        for message, run in (("m-1", 3), ("m-2", 4), ("m-3", None))
        for record in ("r-1", "r-2")
    ]
    assert follows


PLANS = "SELECT custom_plans, generic_plans FROM pg_prepared_statements WHERE statement = $1"
PLANNED = 5  # times that PostgreSQL plans a statement anew in any case
LOOK_UPS = 40


async def test_the_look_up_of_one_session_is_not_planned_each_time(
    database: Database,
) -> None:
    await migrate(database)
    reads = SessionReads(database, timedelta(minutes=20))
    for number in range(LOOK_UPS):
        assert await reads.find(str(number).encode()) is None
    # The pool has one connection: this is the one of the look-ups.
    async with database.connection() as connection:
        plans = tuple(await connection.fetchrow(PLANS, FIND) or ())
    assert plans == (PLANNED, LOOK_UPS - PLANNED)


DATES = "SELECT $1::timestamptz[] AS dates, $2::bigint[] AS numbers, $3::mood AS own"


async def test_only_the_first_session_of_a_pool_asks_for_a_type_of_postgresql(
    postgres_dsn: str,
) -> None:
    database = Database(postgres_dsn, max_size=3)
    await database.open()
    day = datetime(9999, 12, 31, tzinfo=UTC)
    asked: list[list[int]] = []
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        sessions = [
            await stack.enter_async_context(database.connection()) for _ in range(3)
        ]
        for number, session in enumerate(sessions):
            # A type of one's own may be another one tomorrow, under another number.
            await session.execute("DROP TYPE IF EXISTS mood")
            await session.execute("CREATE TYPE mood AS ENUM ('sad', 'glad')")
            queries: list[LoggedQuery] = []
            with session.query_logger(queries.append):
                row = await session.fetchrow(DATES, [day], [number], "glad")
            assert row is not None
            assert tuple(row) == ([day], [number], "glad")
            introspected = [q for q in queries if "typeinfo_tree" in q.query]
            asked.append([oid for q in introspected for oid in q.args[0]])
    own = [oid for oids in asked for oid in oids if oid >= FIRST_OWN_OID]
    assert len(set(own)) == 3
    of_postgresql = [len(set(oids) - set(own)) for oids in asked]
    assert of_postgresql == [2, 0, 0]


async def test_only_the_first_session_of_a_pool_asks_for_a_type_of_the_migrations(
    postgres_dsn: str,
) -> None:
    database = Database(postgres_dsn, max_size=2)
    await database.open()
    sent = ("a", None, 'c "quoted"', "", None, None, None, None)
    asked: list[int] = []
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        await migrate(database)
        sessions = [
            await stack.enter_async_context(database.connection()) for _ in range(2)
        ]
        for session in sessions:
            queries: list[LoggedQuery] = []
            with session.query_logger(queries.append):
                row = await session.fetchrow(
                    "SELECT * FROM unnest($1::platform.texts_8[])", [sent]
                )
            assert row is not None
            assert tuple(row) == sent
            asked.append(sum("typeinfo_tree" in q.query for q in queries))
    assert asked == [1, 0]
