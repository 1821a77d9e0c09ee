"""Compares single calls of one Vault process with the same SQL through the driver alone.

A page of a query and a bulk upsert are carried out once in this process while the driver logs its statements. Then
clients call the served Vault, and as many connections run the logged statements with the logged values, alternately.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import aiohttp
import asyncpg
import orjson

from shared.vault.access.caller import SYSTEM
from shared.vault.configuration.component_service import ComponentService
from shared.vault.queries.queries import QueryService
from shared.vault.records.named_actions import NamedActions
from shared.vault.records.record_service import RecordService
from shared.vault.storage.database import SERVER_SETTINGS, Database

if TYPE_CHECKING:
    from local.system import System
    from shared.vault.storage.database import Connection

MDL = """RECREATE Object bench__c ( label('Bench'), prefix('ZBE'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field text__c ( type('String'), label('Text'), max_length(100) ),
  Field amount__c ( type('Number'), label('Amount'), scale(2) ),
  Field day__c ( type('Date'), label('Day') ), Field yes__c ( type('Boolean'), label('Yes') ) );"""
QUERY = "SELECT id, name__v, key__c, text__c, amount__c, day__c, yes__c, modified_date__v FROM bench__c PAGESIZE 1000"
PAGE, BATCH, RECORDS = 1000, 500, 4000
CLIENTS = 4
TURN_SECONDS = 2.0
TURNS = 4

Statement = tuple[str, Sequence[Any]]
Call = Callable[[int], Awaitable[object]]


class LoggedDatabase(Database):
    """A database that records its statements in order, with their values."""

    def __init__(self, dsn: str) -> None:
        # One connection, so that the log has the statements in their order.
        super().__init__(dsn, max_size=1)
        self.statements: list[Statement] = []

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        async with super().connection() as connection:
            with connection.query_logger(self._keep):
                yield connection

    def _keep(self, logged: Any) -> None:
        # The replay has transactions of its own.
        if logged.query.rstrip(";") not in ("BEGIN", "COMMIT"):
            self.statements.append((logged.query, logged.args))

    def taken(self) -> list[Statement]:
        """Return the statements logged since the last call, and clear the log."""
        taken, self.statements = self.statements, []
        return taken


def rows(client: int, change: int) -> list[dict[str, object]]:
    """Return 500 records of one client, with values that differ from those of the change before."""
    return [
        {
            "key__c": f"{client}-{number}",
            "name__v": f"Bench {number}",
            "text__c": f"text {number} after change {change}",
            "amount__c": number + change,
            "day__c": f"2026-01-{1 + (number + change) % 28:02d}",
            "yes__c": change % 2 == 0,
        }
        for number in range(BATCH)
    ]


async def measured_calls(system: System) -> dict[str, object]:
    """Return requests and records a second by the API and by the driver, and the ratio of the two."""
    logged = LoggedDatabase(system.database_dsn("medical_vault"))
    await logged.open()
    try:
        read, writes = await _recorded(logged)
    finally:
        await logged.close()
    pool = asyncpg.create_pool(
        system.database_dsn("medical_vault"),
        min_size=CLIENTS,
        max_size=CLIENTS,
        server_settings=SERVER_SETTINGS,
    )
    endpoint, who = (
        system.endpoints()["medical_vault"],
        system.sign_ins()["medical_vault"]["integration"],
    )
    async with pool, aiohttp.ClientSession(endpoint["url"]) as http:
        async with http.post("/api/v25.1/auth", data=who) as answer:
            http.headers["Authorization"] = (await answer.json())["sessionId"]
        return {
            "query_of_1000": await _compared(
                _query(http), _replayed(pool, itertools.repeat([read] * CLIENTS)), PAGE
            ),
            "upsert_of_500": await _compared(
                _upsert(http), _replayed(pool, itertools.cycle(writes)), BATCH
            ),
            "upsert_with_lineage": await _with_lineage(http),
        }


async def _recorded(
    logged: LoggedDatabase,
) -> tuple[list[Statement], list[list[list[Statement]]]]:
    """Return the statements of the query, and of each client's upsert for two changes that undo each other."""
    components = ComponentService(logged)
    await components.load()
    assert not (await components.execute(SYSTEM, MDL)).failures
    records, queries = (
        RecordService(logged, components, {}, NamedActions({}), 10101),
        QueryService(logged, components),
    )
    # More records than a page, as a query with further pages stores a cursor.
    for client in range(RECORDS // BATCH):
        await records.upsert(SYSTEM, "bench__c", rows(client, 1), "key__c")
    logged.taken()
    await queries.run(SYSTEM, QUERY, version_path="v25.1")
    read = logged.taken()
    writes = []
    for change in (0, 1):
        by_client = []
        for client in range(CLIENTS):
            results = await records.upsert(
                SYSTEM, "bench__c", rows(client, change), "key__c"
            )
            assert all(result.event == "updated__sys" for result in results)
            by_client.append(logged.taken())
        writes.append(by_client)
    return read, writes


def _query(http: aiohttp.ClientSession) -> Call:
    async def call(client: int) -> object:
        del client  # all clients send the same query
        async with http.post("/api/v25.1/query", data={"q": QUERY}) as answer:
            document = orjson.loads(await answer.read())
        assert len(document["data"]) == PAGE, document
        return document

    return call


def _upsert(http: aiohttp.ClientSession, lineage: str | None = None) -> Call:
    """Return a call that changes every record of a client; ``lineage`` is the header of that name."""
    changes = itertools.count(2)
    headers = {"Content-Type": "application/json"}
    if lineage is not None:
        headers["X-VaultAPI-Lineage"] = lineage

    async def call(client: int) -> object:
        change = next(changes)
        more: dict[str, object] = {}
        if lineage is not None:
            more["lineage__sys"] = [0, f"message {change}", f"source {client}"]
        changed = [row | more for row in rows(client, change)]
        body = orjson.dumps(changed)
        path = "/api/v25.1/vobjects/bench__c?idParam=key__c"
        async with http.post(path, data=body, headers=headers) as answer:
            document = orjson.loads(await answer.read())
        assert document["responseStatus"] == "SUCCESS", document
        return document

    return call


def _replayed(
    pool: asyncpg.Pool[asyncpg.Record], changes: Iterable[list[list[Statement]]]
) -> Call:
    """Return a call that runs the statements of the next change in one transaction, and reads rows as dictionaries."""
    own = dict(enumerate(itertools.tee(changes, CLIENTS)))

    async def call(client: int) -> object:
        statements = next(own[client])[client]
        async with pool.acquire() as connection, connection.transaction():
            return [
                [
                    dict(row)
                    for row in await connection.fetch(sql, *_with_new_ids(values))
                ]
                for sql, values in statements
            ]

    return call


def _with_new_ids(values: Sequence[Any]) -> Iterator[Any]:
    """Yield the values of a statement, with new ids for cursors, as in every query."""
    return (uuid4() if isinstance(value, UUID) else value for value in values)


async def _with_lineage(http: aiohttp.ClientSession) -> dict[str, float]:
    """Compare upserts with lineage to the same without."""
    origins = [{"object": "account__v", "rule": "account__v", "own": ["yes__c"]}]
    common = {
        "source_vault_id": 20202,
        "integration": "bench__c",
        "integration_point": "bench_inbound__c",
    }
    header = {**common, "time": "2026-01-31T10:00:00.000Z", "origins": origins}
    text = orjson.dumps(header).decode()
    with_it, without = await _by_turns(_upsert(http, text), _upsert(http))
    return {
        "requests_per_second": round(with_it, 1),
        "ratio_to_upsert": round(with_it / without, 2),
    }


async def _compared(api: Call, driver: Call, records: int) -> dict[str, float]:
    by_api, by_driver = await _by_turns(api, driver)
    return {
        "requests_per_second": round(by_api, 1),
        "records_per_second": round(by_api * records),
        "driver_requests_per_second": round(by_driver, 1),
        "driver_records_per_second": round(by_driver * records),
        "ratio_to_driver": round(by_api / by_driver, 2),
    }


async def _by_turns(one: Call, other: Call) -> tuple[float, float]:
    """Return the calls per second of two alternating calls, so that other load on the machine affects both."""
    counts = {one: 0, other: 0}
    seconds = {one: 0.0, other: 0.0}
    for turn in range(TURNS + 1):
        for call in (one, other):
            started = time.perf_counter()
            clients = [_repeated(call, client) for client in range(CLIENTS)]
            made = await asyncio.gather(*clients)
            if turn:  # the first one fills caches and is not counted
                counts[call] += sum(made)
                seconds[call] += time.perf_counter() - started
    return counts[one] / seconds[one], counts[other] / seconds[other]


async def _repeated(call: Call, client: int) -> int:
    until, counted = time.perf_counter() + TURN_SECONDS, 0
    while time.perf_counter() < until:
        await call(client)
        counted += 1
    return counted
