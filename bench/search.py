"""Measures how long PostgreSQL takes to find accounts among ten thousand, a hundred thousand and a million.

``python -m bench.search postgresql://administrator:password@127.0.0.1:5432/postgres`` makes a database for each size,
measures them by turns, prints a table with the medians of five, and removes the databases.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from rich.console import Console
from rich.table import Table

from services.crm_vault.definition import CRM_VAULT
from shared.vault import vql
from shared.vault.admin.listing import find
from shared.vault.components import schema_changes
from shared.vault.components.evolution import after
from shared.vault.components.mdl import parse
from shared.vault.components.registry import Registry
from shared.vault.components.schema import create_search_index
from shared.vault.model.component_model import VaultObject
from shared.vault.queries.record_finder import OFFERED, Parts, offered
from shared.vault.storage.database import SERVER_SETTINGS, Database
from shared.vault.storage.migrate import migrate

SIZES = (10_000, 100_000, 1_000_000)
ROUNDS = 5
ACCOUNT, ADDRESS = "account__v", "address__v"
# Five accounts of each size are those that are looked for; a fiftieth of the others has a name that begins with "Ma".
ACCOUNTS = """
INSERT INTO records.account__v (id, global_id__sys, name__v, first_name_cda__v, last_name_cda__v, email_cda__v,
    external_id__v, veevaid__v, status__v, created_by__v, created_date__v, modified_by__v, modified_date__v)
SELECT 'V4AZ' || lpad(n::text, 11, '0'), 'G' || n, first || ' ' || last, first, last,
    lower(last) || n || '@example.org', 'EXT-' || lpad(n::text, 8, '0'), 'VID' || n, 'active__v',
    1, now(), 1, now() - n * interval '1 second'
FROM (
    SELECT n, CASE WHEN n <= 5 THEN 'Zoë' WHEN n % 50 = 0 THEN 'Maribel' ELSE letters(n, 5) END AS first,
        CASE WHEN n <= 5 THEN 'Dvořák' ELSE letters(-n, 8) END AS last
    FROM generate_series(1, $1) AS n
) AS named
"""
ADDRESSES = """
INSERT INTO records.address__v (id, global_id__sys, name__v, account__v, city_cda__v, postal_code_cda__v, status__v,
    created_by__v, created_date__v, modified_by__v, modified_date__v)
SELECT 'V4D' || n, 'D' || n, n || ' ' || letters(n, 6) || ' Street', 'V4AZ' || lpad(n::text, 11, '0'),
    CASE WHEN n <= 3 THEN 'Zlín' WHEN n % 30 = 0 THEN 'London' ELSE letters(n % 997, 7) END, n % 90000, 'active__v',
    1, now(), 1, now()
FROM generate_series(1, $1) AS n
"""
LETTERS = """
CREATE FUNCTION letters(seed integer, length integer) RETURNS text LANGUAGE sql IMMUTABLE RETURN
    initcap(translate(left(md5(seed::text), length), '0123456789', 'ghijklnopr'))
