"""Measures how the calls of a Vault grow with its records: the same calls with 10,000, 100,000 and 1,000,000 accounts.

``python -m bench.growth`` starts a PostgreSQL server of its own, makes a database for each size, measures in turns,
prints a table with the medians of five, and removes everything. It measures the processor time of the Vault and of its
connections in PostgreSQL together, since the time of waiting for a processor is not that of the call.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from bench import quiet
from bench.filling import fill_accounts
from local.postgres import PrivatePostgres
from local.server_account import server_account, server_directory
from local.state import State
from services.crm_vault.definition import CRM_VAULT
from shared.vault.access.caller import SYSTEM
from shared.vault.admin.listing import listed
from shared.vault.assembly.standard import load_standard
from shared.vault.assembly.vault_services import VaultServices
from shared.vault.assembly.vault_settings import VaultSettings
from shared.vault.storage.migrate import migrate

SIZES = (10_000, 100_000, 1_000_000)
ROUNDS = 5
VERSION = "v25.1"
PAGE = "SELECT id, name__v, external_id__v, status__v, modified_date__v FROM account__v"
BATCH = 500

Call = Callable[[], Awaitable[object]]
"""One call of a Vault, from the text of a query or the rows of a request to the answer's data."""


@asynccontextmanager
async def vault_of(dsn: str, size: int) -> AsyncIterator[VaultServices]:
    """Yield the services of a Vault CRM on a new database with ``size`` accounts and addresses."""
    secret = SecretStr("a password of a bench")
    settings = VaultSettings(
        database_dsn=SecretStr(dsn),
        amqp_url=SecretStr("amqp://nobody:nothing@127.0.0.1:1/none"),
        admin_password=secret,
        integration_password=secret,
        business_password=secret,
        load_example_data=False,
    )
    vault = VaultServices(CRM_VAULT, settings)
    await vault.database.open()
    try:
        await migrate(vault.database)
        await load_standard(
            vault.database,
            vault.components,
            vault.records,
            CRM_VAULT.standard,
            example_data=False,
        )
        began = time.perf_counter()
        await fill_accounts(dsn, vault.components.registry, size)
        print(f"{size:,} accounts in {time.perf_counter() - began:.0f} s", flush=True)
        yield vault
    finally:
        await vault.database.close()


async def calls_of(vault: VaultServices, size: int) -> Mapping[str, Call]:
    """Return the measured calls, by their descriptions in the table."""

    def queried(text: str) -> Call:
        return lambda: vault.queries.run(SYSTEM, text, version_path=VERSION)

    first = await vault.queries.run(SYSTEM, f"{PAGE} PAGESIZE 50", version_path=VERSION)
    assert first.next_page is not None
    cursor = first.next_page.rpartition("/")[2].partition("?")[0]

    def later(offset: int) -> Call:
        return lambda: vault.queries.page(SYSTEM, cursor, 50, offset, VERSION)

    visit = cast("Any", SimpleNamespace(vault=vault, caller=SYSTEM))

    def list_page(order: str) -> Call:
        return lambda: listed(visit, f"{PAGE} ORDER BY {order}")

    ids = ", ".join(f"'V4AZ{number:011}'" for number in range(1, BATCH + 1))
    since = "modified_date__v > '2020-01-01T00:00:00.000Z'"
    return {
        "page of 50": queried(f"{PAGE} PAGESIZE 50"),
        "page of 1,000": queried(f"{PAGE} PAGESIZE 1000"),
        "next page": later(50),
        "page from the end by `next_page`": later(size - 50),
        "page from the end by `PAGEOFFSET`": queried(
            f"{PAGE} PAGESIZE 50 PAGEOFFSET {size - 50}"
        ),
        "`ORDER BY` a date, descending": queried(
            f"{PAGE} ORDER BY modified_date__v DESC PAGESIZE 50"
        ),
        "`ORDER BY` a name": queried(f"{PAGE} ORDER BY name__v PAGESIZE 50"),
        "`CONTAINS` 500 ids": queried(f"{PAGE} WHERE id CONTAINS ({ids})"),
        "`=` a unique field": queried(f"{PAGE} WHERE external_id__v = 'EXT-00000123'"),
        "`LIKE 'x%'`": queried(f"{PAGE} WHERE name__v LIKE 'Zoë Dv%'"),
        "`CASEINSENSITIVE() =`": queried(
            f"{PAGE} WHERE CASEINSENSITIVE(name__v) = 'ZOË DVOŘÁK'"
        ),
        "`FIND`": queried(f"{PAGE} FIND ('zoe dvo')"),
        "list of `/ui`, latest first": list_page("modified_date__v DESC"),
        "list of `/ui`, by name": list_page("name__v ASC"),
        "offered while one types": lambda: vault.finder.find(
            SYSTEM, "account__v", "dvo zo"
        ),
        "one record": lambda: vault.queries.record(
            SYSTEM, "account__v", "V4AZ00000000123"
        ),
        "create one": _created(vault),
        "upsert of 500 by external id": _upserted(vault),
        "page of a run, 500 ids": queried(
            f"SELECT id FROM account__v WHERE {since} ORDER BY modified_date__v, id MAXROWS {BATCH}"
        ),
    }


def _created(vault: VaultServices) -> Call:
    numbers = count(1)

    async def call() -> object:
        row: dict[str, object] = {"name__v": f"New {next(numbers)}"}
        results = await vault.records.create(SYSTEM, "account__v", [row])
        assert results[0].event == "created__sys", results
        return results

    return call


