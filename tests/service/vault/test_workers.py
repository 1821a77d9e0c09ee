"""One Vault with two workers behind a port: changes by one apply to both, and a lost worker is replaced."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest

from local.polling import answers_within, holds_within
from local.servers import PostgresServer, RabbitServer
from services.medical_vault.definition import MEDICAL_VAULT
from tests.servers import fresh_vhost
from tests.service.vault.processes import Fleet, fleet
from tests.service.vault.served import MDL, Api
from tests.service.vault.vault_databases import vault_database

WORKERS = {"VAULT_WORKERS": "2"}
CONNECTIONS = 8  # opened at once until each worker has one
MANY = 16
ESTABLISHED = "01"  # as /proc/net/tcp writes it
COUNTED = re.compile(r"^api_calls_total\{.*\} (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker, and the API over a connection that it has accepted."""

    process: int
    api: Api


@pytest.fixture(scope="module")
async def vault(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Fleet]:
    folder = tmp_path_factory.mktemp("workers")
    async with (
        vault_database(postgres_server, MEDICAL_VAULT) as dsn,
        fresh_vhost(rabbitmq_server) as vhost,
        fleet(dsn, vhost.amqp_url, folder, 1, WORKERS) as started,
    ):
        yield started


@pytest.fixture
async def workers(vault: Fleet) -> AsyncIterator[list[Worker]]:
    """Both workers, once both accept connections."""
    # A test may have ended it.
    await vault.all_run()
    async with AsyncExitStack() as stack:
        yield await both(vault, stack)


async def both(vault: Fleet, stack: AsyncExitStack) -> list[Worker]:
    """An API over a connection of each worker; further connections are closed."""
    found: dict[int, Api] = {}

    async def missing() -> str | None:
        found.update(
            [await opened_connection(vault, stack) for _ in range(CONNECTIONS)]
        )
        return None if len(found) == 2 else f"only {list(found)} take connections"

    assert await answers_within(60, missing) is None
    return [Worker(process, api) for process, api in found.items()]


async def opened_connection(vault: Fleet, stack: AsyncExitStack) -> tuple[int, Api]:
    """An API over one connection, and the process that has accepted it."""
    made: list[socket.socket] = []

    def make(address: aiohttp.AddrInfoType) -> socket.socket:
        made.append(socket.socket(*address[:3]))
        return made[-1]

    connector = aiohttp.TCPConnector(limit=1, socket_factory=make)
    http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
    api = Api(http, vault.processes[0].url)
    async with http.get(f"{api.url}/healthz") as answer:
        assert answer.status == 200
    _, port = made[0].getsockname()
    return taken_by(vault, port), api


def taken_by(vault: Fleet, port: int) -> int:
    """The process that has the connection from a client's port."""
    file = accepted(vault)[port]
    return next(each for each in running(vault) if file in open_files(each))


def accepted(vault: Fleet) -> dict[int, str]:
    """The open connections of all workers: the client's port, and the socket as their open files name it."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    there = vault.state.ports["medical_vault"]
    rows = [line.split() for line in lines]
    return {
        int(row[2][-4:], 16): f"socket:[{row[9]}]"
        for row in rows
        if row[1][-4:] == f"{there:04X}" and row[3] == ESTABLISHED
    }


def running(vault: Fleet) -> list[int]:
    """The worker processes of the started process."""
    process = vault.state.process("medical_vault")
    assert process is not None
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(each) for each in children.split()]


def open_files(process: int) -> set[str]:
    found = set()
    for each in Path(f"/proc/{process}/fd").iterdir():
        # One may be closed meanwhile.
        with suppress(FileNotFoundError):
            found.add(str(each.readlink()))
    return found


async def test_connections_spread_evenly(vault: Fleet, workers: list[Worker]) -> None:
    async with AsyncExitStack() as stack:
        opened = [opened_connection(vault, stack) for _ in range(MANY)]
        taken = Counter(process for process, _ in await asyncio.gather(*opened))
        # Those that the fixture has opened count as well.
        established = set(accepted(vault).values())
        counts = [len(established & open_files(worker.process)) for worker in workers]
    assert sum(counts) >= MANY, taken
    assert max(counts) - min(counts) <= 2, taken


async def test_what_one_worker_does_holds_at_the_other_at_once(
    workers: list[Worker],
) -> None:
    first, second = (each.api for each in workers)
    admin = await first.signed_in("admin")
    there = replace(second, session_id=admin.session_id)
    assert (await there.get("/objects/users/me")).status == "SUCCESS"
    assert (await admin.post("/api/mdl/execute", data=MDL)).status == "SUCCESS"
    made = await there.post("/vobjects/thing__c", json=[{"name__v": "made there"}])
    assert made.status == "SUCCESS", made.text
    assert len((await admin.query("SELECT id FROM thing__c")).data) == 1
    assert (await there.delete("/session")).status == "SUCCESS"
    assert (await admin.get("/objects/users/me")).error == "INVALID_SESSION_ID"


async def counted(api: Api) -> float:
    """The number of API calls, as one worker reports it."""
    async with api.http.get(f"{api.url}/metrics") as answer:
        text = await answer.text()
    return sum(map(float, COUNTED.findall(text)))


async def settled(workers: list[Worker]) -> float:
    """The number of calls, once the sign-in of this test is counted."""
    known = await counted(workers[0].api)

    async def rising() -> str | None:
        nonlocal known
        last, known = known, await counted(workers[1].api)
        return None if last == known else f"{known} calls"

    assert await answers_within(60, rising) is None
    return known


async def test_each_worker_tells_what_both_have_counted(workers: list[Worker]) -> None:
    admin = await workers[0].api.signed_in("admin")
    before = await settled(workers)
    for worker in workers:
        api = replace(worker.api, session_id=admin.session_id)
        for _ in range(3):
            await api.get("/objects/users/me")

    async def wrong() -> str | None:
        counts = [await counted(each.api) - before for each in workers]
        return None if counts == [6, 6] else str(counts)

    # A call is counted a moment after it is answered.
    assert await answers_within(60, wrong) is None


async def test_a_worker_that_is_killed_is_replaced_while_the_other_serves(
    vault: Fleet, workers: list[Worker]
) -> None:
    lost, left = workers
    os.kill(lost.process, signal.SIGKILL)
    assert (await left.api.signed_in("admin")).session_id
    async with AsyncExitStack() as stack:
        assert await holds_within(60, lambda: len(running(vault)) == 2)
        now = {each.process for each in await both(vault, stack)}
    assert left.process in now
    assert lost.process not in now


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_workers_end_with_the_process_that_began_them(
    vault: Fleet, workers: list[Worker], number: signal.Signals
) -> None:
    parent = vault.state.process("medical_vault")
    assert parent is not None
    os.kill(parent.pid, number)

    def all_ended() -> bool:
        left = [each for each in workers if Path(f"/proc/{each.process}").exists()]
        return not left and not parent.running

    assert await holds_within(60, all_ended)
