"""Compares the processor time of small calls with a bare endpoint's, and two workers of a Vault with one.

``python -m bench.peers.small_calls`` starts a PostgreSQL server, a Vault CRM of 10,000 accounts and a bare endpoint on
the same database (``bench/peers/bare_endpoint.py``), and calls them by turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import aiohttp
import asyncpg
from rich.console import Console
from rich.table import Table

from bench import quiet
from bench.growth import PAGE, VERSION, private_server, vault_of
from bench.peers.plain_client import PlainClient, form_call
from bench.processor_time import children_of, parent_of, processor_seconds
from local.polling import answers_within
from local.service import service_environment
from local.state import free_port

SIZE = 10_000
ROUNDS = 5
CALLS = 300  # of one kind in a turn
CLIENTS = 16
WORKER_CALLS = 1_024  # in a turn of the comparison of workers
WORKER_CLIENTS = (CLIENTS, 64)
POSTGRES, CLIENT = "postgres", "client"  # the parts besides workers
PASSWORD = "a password of a bench"  # noqa: S105  of a system that is removed at the end
ADMIN = "admin@crm.example"
COLUMNS = "id, name__v, external_id__v, status__v, modified_date__v"
STATEMENTS = {
    "page": f"SELECT {COLUMNS} FROM records.account__v ORDER BY id LIMIT 50",
    "record": "SELECT * FROM records.account__v WHERE id = $1",
    "create": "INSERT INTO records.account__v (id, global_id__sys, name__v, status__v, created_by__v, created_date__v,"
    " modified_by__v, modified_date__v) VALUES ('V4B' || nextval('bare'), 'B' || currval('bare'), $1, 'active__v', 1,"
    " now(), 1, now()) RETURNING id",
}

Call = Callable[[aiohttp.ClientSession], Awaitable[object]]


def _vault_calls() -> Mapping[str, Call]:
    path = f"/api/{VERSION}"

    async def page(http: aiohttp.ClientSession) -> object:
        data = {"q": f"{PAGE} PAGESIZE 50"}
        async with http.post(f"{path}/query", data=data) as answer:
            return await _read(answer)

    async def record(http: aiohttp.ClientSession) -> object:
        async with http.get(f"{path}/vobjects/account__v/V4AZ00000000123") as answer:
            return await _read(answer)

    async def create(http: aiohttp.ClientSession) -> object:
        rows = [{"name__v": "New"}]
        async with http.post(f"{path}/vobjects/account__v", json=rows) as answer:
            return await _read(answer)

    return {"page of 50": page, "one record": record, "create one": create}


def _bare_calls() -> Mapping[str, Call]:
    async def page(http: aiohttp.ClientSession) -> object:
        async with http.get("/page") as answer:
            return await answer.read()

    async def record(http: aiohttp.ClientSession) -> object:
        async with http.get("/record/V4AZ00000000123") as answer:
            return await answer.read()

    async def create(http: aiohttp.ClientSession) -> object:
        async with http.post("/record", json={"name__v": "New"}) as answer:
            return await answer.read()

    return {"page of 50": page, "one record": record, "create one": create}


async def _read(answer: aiohttp.ClientResponse) -> object:
    text = await answer.read()
    assert b'"responseStatus":"SUCCESS"' in text[:200], text[:500]
    return text


@asynccontextmanager
async def _process(
    command: list[str], environment: Mapping[str, str], port: int, path: str
) -> AsyncIterator[tuple[int, aiohttp.ClientSession]]:
    """Yield the id of a process once it answers at a path, and a client of it."""
    with tempfile.TemporaryFile() as log:
        process = await asyncio.create_subprocess_exec(
            *command, env=service_environment(environment), stdout=log, stderr=log
        )
        try:
            # Shorter than the server keeps them: it would close one while a call is sent on it.
            kept = aiohttp.TCPConnector(keepalive_timeout=2)
            base = f"http://127.0.0.1:{port}"
            async with aiohttp.ClientSession(base, connector=kept) as http:

                async def reason() -> str | None:
                    try:
                        async with http.get(path) as answer:
                            return None if answer.status == 200 else str(answer.status)
                    except aiohttp.ClientError as error:
                        return type(error).__name__

                assert await answers_within(180, reason) is None
                yield process.pid, http
        finally:
            process.terminate()
            await process.wait()


@asynccontextmanager
async def _vault(
    dsn: str, folder: Path, workers: int
) -> AsyncIterator[tuple[int, aiohttp.ClientSession]]:
    port = free_port()
    settings = {
        "VAULT_HOST": "127.0.0.1",
        "VAULT_PORT": str(port),
        "VAULT_WORKERS": str(workers),
        "VAULT_DATABASE_DSN": dsn,
        # Nobody listens there: what the relay would do is not measured.
        "VAULT_AMQP_URL": "amqp://nobody:nothing@127.0.0.1:1/none",
        "VAULT_STAGING_FOLDER": str(folder),
        "VAULT_LOAD_EXAMPLE_DATA": "false",
        "VAULT_DRAIN_SECONDS": "0",
        "VAULT_BURST_LIMIT": "1000000000",
        "VAULT_QUERY_CONCURRENCY": "6",
        "VAULT_ADMIN_USERNAME": ADMIN,
        "VAULT_ADMIN_PASSWORD": PASSWORD,
        "VAULT_INTEGRATION_PASSWORD": PASSWORD,
        "VAULT_BUSINESS_PASSWORD": PASSWORD,
    }
    command = [sys.executable, "-m", "services.crm_vault"]
    async with _process(command, settings, port, "/readyz") as (pid, http):
        who = {"username": ADMIN, "password": PASSWORD}
        async with http.post(f"/api/{VERSION}/auth", data=who) as answer:
            http.headers["Authorization"] = (await answer.json())["sessionId"]
        yield pid, http


@asynccontextmanager
async def _bare(
    dsn: str, folder: Path
) -> AsyncIterator[tuple[int, aiohttp.ClientSession]]:
    port = free_port()
    file = folder / "bare.json"
    file.write_text(json.dumps({"dsn": dsn, "port": port, "statements": STATEMENTS}))
    command = [sys.executable, "-m", "bench.peers.bare_endpoint", str(file)]
    async with _process(command, {}, port, "/page") as started:
        yield started


async def _many(call: Call, http: aiohttp.ClientSession) -> float:
    """Make the calls of a turn, and return their duration in seconds."""

    async def client() -> None:
        for _ in range(CALLS // CLIENTS):
            await call(http)

    begin = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return time.perf_counter() - begin


async def small_calls(dsn: str, folder: Path) -> dict[str, dict[str, float]]:
    """Return the milliseconds of processor time of one call, by the Vault's process and by the bare endpoint's."""
    vault_calls, bare_calls = _vault_calls(), _bare_calls()
    spent: dict[str, dict[str, list[float]]] = {
        name: {"vault": [], "bare": []} for name in vault_calls
    }
    async with _vault(dsn, folder, 1) as vault, _bare(dsn, folder) as bare:
        sides = {"vault": (*vault, vault_calls), "bare": (*bare, bare_calls)}
        for number in range(ROUNDS + 1):
            for name in vault_calls:
                for side, (pid, http, calls) in sides.items():
                    before = processor_seconds({side: pid})[side]
                    await _many(calls[name], http)
                    passed = processor_seconds({side: pid})[side] - before
                    if number:
                        made = CALLS // CLIENTS * CLIENTS
                        spent[name][side].append(1000 * passed / made)
    figures = {}
    for name, by_side in spent.items():
        of_vault, of_bare = median(by_side["vault"]), median(by_side["bare"])
        figures[name] = {
            "vault_ms": round(of_vault, 2),
            "bare_ms": round(of_bare, 2),
            "ratio": round(of_vault / of_bare, 2),
        }
    return figures


@dataclass(slots=True)
class _Spent:
    """The turns of a Vault: calls a second of each, and the processor seconds of all by part."""

    rates: list[float] = field(default_factory=list)
    seconds: Counter[str] = field(default_factory=Counter)

    def of(self, parts: Iterable[str]) -> list[float]:
        """Return the milliseconds of processor time of a call by part."""
        calls = len(self.rates) * WORKER_CALLS
        return [1000 * self.seconds[part] / calls for part in parts]


async def worker_gain(dsn: str, folder: Path, clients: int) -> dict[str, float]:
    """Return pages of 50 records per second by one and by two workers, and how much more two can serve.

    ``clients`` connections make the calls.

    ``rate_ratio`` compares the rates. The client, PostgreSQL and the workers share the cores of this machine:
    ``most_here`` is the largest such ratio that their processor time leaves room for. ``ratio`` leaves the others out.
    A Vault serves calls until its busiest worker is fully busy, so it divides the processor time of a single worker by
    that of the busier of two, for as many calls. It falls where connections are spread unevenly; ``even_ratio`` is
    what an even spread would give. Milliseconds are those of processor time of one call, ``worker_ms`` and others with
    one worker, ``two_workers_ms`` of both workers together.
    """
    spent = {1: _Spent(), 2: _Spent()}
    server = await _server_process(dsn)
    # Two workers first: both have begun to accept connections by the time that the other Vault is ready.
    async with _vault(dsn, folder, 2) as two, _vault(dsn, folder, 1) as one:
        sides = (
            (spent[1], await _page_client(one[1], clients), {"0": one[0]}),
            (spent[2], await _page_client(two[1], clients), children_of(two[0])),
        )
        for number in range(ROUNDS + 1):
            for turns, client, workers in sides:
                rate, seconds = await _turn(client, {**workers, POSTGRES: server})
                if number:
                    turns.rates.append(rate)
                    turns.seconds.update(seconds)
    return _gain(*spent.values())


async def _server_process(dsn: str) -> int:
    """Return the process id of a PostgreSQL server on this machine."""
    connection = await asyncpg.connect(dsn)
    try:
        return parent_of(connection.get_server_pid())
    finally:
        await connection.close()


async def _page_client(
    http: aiohttp.ClientSession, clients: int
) -> Callable[[], AbstractContextManager[PlainClient]]:
    """Return what connects plain clients of pages of 50 records, in the session of another client."""
    path, form = f"/api/{VERSION}/query", {"q": f"{PAGE} PAGESIZE 50"}
    # The plain client looks at no answer: this one is the pattern of all.
    async with http.post(path, data=form) as answer:
        await _read(answer)
        url = str(answer.url.origin())
    headers = {"Authorization": http.headers["Authorization"]}
    call = form_call(url, path, headers, form)
    return lambda: PlainClient.connected(url, call, clients)


async def _turn(
    connected: Callable[[], AbstractContextManager[PlainClient]],
    processes: Mapping[str, int],
) -> tuple[float, Mapping[str, float]]:
    """Make the calls of a turn; return the calls a second, and the processor seconds of each part."""
    # New connections in each turn, which the workers divide anew.
    with connected() as client:
        before, own = processor_seconds(processes), time.process_time()
        begin = time.perf_counter()
        await asyncio.to_thread(client.make, WORKER_CALLS)
        passed = time.perf_counter() - begin
        after = processor_seconds(processes)
    seconds = {name: after[name] - before[name] for name in processes}
    seconds[CLIENT] = time.process_time() - own
    return WORKER_CALLS / passed, seconds


def _gain(one: _Spent, two: _Spent) -> dict[str, float]:
    """Return the figures of one and of two workers."""
    (worker,), (postgres, client) = one.of("0"), one.of((POSTGRES, CLIENT))
    others = (POSTGRES, CLIENT)
    by_worker = two.of(name for name in two.seconds if name not in others)
    cores = (os.cpu_count() or 1) / (worker + postgres + client)
    one_rate, two_rate = median(one.rates), median(two.rates)
    return {
        "one_worker_per_second": round(one_rate, 1),
        "two_workers_per_second": round(two_rate, 1),
        "rate_ratio": round(two_rate / one_rate, 2),
        "most_here": round(min(2 / worker, cores) / min(1 / worker, cores), 2),
        "ratio": round(worker / max(by_worker), 2),
        "even_ratio": round(2 * worker / sum(by_worker), 2),
        "worker_ms": round(worker, 3),
        "postgres_ms": round(postgres, 3),
        "client_ms": round(client, 3),
        "two_workers_ms": round(sum(by_worker), 3),
    }


async def run(*, workers: bool) -> dict[str, dict[str, float]]:
    """Measure on a server of its own; with ``workers`` also the gain by a second one."""
    with tempfile.TemporaryDirectory(prefix="connection-calls-") as name:
        async with private_server() as server:
            connection = await asyncpg.connect(server)
            await connection.execute(
                "CREATE DATABASE small_calls ENCODING 'UTF8' TEMPLATE template0"
            )
            await connection.close()
            dsn = server.rpartition("/")[0] + "/small_calls"
            async with (
                vault_of(dsn, SIZE) as vault,
                vault.database.connection() as made,
            ):
                await made.execute("CREATE SEQUENCE bare")
            figures = await small_calls(dsn, Path(name))
            if workers:
                for clients in WORKER_CLIENTS:
                    gain = await worker_gain(dsn, Path(name), clients)
                    figures[f"two workers, {clients} clients"] = gain
            return figures


def show(figures: Mapping[str, Mapping[str, float]]) -> None:
    """Print a line for each comparison."""
    table = Table("small calls", "figures", "ratio")
    for name, each in figures.items():
        others = [f"{part} {value}" for part, value in each.items() if part != "ratio"]
        table.add_row(name, ", ".join(others), f"{each['ratio']:.2f}")
    Console(width=120).print(table)


def main() -> int:
    """Print the table, and return 0."""
    parser = argparse.ArgumentParser(
        prog="bench.peers.small_calls", description="Small calls beside bare ones"
    )
    parser.add_argument("--no-workers", action="store_true")
    arguments = parser.parse_args()
    quiet.only_warnings()
    show(asyncio.run(run(workers=not arguments.no_workers)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
