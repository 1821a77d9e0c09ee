"""``make rooms``: how many source files somebody opens who follows a job from its HTTP call to its end.

A job enters a file, below ``services/`` or ``shared/``, when it calls a function that is defined there, in any process
of a live system. Ten jobs of a kind are done one by one, and then nothing ten times for as long. A function is one of
the job's when each job called it more often than the quietest of the idle times did. So what jobs and idle loops both
call counts (the relay, the pool of connections); what only loops call does not, as they pass one of the jobs by; nor
does what is done once and kept, as a job goes before the ten. A query's text is always new, so that it is parsed.
Files of data, types or texts alone are not entered.
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
PAUSE_SECONDS = (
    0.2  # in which what follows a job ends as well, acknowledgements for example
)
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
        """Calls since the last time by file, function and process, when a job has been done."""
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
    """The files that the jobs enter; the first of them goes before."""
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
    """Run a user action and wait for a row in a database, as asking a Vault for it would be traced."""
    await client.run_action(*record, action)
    async with asyncpg.create_pool(dsn, min_size=1) as pool:

        async def ask() -> Row | None:
            row = await pool.fetchrow(end, record[1])
            return None if row is None else dict(row)

        return await until(end, ask)


async def measured(system: TracedSystem) -> dict[str, list[str]]:
    """The files of each kind of job; the system is removed afterwards."""

    def client(vault: str) -> VaultClient:
        return VaultClient(
            **{
                name: system.endpoints()[vault][name]
                for name in ("url", "username", "password")
            }
        )

    try:
        await system.start()
        crm_dsn, medical_dsn = (
            system.database_dsn("crm_vault"),
            system.database_dsn("medical_vault"),
        )
        async with client("crm_vault") as crm, client("medical_vault") as medical:
            for vault in (crm, medical):
                row = {
                    "integration_api_name__sys": INTEGRATION,
                    "status__v": "active__v",
                }
                await vault.update(
                    "integration__sys", [row], "integration_api_name__sys"
                )

            def transfer(
                inquiry: str, dsn: str = crm_dsn, end: str = TRANSFERRED
            ) -> Awaitable[Row]:
                return act(crm, ("medical_inquiry__v", inquiry), TRANSFER, dsn, end)

            def retry(failed: Row) -> Awaitable[Row]:
                return act(
                    medical,
                    (EXCEPTION, failed[EXCEPTION]),
                    RETRY,
                    medical_dsn,
                    RESOLVED,
                )

            inquiries = await submitted_inquiries(
                crm, medical, 2 * JOBS + 2, uuid4().hex[:8]
            )
            products = (
                await medical.query("SELECT id, external_id__v FROM product__v")
            ).rows
            await medical.update(
                "product__v",
                [{**row, "external_id__v": f"not {row['id']}"} for row in products],
            )
            exceptions = [
                await transfer(inquiry, medical_dsn, FAILED)
                for inquiry in inquiries[JOBS + 1 :]
            ]
            await medical.update("product__v", products)
            return {
                "transfer": await entered(
                    system,
                    [partial(transfer, inquiry) for inquiry in inquiries[: JOBS + 1]],
                ),
                "query": await entered(
                    system,
                    [partial(crm.query, QUERY.format(n)) for n in range(JOBS + 1)],
                ),
                "retry": await entered(
                    system, [partial(retry, exception) for exception in exceptions]
                ),
            }
    finally:
        await system.reset()


def main() -> None:
    """Measure, and print the numbers, with the files if they are asked for."""
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
