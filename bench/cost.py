"""Measures the cost of an account and an inquiry: processor time, WAL, bytes of tables, row versions, HOT updates.

``python -m bench.cost`` starts systems of its own and prints a line for each kind of work.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import asyncpg

from bench.data import changed_accounts, many_accounts, submitted_inquiries
from bench.processor_time import processor_seconds
from bench.runs import timed_run
from bench.transfer import INTEGRATION, connected, transferred
from local.system import System

if TYPE_CHECKING:
    from shared.client import VaultClient

DATABASES = ("medical_vault", "crm_vault")
POSITION = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"
SIZES = """
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('records', 'platform') AND c.relkind IN ('r', 'm')
"""
VERSIONS = """
SELECT relname, n_tup_ins AS inserted, n_tup_upd AS updated, n_tup_hot_upd AS hot
FROM pg_stat_user_tables WHERE n_tup_ins + n_tup_upd > 0
"""
SETTLE_SECONDS = 11.0  # idle sessions hand in their counts of row versions every ten
Counts = Mapping[str, tuple[int, int, int]]


class Work(NamedTuple):
    """Work that was done: the number of records, and the seconds from its beginning to its end."""

    records: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Reading:
    """The counters of a system at one moment: seconds by part; row versions (new, changed, HOT) by table."""

    seconds: Mapping[str, float]
    wal: int
    bytes: int
    versions: Counts


@dataclass(slots=True)
class Meter:
    """Reads the counters of one system."""

    system: System
    versions: bool
    processes: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.processes = self.system.process_ids()

    async def settle(self) -> None:
        """Vacuum both databases, so that no vacuum of earlier work is counted."""
        for name in DATABASES:
            connection = await asyncpg.connect(self.dsn(name))
            await connection.execute("VACUUM (ANALYZE)")
            await connection.close()

    def dsn(self, database: str) -> str:
        return self.system.postgres.dsn.rpartition("/")[0] + f"/{database}"

    async def read(self) -> Reading:
        """Return the present counters, including those that sessions report at their end."""
        seconds = processor_seconds(self.processes)
        if self.versions:
            await asyncio.sleep(SETTLE_SECONDS)
        size = wal = 0
        versions: dict[str, tuple[int, int, int]] = {}
        for name in DATABASES:
            connection = await asyncpg.connect(self.dsn(name))
            try:
                size += int(await connection.fetchval(SIZES))
                wal = int(await connection.fetchval(POSITION))
                for row in await connection.fetch(VERSIONS):
                    key = f"{name}.{row['relname']}"
                    versions[key] = (row["inserted"], row["updated"], row["hot"])
            finally:
                await connection.close()
        return Reading(seconds, wal, size, versions)


async def measured(
    meter: Meter, work: Callable[[], Awaitable[Work]], *, tables: bool = False
) -> dict[str, Any]:
    """Return the cost of ``work`` for each record: microseconds, bytes of WAL and of tables.

    With ``tables``, the versions of rows by table are added.
    """
    await meter.settle()
    before = await meter.read()
    count, elapsed = await work()
    after = await meter.read()
    spent = {
        name: (after.seconds[name] - before.seconds[name]) * 1e6 / count
        for name in before.seconds
    }
    figures: dict[str, Any] = {
        "records": count,
        "per_second": round(count / elapsed),
        "microseconds": round(sum(spent.values())),
        "microseconds_by_part": {name: round(value) for name, value in spent.items()},
        "wal_bytes": round((after.wal - before.wal) / count),
        "table_bytes": round((after.bytes - before.bytes) / count),
    }
    if tables:
        figures["versions"] = _versions(before.versions, after.versions, count)
    return figures


def _versions(before: Counts, after: Counts, count: int) -> dict[str, str]:
    shown: dict[str, str] = {}
    for name, figures in after.items():
        former = before.get(name, (0, 0, 0))
        parts = [
            (now - then) / count for now, then in zip(figures, former, strict=True)
        ]
        if max(parts) >= 0.05:
            shown[name] = "{:.2f} new, {:.2f} changed, {:.2f} of them HOT".format(
                *parts
            )
    return shown


async def run(
    accounts: int, inquiries: int, rounds: int, *, tables: bool
) -> dict[str, Any]:
    """Measure ``rounds`` times, each on a new system that is removed afterwards; return medians by kind of work.

    Versions of rows are those of the last round.
    """
    found: list[dict[str, Any]] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="connection-cost-") as folder:
            # Servers that run as another user pass through to their data.
            Path(folder).chmod(0o711)
            system = System(Path(folder) / "system")
            found.append(await _round(system, accounts, inquiries, tables=tables))
    return {kind: median_of([figures[kind] for figures in found]) for kind in found[0]}


def median_of(turns: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the median of each figure over the turns, also in nested mappings; a text is that of the last turn."""
    found: dict[str, Any] = {}
    for name, figure in turns[-1].items():
        values = [turn[name] for turn in turns if name in turn]
        if isinstance(figure, Mapping):
            found[name] = median_of(values)
        elif isinstance(figure, str):
            found[name] = figure
        else:
            found[name] = round(statistics.median(values))
    return found


