"""Measures how long other clients wait during the deployment of a large package, and the rewrite of a large table.

``python -m bench.deployment`` starts a system of its own. Four clients work all the time: one creates records of an
object that the package does not have, one asks for a record, one transfers inquiries one after the other, and one asks
the clock by how much changes are held back.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from bench.data import BenchFailed, submitted_inquiries
from bench.transfer import INTEGRATION, connected, single
from local.system import System
from shared.vault.packages.package_archive import pack

API = "/api/v25.1"
PAUSE = 0.02
QUIET_SECONDS = 15.0
STEP_ROWS = 100_000
INQUIRIES = 400
PAGE_BYTES = 4096
OBJECT = """RECREATE Object bench_row__c ( label('Row'), prefix('ZBR'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field text__c ( type('String'), label('Text'), max_length(100) ),
  Field amount__c ( type('Number'), label('Amount') ) );"""
OTHER = "RECREATE Object bench_other__c ( label('Other'), prefix('ZBO') );"
# Of a whole number and one with decimals the columns differ: every row is written again.
REWRITE = (
    "ALTER Object bench_row__c ( MODIFY Field amount__c ( scale(2) ) );"
    "ALTER Object bench_row__c ( ADD Field more__c ( type('String'), label('More'), unique(true), max_length(40) ) );"
)
MANIFEST = """<?xml version="1.0" encoding="UTF-8"?>
<vaultpackage xmlns="https://veevavault.com/"><name>BENCH</name><source><vault>1</vault><author>bench</author></source>
<summary>Rows</summary><description>Rows</description></vaultpackage>"""
STEP = """<stepheader><label>Rows</label><checksum>{checksum}</checksum><datastepheader><object>bench_row__c</object>
<idparam>key__c</idparam><datatype>Object</datatype><action>Upsert</action><recordcount>{count}</recordcount>
</datastepheader></stepheader>"""


@dataclass(slots=True)
class Waits:
    """Seconds of other clients' calls, seconds by which ``complete_until`` was behind, and bytes of memory."""

    create: list[float] = field(default_factory=list)
    read: list[float] = field(default_factory=list)
    transfer: list[float] = field(default_factory=list)
    behind: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    seconds: float = 0.0


def main() -> int:
    """Measure on a system of its own, print a table, and return 0."""
    parser = argparse.ArgumentParser(prog="bench.deployment")
    parser.add_argument("--rows", type=int, default=300_000, help="rows of the package")
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="connection-bench-") as folder:
        # Servers that run as another user pass through to their data.
        Path(folder).chmod(0o711)
        asyncio.run(_on(System(Path(folder) / "system"), rows))
    return 0


async def _on(system: System, rows: int) -> None:
    try:
        await system.start()
        table = await _measured(system, rows)
    finally:
        await system.reset()
    Console(width=160).print(table)


async def _measured(system: System, rows: int) -> Table:
    async with _work(system) as work:
        vault = work.admin
        await vault.mdl(OTHER)
        package = await asyncio.to_thread(_package, rows)
        quiet = await work.waits_during(asyncio.sleep(QUIET_SECONDS))
        package_id = await vault.imported(package)
        deploying = await work.waits_during(vault.deployed(package_id))
        rewriting = await work.waits_during(vault.mdl(REWRITE))
    table = Table(title=f"Waits of others, {rows:,} rows")
    for name in ("Meanwhile", "Seconds", "create", "read", "transfer", "behind", "MiB"):
        table.add_column(name, justify="left" if name == "Meanwhile" else "right")
    found = {
        "nothing": quiet,
        "a package deploys": deploying,
        "a table is rewritten": rewriting,
    }
    for name, waits in found.items():
        table.add_row(name, *_figures(waits))
    return table


def _figures(found: Waits) -> list[str]:
    memory = max(found.memory) / 2**20
    waits = (found.create, found.read, found.transfer, found.behind)
    return [f"{found.seconds:.1f}", *map(_spread, waits), f"{memory:,.0f}"]


def _spread(waits: list[float]) -> str:
    """Return median, 99th percentile and maximum in milliseconds."""
    ordered = sorted(waits) or [0.0]
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    shown = (statistics.median(ordered), p99, ordered[-1])
    return " / ".join(f"{1000 * value:,.0f}" for value in shown)


