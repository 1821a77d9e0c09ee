"""Counts the source files that a reader opens to follow a job from its HTTP call to its end: ``make rooms``.

A job enters a file below ``services/`` or ``shared/`` when it calls a function that is defined there, in any process
of a live system. Ten jobs of a kind are carried out one by one; then the system is idle ten times for as long. A
function belongs to the job if each of the ten jobs called it more often than it was called in the quietest of the idle
periods. So functions that jobs and idle loops both call are counted (the relay, the pool of connections). Functions
that only loops call are not, as at least one job misses them. Nor are functions whose result is cached, as one job is
carried out before the ten. Each query has a new text, so that it is parsed. Files that have only data, types or texts
are not entered.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import uuid4

import asyncpg

from bench.data import TRANSFER, submitted_inquiries
from bench.tracer import SIGNAL
from local.polling import holds_within
from local.service import PROJECT, Service
from local.story.cast import INTEGRATION, Row, until
from local.story.inquiries import RETRY
from local.system import System
from shared.client import VaultClient

JOBS = 10
# After a job, for the work that follows it, such as acknowledgements.
PAUSE_SECONDS = 0.2
TRANSFERRED = "SELECT FROM records.medical_inquiry__v WHERE transfer_status__v = 'success__v' AND id = $1"
EXCEPTION = "exception_message__sys"
FAILED = f"SELECT {EXCEPTION} FROM records.exception_item__sys WHERE item__sys = $1"
RESOLVED = "SELECT FROM records.exception_message__sys WHERE error_status__sys = 'resolved__sys' AND id = $1"
QUERY = "SELECT id, name__v, account__vr.name__v FROM medical_inquiry__v WHERE account__vr.name__v != 'No {}'"


class TracedSystem(System):
    """A system whose services install the tracer before anything else."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "system")
        self._traces = folder / "traces"
        self._traces.mkdir()
        text = f"import pathlib, bench.tracer\nbench.tracer.Tracer(pathlib.Path({str(self._traces)!r})).install()\n"
        (self._traces / "sitecustomize.py").write_text(text)

    def _known_services(self) -> list[Service]:
        path = {"PYTHONPATH": f"{self._traces}{os.pathsep}{PROJECT}"}
        return [
            replace(service, settings={**service.settings, **path})
            for service in super()._known_services()
        ]

    async def calls(
        self, job: Callable[[], Awaitable[object]]
    ) -> Counter[tuple[str, ...]]:
        """Carry out a job and return the calls since the last time, by file, function and process."""
        await job()
        await asyncio.sleep(PAUSE_SECONDS)
        calls: Counter[tuple[str, ...]] = Counter()
        processes = [
            self._state.processes[service.name] for service in self._known_services()
        ]
        for process in processes:
            process.send(SIGNAL)
        for file in [self._traces / f"{process.pid}.json" for process in processes]:
            await holds_within(10, file.exists)
            calls.update(
                {(*at, file.name): n for *at, n in json.loads(file.read_text())}
            )
            file.unlink()
        return calls


async def entered(
    system: TracedSystem, jobs: Sequence[Callable[[], Awaitable[object]]]
) -> list[str]:
    """Return the files that the jobs enter; the first job is not counted."""
    await system.calls(jobs[0])
    started = time.monotonic()
    busy = [await system.calls(job) for job in jobs[1:]]
    seconds = (time.monotonic() - started) / JOBS
    assert seconds < 1.8, (
        f"a job takes {seconds:.1f} s: none would miss the loops that go round every 2 s"
    )
    nothing = partial(asyncio.sleep, seconds - PAUSE_SECONDS)
    idle = [await system.calls(nothing) for _ in busy]
    files = {
        at[0]
        for at in busy[0]
        if min(calls[at] for calls in busy) > min(calls[at] for calls in idle)
    }
    return sorted(files, key=os.path.split)