def _upserted(vault: VaultServices) -> Call:
    changes = count(1)

    async def call() -> object:
        change = next(changes)
        rows: list[dict[str, object]] = [
            {
                "external_id__v": f"EXT-{number:08}",
                "credentials__v": f"MD {change}",
            }
            for number in range(1001, 1001 + BATCH)
        ]
        results = await vault.records.upsert(
            SYSTEM, "account__v", rows, "external_id__v"
        )
        assert all(each.event == "updated__sys" for each in results), results[0]
        return results

    return call


Figures = dict[str, dict[int, float]]
"""Milliseconds of processor time of each call by the number of accounts."""

CONNECTIONS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"


async def _connections(vault: VaultServices) -> list[int]:
    """Return the processes of PostgreSQL that serve the connections of a Vault."""
    async with vault.database.connection() as connection:
        return [row["pid"] for row in await connection.fetch(CONNECTIONS)]


def _spent(connections: Sequence[int]) -> int:
    """Return the processor time of this process and of connections so far, in nanoseconds."""
    return time.process_time_ns() + sum(map(_nanoseconds, connections))


def _nanoseconds(pid: int) -> int:
    """Return the processor time of a process, in nanoseconds."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    except FileNotFoundError:
        return 0  # it ended meanwhile


async def measure(dsn: str, sizes: Sequence[int], only: str = "") -> Figures:
    """Return the medians of the calls; with ``only``, of calls whose name contains it."""
    places = {size: _address(dsn, size) for size in sizes}
    administrator = await asyncpg.connect(dsn)
    try:
        for size in sizes:
            await administrator.execute(
                f"CREATE DATABASE {_name(size)} ENCODING 'UTF8' TEMPLATE template0"
            )
        return await _measured(places, sizes, only)
    finally:
        for size in sizes:
            await administrator.execute(
                f"DROP DATABASE IF EXISTS {_name(size)} (FORCE)"
            )
        await administrator.close()


def _name(size: int) -> str:
    return f"bench_growth_{size}"


def _address(dsn: str, size: int) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{_name(size)}"))


async def _measured(
    places: Mapping[int, str], sizes: Sequence[int], only: str
) -> Figures:
    async with _opened(places, sizes) as vaults:
        by_size = {size: await calls_of(vault, size) for size, vault in vaults.items()}
        names = [name for name in by_size[sizes[0]] if only in name]
        taken: dict[str, dict[int, list[float]]] = {
            name: {size: [] for size in sizes} for name in names
        }
        # The first round is not counted: it reads the pages and prepares the statements, and the Vault builds what it
        # finds to be missing.
        for number in range(ROUNDS + 1):
            for name in names:
                for size in sizes:
                    connections = await _connections(vaults[size])
                    begin = _spent(connections)
                    await by_size[size][name]()
                    if number:
                        passed = _spent(connections) - begin
                        taken[name][size].append(passed / 1e6)
            if not number:
                for vault in vaults.values():
                    await vault.search_indexes.build_missing()
    return {
        name: {size: median(times) for size, times in by_size_of.items()}
        for name, by_size_of in taken.items()
    }


@asynccontextmanager
async def _opened(
    places: Mapping[int, str], sizes: Sequence[int]
) -> AsyncIterator[dict[int, VaultServices]]:
    """Yield a filled Vault of each size."""
    if not sizes:
        yield {}
        return
    size, *others = sizes
    async with vault_of(places[size], size) as vault, _opened(places, others) as more:
        yield {size: vault, **more}


@asynccontextmanager
async def private_server() -> AsyncIterator[str]:
    """Yield the administrator's address of a PostgreSQL server that runs during the block."""
    with tempfile.TemporaryDirectory(prefix="connection-growth-") as folder:
        directory = Path(folder)
        directory.chmod(0o711)
        account = server_account("postgres")
        state = State.load(directory / "postgres.json")
        state.servers = server_directory(directory, [account])
        logs = directory / "logs"
        logs.mkdir()
        server = PrivatePostgres(state, state.servers / "postgres", logs, account)
        await server.start()
        try:
            yield server.dsn
        finally:
            await server.stop()


async def run(sizes: Sequence[int], only: str = "") -> Figures:
    """Measure with a private server, for each number of accounts in ``sizes``, the calls whose name has ``only``."""
    async with private_server() as own:
        return await measure(own, sizes, only)


def show(figures: Figures, sizes: Sequence[int]) -> None:
    """Print a table: the medians by size, and the ratio of the largest to the smallest size."""
    table = Table("ms of processor time", *(f"{size:,}" for size in sizes), "ratio")
    for name, by_size in figures.items():
        ratio = by_size[sizes[-1]] / by_size[sizes[0]]
        texts = [f"{by_size[size]:.1f}" for size in sizes]
        table.add_row(name, *texts, f"{ratio:.2f}")
    Console(width=120).print(table)


def main() -> int:
    """Print the table, and return 0."""
    parser = argparse.ArgumentParser(
        prog="bench.growth", description="Calls by the number of records"
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument(
        "--only", default="", help="measure the calls with this text in their name"
    )
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    quiet.only_warnings()
    figures = asyncio.run(run(arguments.sizes, arguments.only))
    show(figures, arguments.sizes)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