"""


Call = Callable[[Any], Awaitable[object]]
"""Everything that one call asks PostgreSQL, over a connection."""


async def measure(dsn: str, sizes: Sequence[int]) -> dict[str, dict[int, float]]:
    """Return the milliseconds of each call by size, the medians of five."""
    registry = registry_of_crm()
    calls = _calls(registry)
    places = {size: _database_dsn(dsn, size) for size in sizes}
    administrator = await asyncpg.connect(dsn)
    try:
        for size, place in places.items():
            await administrator.execute(
                f"CREATE DATABASE {_name(size)} ENCODING 'UTF8' TEMPLATE template0"
            )
            await _fill(place, registry, size)
        return await _timed(places, calls)
    finally:
        for size in sizes:
            await administrator.execute(
                f"DROP DATABASE IF EXISTS {_name(size)} (FORCE)"
            )
        await administrator.close()


def _name(size: int) -> str:
    return f"bench_search_{size}"


def _database_dsn(dsn: str, size: int) -> str:
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(path=f"/{_name(size)}"))


def registry_of_crm() -> Registry:
    """Return the standard components of Vault CRM."""
    registry = Registry.build()
    for file in sorted((CRM_VAULT.standard / "components").glob("*.mdl")):
        for statement in parse(file.read_text(encoding="utf-8")):
            registry = after(statement, registry)
    return registry


def _table(registry: Registry, name: str) -> VaultObject:
    """Return an object without its references, except those to accounts: the other tables do not exist here."""
    owner = registry.objects[name]
    fields = {
        key: field if field.object in (None, ACCOUNT) else replace(field, object=None)
        for key, field in owner.fields.items()
    }
    return replace(owner, fields=fields)


async def _fill(dsn: str, registry: Registry, size: int) -> None:
    database = Database(dsn)
    await database.open()
    await migrate(database)
    await database.close()
    connection = await asyncpg.connect(dsn)
    later = []
    for name in (ACCOUNT, ADDRESS):
        owner = _table(registry, name)
        index = create_search_index(owner)
        later.append(index)
        for statement in schema_changes.plan(None, owner).statements:
            if statement != index:
                await connection.execute(statement)
    await connection.execute(LETTERS)
    await connection.execute(ACCOUNTS, size)
    await connection.execute(ADDRESSES, size)
    for index in later:
        await connection.execute(index)
    # What waits in the index for a later time would be read by every search.
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


def _calls(registry: Registry) -> Mapping[str, Call]:
    account = registry.objects[ACCOUNT]
    parts = [(registry.objects[ADDRESS], ACCOUNT)]
    lookup = "FIND ('zoe* dvo*' SCOPE name__v) WHERE status__v = 'active__v' ORDER BY name__v, id MAXROWS 21"
    queries = {
        "`FIND ('zoe dvo')`": "SELECT id, name__v FROM account__v FIND ('zoe dvo')",
        "`FIND ('dvorak' SCOPE name__v)`": "SELECT id FROM account__v FIND ('dvorak' SCOPE name__v)",
        "`CASEINSENSITIVE(name__v) =`": "SELECT id FROM account__v WHERE CASEINSENSITIVE(name__v) = 'ZOË DVOŘÁK'",
        "`name__v LIKE 'Zoë Dv%'`": "SELECT id FROM account__v WHERE name__v LIKE 'Zoë Dv%'",
        "`external_id__v LIKE 'EXT-0000123%'`": "SELECT id FROM account__v WHERE external_id__v LIKE 'EXT-0000123%'",
        "search of a list, page of 50": f"SELECT id, name__v FROM account__v{find('Zoe DVO')} PAGESIZE 50 PAGEOFFSET 0",
        "CRM Lookup": f"SELECT id, name__v FROM account__v {lookup}",
    }
    calls = {name: _queried(registry, text) for name, text in queries.items()}
    for typed in ("dvo zo", "ext-00001234", "ma", "m", "dvo zlin", "mari lond"):
        calls[f"offered for `{typed}`"] = _offered(account, parts, typed)
    return calls


def _offered(account: VaultObject, parts: Parts, typed: str) -> Call:
    async def call(connection: Any) -> object:
        return await offered(connection, account, parts, typed, OFFERED)

    return call


def _queried(registry: Registry, text: str) -> Call:
    """Return the call of a query: its page, and the count that follows a full page."""
    compiled = vql.compile_query(vql.parse(text), registry, lambda _: True)
    sql, parameters = compiled.page()
    count, counted = compiled.count_sql, compiled.count_parameters

    async def call(connection: Any) -> object:
        rows = await connection.fetch(sql, *parameters)
        return rows, await connection.fetch(count, *counted)

    return call


async def _timed(
    places: Mapping[int, str], calls: Mapping[str, Call]
) -> dict[str, dict[int, float]]:
    connections = {
        size: await asyncpg.connect(place, server_settings=SERVER_SETTINGS)
        for size, place in places.items()
    }
    times: dict[str, dict[int, list[float]]] = {
        name: {size: [] for size in places} for name in calls
    }
    # The round before the first is not counted: it reads the pages and prepares the statements.
    for number in range(ROUNDS + 1):
        for name, call in calls.items():
            for size, connection in connections.items():
                begin = time.perf_counter()
                await call(connection)
                if number:
                    times[name][size].append(1000 * (time.perf_counter() - begin))
    for connection in connections.values():
        await connection.close()
    return {
        name: {size: median(taken) for size, taken in by_size.items()}
        for name, by_size in times.items()
    }


def main() -> int:
    """Print the table, and return 0."""
    parser = argparse.ArgumentParser(
        prog="bench.search", description="Searches by the number of records"
    )
    parser.add_argument(
        "dsn",
        help="address of a PostgreSQL server, as a role that may create databases",
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    arguments = parser.parse_args()
    figures = asyncio.run(measure(arguments.dsn, arguments.sizes))
    table = Table("milliseconds", *(f"{size:,}" for size in arguments.sizes))
    for name, by_size in figures.items():
        table.add_row(name, *(f"{taken:.1f}" for taken in by_size.values()))
    Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
