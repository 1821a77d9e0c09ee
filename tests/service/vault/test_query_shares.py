"""Long queries leave connections of the pool to short calls, and are answered in the end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg
import pytest

from local.polling import answers_within
from local.servers import PostgresServer
from shared.vault.assembly.vault import Vault
from tests.service.vault.served import Answer, Api

PATIENCE = 60
WAITING = """
SELECT count(*) FROM pg_locks JOIN pg_class ON pg_class.oid = relation
WHERE NOT granted AND relname = $1 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@dataclass(frozen=True)
class Long:
    """A call that reads a table, its user, and how many of fifteen run at once."""

    table: str
    method: str
    path: str
    roles: tuple[str, ...]
    running: int
    text: str | None = None


QUERY = "SELECT id FROM thing__c"
FIND = "SELECT id FROM thing__c FIND ('nothing')"
ALL = ("admin", "integration", "user")
LONG = {
    "query": Long("thing__c", "POST", "/query", ALL, 6, QUERY),
    "query of one user": Long("thing__c", "POST", "/query", ("user",), 3, QUERY),
    "search": Long("thing__c", "POST", "/query", ALL, 6, FIND),
    "list": Long("thing__c", "GET", "/vobjects/thing__c", ALL, 6),
    "audit trail": Long(
        "audit_entry", "GET", "/audittrail/object_audit_trail", ("admin",), 3
    ),
    "deleted records": Long(
        "deletion", "GET", "/objects/deletions/vobjects/thing__c", ("admin",), 3
    ),
    "days of the queue log": Long(
        "queue_log", "GET", "/services/queue_logs", ("admin",), 3
    ),
    "queue log": Long(
        "queue_log", "GET", "/services/queue_logs/2025-01-01", ("admin",), 3
    ),
    "lineage": Long("lineage", "GET", "/services/lineage/messages/m", ("admin",), 3),
}


@pytest.mark.parametrize("long", LONG.values(), ids=LONG.keys())
async def test_a_small_call_is_answered_while_long_ones_run(
    vault: Vault, api: Api, postgres_server: PostgresServer, long: Long
) -> None:
    sessions = [await api.signed_in(role) for role in long.roles]
    admin = await api.signed_in("admin")
    dsn = vault.settings.database_dsn.get_secret_value()
    # The Vault's own role may not lock the audit trail.
    holder: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
        postgres_server.dsn, database=urlsplit(dsn).path.removeprefix("/")
    )
    observer: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(dsn)
    options = {"data": {"q": long.text}} if long.text else {}
    try:
        async with asyncio.TaskGroup() as tasks, holder.transaction():
            schema = "records" if long.table == "thing__c" else "platform"
            await holder.execute(
                f"LOCK TABLE {schema}.{long.table} IN ACCESS EXCLUSIVE MODE"
            )
            calls: list[asyncio.Task[Answer]] = [
                tasks.create_task(session.call(long.method, long.path, **options))
                for _ in range(15 // len(sessions))
                for session in sessions
            ]

            async def all_run() -> str | None:
                waiting = await observer.fetchval(WAITING, long.table)
                return None if waiting == long.running else f"{waiting} run"

            assert await answers_within(PATIENCE, all_run) is None
            small = await admin.get("/objects/users/me")
            assert small.status == "SUCCESS"
            assert await all_run() is None
            assert not any(call.done() for call in calls)
    finally:
        await holder.close()
        await observer.close()
    assert {call.result().status for call in calls} == {"SUCCESS"}