class _Vault:
    """One Vault, called in a user's session."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self._session = session
        self._address = address

    async def call(self, method: str, path: str, **sent: Any) -> dict[str, Any]:
        """Return the body of an answer.

        :raises BenchFailed: the call was refused.
        """
        url = f"{self._address}{path}"
        async with self._session.request(method, url, **sent) as answer:
            body: dict[str, Any] = await answer.json()
        if body["responseStatus"] != "SUCCESS":
            raise BenchFailed(f"{method} {path}: {body}")
        return body

    async def mdl(self, script: str) -> None:
        """Execute a script."""
        await self.call("POST", "/api/mdl/execute", data=script)

    async def imported(self, content: bytes) -> str:
        """Import a package, and return its id."""
        form = aiohttp.FormData()
        form.add_field("file", content, filename="bench.vpk")
        answer = await self.call("PUT", f"{API}/services/package", data=form)
        await self._ended(answer["job_id"])
        query = {"q": "SELECT id FROM vault_package__v"}
        found = await self.call("POST", f"{API}/query", data=query)
        return str(found["data"][0]["id"])

    async def deployed(self, package_id: str) -> None:
        """Deploy a package."""
        path = f"{API}/vobject/vault_package__v/{package_id}/actions/deploy"
        answer = await self.call("POST", path)
        await self._ended(answer["job_id"])

    async def _ended(self, job_id: int) -> None:
        """Wait for a job.

        :raises BenchFailed: the job did not succeed.
        """
        while True:
            listed = await self.call("GET", f"{API}/services/jobs/histories?limit=200")
            for job in listed["jobs"]:
                if job["job_id"] == job_id:
                    if job["status"] != "SUCCESS":
                        raise BenchFailed(f"job {job_id} ended as {job['status']}")
                    return
            await asyncio.sleep(0.2)


class _Work:
    """The work of other clients, which is measured during an operation."""

    def __init__(
        self,
        admin: _Vault,
        others: _Vault,
        process: int,
        transfers: Callable[[], Awaitable[float]],
    ) -> None:
        self.admin = admin
        self._others = others
        self._process = process
        self._transfers = transfers

    async def waits_during(self, operation: Awaitable[None]) -> Waits:
        """Return the waits of other clients during an operation."""
        found, ended = Waits(), asyncio.Event()
        calls: dict[Callable[[], Awaitable[float]], list[float]] = {
            self._create: found.create,
            self._read: found.read,
            self._lag_seconds: found.behind,
            self._transfers: found.transfer,
        }
        work = [
            asyncio.create_task(self._repeated(call, waits, found, ended))
            for call, waits in calls.items()
        ]
        started = time.perf_counter()
        await operation
        found.seconds = time.perf_counter() - started
        ended.set()
        await asyncio.gather(*work)
        return found

    async def _repeated(
        self,
        call: Callable[[], Awaitable[float]],
        waits: list[float],
        found: Waits,
        ended: asyncio.Event,
    ) -> None:
        while not ended.is_set():
            waits.append(await call())
            resident = Path(f"/proc/{self._process}/statm").read_text().split()[1]
            found.memory.append(int(resident) * PAGE_BYTES)
            await asyncio.sleep(PAUSE)

    async def _create(self) -> float:
        started = time.perf_counter()
        rows = [{"name__v": "other"}]
        path = f"{API}/vobjects/bench_other__c"
        await self._others.call("POST", path, json=rows)
        return time.perf_counter() - started

    async def _read(self) -> float:
        started = time.perf_counter()
        await self._others.call("GET", f"{API}/vobjects/product__v?limit=1")
        return time.perf_counter() - started

    async def _lag_seconds(self) -> float:
        """Return by how many seconds ``complete_until`` lags behind the clock."""
        clock = (await self._others.call("GET", f"{API}/services/clock"))["data"]
        now = datetime.fromisoformat(clock["date_time"])
        complete = datetime.fromisoformat(clock["complete_until"])
        return (now - complete).total_seconds()


@asynccontextmanager
async def _work(system: System) -> AsyncIterator[_Work]:
    """Yield the work of other clients on a started system."""
    endpoints, sign_ins = system.endpoints(), system.sign_ins()
    endpoint = endpoints["medical_vault"]
    process = system.process_ids()["medical_vault"]
    async with AsyncExitStack() as stack:
        crm = await stack.enter_async_context(connected(endpoints["crm_vault"]))
        medical = await stack.enter_async_context(connected(endpoint))
        # Connections' users: calls of others are delayed when they are so many.
        sender = await stack.enter_async_context(
            connected(
                {**endpoints["crm_vault"], **sign_ins["crm_vault"]["integration"]}
            )
        )
        for client in (crm, medical):
            row = {"integration_api_name__sys": INTEGRATION, "status__v": "active__v"}
            await client.update("integration__sys", [row], "integration_api_name__sys")
        inquiries = iter(await submitted_inquiries(crm, medical, INQUIRIES, "deploy"))

        async def transfer() -> float:
            # Not one after the other without end: a transfer every second shows whether messages flow.
            await asyncio.sleep(1 - PAUSE)
            return await single(sender, next(inquiries))

        address = str(endpoint["url"])
        admin = await stack.enter_async_context(_signed_in(address, endpoint))
        others = await stack.enter_async_context(
            _signed_in(address, sign_ins["medical_vault"]["integration"])
        )
        yield _Work(admin, others, process, transfer)


@asynccontextmanager
async def _signed_in(address: str, user: Mapping[str, Any]) -> AsyncIterator[_Vault]:
    """Yield a Vault as a user calls it."""
    timeout = aiohttp.ClientTimeout(total=300)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        vault = _Vault(session, address)
        sign_in = {key: user[key] for key in ("username", "password")}
        answer = await vault.call("POST", f"{API}/auth", data=sign_in)
        session.headers["Authorization"] = answer["sessionId"]
        yield vault


def _package(rows: int) -> bytes:
    """Return a package with an object and ``rows`` of its records."""
    files = {
        "vaultpackage.xml": MANIFEST.encode(),
        "components/00010/Object.bench_row__c.mdl": OBJECT.encode(),
    }
    for number, start in enumerate(range(0, rows, STEP_ROWS), 2):
        count = min(STEP_ROWS, rows - start)
        lines = (
            f"K{at},Row {at},Text of row {at},{at}\r\n"
            for at in range(start, start + count)
        )
        content = ("key__c,name__v,text__c,amount__c\r\n" + "".join(lines)).encode()
        checksum = hashlib.md5(content, usedforsecurity=False).hexdigest()
        stem = f"components/{number * 10:05d}/rows"
        header = STEP.format(checksum=checksum, count=count)
        files |= {f"{stem}.csv": content, f"{stem}.xml": header.encode()}
    return pack(files)


if __name__ == "__main__":
    sys.exit(main())