async def _round(
    system: System, accounts: int, inquiries: int, *, tables: bool
) -> dict[str, Any]:
    try:
        await system.start()
        endpoints = system.endpoints()
        async with (
            connected(endpoints["crm_vault"]) as crm,
            connected(endpoints["medical_vault"]) as medical,
        ):
            return await _figures(
                system, crm, medical, accounts, inquiries, tables=tables
            )
    finally:
        await system.reset()


async def _figures(
    system: System,
    crm: VaultClient,
    medical: VaultClient,
    accounts: int,
    inquiries: int,
    *,
    tables: bool,
) -> dict[str, Any]:
    meter = Meter(system, tables)
    connector = meter.processes["connector"]
    for client in (crm, medical):
        row = {"integration_api_name__sys": INTEGRATION, "status__v": "active__v"}
        await client.update("integration__sys", [row], "integration_api_name__sys")

    async def a_run() -> Work:
        seconds, written, _ = await timed_run(medical, INTEGRATION, connector)
        return Work(written, seconds)

    async def the_same() -> Work:
        # The window begins before everything: all is read again, and nothing has changed.
        started = time.perf_counter()
        row = {
            "integration_api_name__sys": INTEGRATION,
            "last_successful_run_time__sys": "2000-01-01T00:00:00.000Z",
        }
        await medical.update("integration__sys", [row], "integration_api_name__sys")
        # The change has requested a run already; one of nothing comes after it.
        await a_run()
        return Work(accounts, time.perf_counter() - started)

    figures: dict[str, Any] = {}
    await many_accounts(crm, medical, accounts)
    figures["account, insert"] = await measured(meter, a_run, tables=tables)
    await changed_accounts(crm, accounts)
    figures["account, update"] = await measured(meter, a_run, tables=tables)
    figures["account, unchanged"] = await measured(meter, the_same, tables=tables)
    first = await submitted_inquiries(crm, medical, 500, uuid4().hex[:8])
    await transferred(crm, first)
    ids = await submitted_inquiries(crm, medical, inquiries, uuid4().hex[:8])

    async def transfer() -> Work:
        return Work(len(ids), await transferred(crm, ids))

    figures["inquiry"] = await measured(meter, transfer, tables=tables)
    return figures


def main() -> int:
    """Measure, print a line for each kind of work, and store the figures as JSON if asked to; return 0."""
    parser = argparse.ArgumentParser(
        prog="bench.cost", description="Cost of an account and of an inquiry"
    )
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--inquiries", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument(
        "--tables", action="store_true", help="versions of rows by table"
    )
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    figures = asyncio.run(
        run(
            arguments.accounts,
            arguments.inquiries,
            arguments.rounds,
            tables=arguments.tables,
        )
    )
    for name, cost in figures.items():
        versions = cost.pop("versions", {})
        sys.stdout.write(f"{name}: {json.dumps(cost)}\n")
        for table, text in versions.items():
            sys.stdout.write(f"    {table}: {text}\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