async def act(
    client: VaultClient, record: tuple[str, str], action: str, dsn: str, end: str
) -> Row:
    """Run a user action, and return the first row of the SQL ``end`` for the record's id, once there is one."""
    await client.run_action(*record, action)
    # In the database, as a call of the Vault would be traced.
    async with asyncpg.create_pool(dsn, min_size=1) as pool:

        async def ask() -> Row | None:
            row = await pool.fetchrow(end, record[1])
            return None if row is None else dict(row)

        return await until(end, ask)


async def measured(system: TracedSystem) -> dict[str, list[str]]:
    """Start the system, return the files of each kind of job, and remove the system."""
    try:
        await system.start()
        async with (
            _client(system, "crm_vault") as crm,
            _client(system, "medical_vault") as medical,
        ):
            for vault in (crm, medical):
                row = {
                    "integration_api_name__sys": INTEGRATION,
                    "status__v": "active__v",
                }
                key = "integration_api_name__sys"
                await vault.update("integration__sys", [row], key)
            return await _kinds(system, crm, medical)
    finally:
        await system.reset()


def _client(system: TracedSystem, vault: str) -> VaultClient:
    endpoint = system.endpoints()[vault]
    return VaultClient(endpoint["url"], endpoint["username"], endpoint["password"])


async def _kinds(
    system: TracedSystem, crm: VaultClient, medical: VaultClient
) -> dict[str, list[str]]:
    """Return the files of a transfer, a query and a retry."""
    crm_dsn = system.database_dsn("crm_vault")
    medical_dsn = system.database_dsn("medical_vault")

    def transfer(
        inquiry: str, dsn: str = crm_dsn, end: str = TRANSFERRED
    ) -> Awaitable[Row]:
        return act(crm, ("medical_inquiry__v", inquiry), TRANSFER, dsn, end)

    def retry(failed: Row) -> Awaitable[Row]:
        record = (EXCEPTION, failed[EXCEPTION])
        return act(medical, record, RETRY, medical_dsn, RESOLVED)

    run = uuid4().hex[:8]
    inquiries = await submitted_inquiries(crm, medical, 2 * JOBS + 2, run)
    found = await medical.query("SELECT id, external_id__v FROM product__v")
    products = found.rows
    # Without their External IDs the transfers of the second half fail, so that they can be retried.
    renamed = [{**row, "external_id__v": f"not {row['id']}"} for row in products]
    await medical.update("product__v", renamed)
    exceptions = [
        await transfer(inquiry, medical_dsn, FAILED)
        for inquiry in inquiries[JOBS + 1 :]
    ]
    await medical.update("product__v", products)
    transfers = [partial(transfer, inquiry) for inquiry in inquiries[: JOBS + 1]]
    texts = [QUERY.format(number) for number in range(JOBS + 1)]
    queries = [partial(crm.query, text) for text in texts]
    retries = [partial(retry, exception) for exception in exceptions]
    return {
        "transfer": await entered(system, transfers),
        "query": await entered(system, queries),
        "retry": await entered(system, retries),
    }


def main() -> None:
    """Measure, and print the number of files of each job, and with ``--list`` the files."""
    parser = argparse.ArgumentParser(
        prog="rooms", description="Source files that a job enters"
    )
    parser.add_argument(
        "--list", action="store_true", help="print the files of each job, by folder"
    )
    parser.add_argument("--json", action="store_true", help="print the files as JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="connection-rooms-") as folder:
        Path(folder).chmod(0o711)  # servers that run as another user pass through
        files = asyncio.run(measured(TracedSystem(Path(folder))))
    if arguments.json:
        print(json.dumps(files, indent=2))
    for job, entries in files.items() if not arguments.json else ():
        print(f"{job:<10}{len(entries):>5} files")
        for name, members in itertools.groupby(
            entries if arguments.list else (), os.path.dirname
        ):
            print(f"  {name}: {', '.join(Path(member).name for member in members)}")


if __name__ == "__main__":
    main()
