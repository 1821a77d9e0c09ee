"""Measures how long other clients wait while one client sends bodies that are meant to overload a Vault."""

from __future__ import annotations

import asyncio
import http.client
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import orjson
from rich.console import Console
from rich.table import Table

from bench.hostile_bodies import HostileBody, hostile_bodies
from local.system import System

RECORDS = "/vobjects/product__v"
SMALL_CALL = "/api/v25.1/vobjects/product__v?limit=1"
SECONDS = 5.0
PAUSE = 0.02
ANSWER_SECONDS = 300.0
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class Waits:
    """Seconds of other clients' answers, and bytes of the Vault's memory, while bodies were sent."""

    health: list[float] = field(default_factory=list)
    small_call: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    calls: int = 0
    answers: set[str] = field(default_factory=set)


def main() -> int:
    """Measure on a system of its own, print a table, and return 0."""
    with tempfile.TemporaryDirectory(prefix="connection-bench-") as folder:
        # Servers that run as another user pass through to their data.
        Path(folder).chmod(0o711)
        asyncio.run(_on(System(Path(folder) / "system")))
    return 0


async def _on(system: System) -> None:
    try:
        await system.start()
        await _measured(system)
    finally:
        await system.reset()


async def _measured(system: System) -> None:
    table = Table(title="Waits of others while one client sends")
    for name in (
        "Body",
        "Calls",
        "/healthz p99",
        "small call p99",
        "median",
        "Memory",
        "Answer",
    ):
        table.add_column(name, justify="left" if name == "Body" else "right")
    endpoint = system.endpoints()["medical_vault"]
    users = system.sign_ins()["medical_vault"]
    process = system.process_ids()["medical_vault"]
    address = str(endpoint["url"])
    # Who may make the calls, and who may not.
    admin = await _session(address, endpoint["username"], endpoint["password"])
    other = users["integration"]
    session_id = await _session(address, other["username"], other["password"])
    table.add_row(
        *_figures("nothing", await _waits(address, process, session_id, None))
    )
    for body in hostile_bodies(RECORDS):
        content = body.make()

        async def send(body: HostileBody = body, content: bytes = content) -> str:
            return await asyncio.to_thread(_send, address, body, content, admin)

        found = await _waits(address, process, session_id, send)
        table.add_row(*_figures(body.name, found))
    Console(width=160).print(table)


def _figures(name: str, found: Waits) -> list[str]:
    milliseconds = (
        _p99(found.health),
        _p99(found.small_call),
        statistics.median(found.small_call),
    )
    shown = [f"{1000 * value:,.0f} ms" for value in milliseconds]
    memory = f"{max(found.memory) / 2**20:,.0f} MiB"
    answers = ", ".join(sorted(found.answers))
    return [name, str(found.calls), *shown, memory, answers]


def _p99(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


async def _session(address: str, username: str, password: str) -> str:
    async with (
        aiohttp.ClientSession() as http_session,
        http_session.post(
            f"{address}/api/v25.1/auth",
            data={"username": username, "password": password},
        ) as answer,
    ):
        return str((await answer.json())["sessionId"])


async def _waits(
    address: str,
    process: int,
    session_id: str,
    send: Callable[[], Awaitable[str]] | None,
) -> Waits:
    """Return the waits of two other clients while bodies are sent, one after the other."""
    found = Waits()
    headers = {"Authorization": session_id}
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as others:
        ended = asyncio.Event()
        asking = [
            asyncio.create_task(
                _ask(others, f"{address}/healthz", found.health, ended)
            ),
            asyncio.create_task(
                _ask(others, f"{address}{SMALL_CALL}", found.small_call, ended)
            ),
            asyncio.create_task(_sample(process, found.memory, ended)),
        ]
        until = time.perf_counter() + SECONDS
        while time.perf_counter() < until:
            if send is None:
                await asyncio.sleep(PAUSE)
            else:
                found.answers.add(await send())
                found.calls += 1
        ended.set()
        await asyncio.gather(*asking)
    return found


async def _ask(
    others: aiohttp.ClientSession, url: str, waits: list[float], ended: asyncio.Event
) -> None:
    while not ended.is_set():
        started = time.perf_counter()
        async with others.get(url) as answer:
            await answer.read()
        waits.append(time.perf_counter() - started)
        await asyncio.sleep(PAUSE)


async def _sample(process: int, memory: list[int], ended: asyncio.Event) -> None:
    while not ended.is_set():
        resident = Path(f"/proc/{process}/statm").read_text().split()[1]
        memory.append(int(resident) * PAGE_BYTES)
        await asyncio.sleep(PAUSE)


def _send(address: str, body: HostileBody, content: bytes, session_id: str) -> str:
    """Send a body as fast as the Vault accepts it, and return the status of the answer and its first error."""
    target = urlsplit(address)
    path = body.path if body.path.startswith("/api") else f"/api/v25.1{body.path}"
    connection = http.client.HTTPConnection(
        str(target.hostname), target.port, timeout=ANSWER_SECONDS
    )
    headers = {"Authorization": session_id, "Content-Type": body.content_type}
    try:
        connection.request("POST", path, content, headers)
    except (BrokenPipeError, ConnectionResetError):
        # Refused before it was sent to its end.
        connection.close()
        return "closed"
    answer = connection.getresponse().read()
    connection.close()
    envelope = orjson.loads(answer)
    errors = envelope.get("errors") or ()
    return " ".join(
        (envelope["responseStatus"], *(each["type"] for each in errors[:1]))
    )


if __name__ == "__main__":
    sys.exit(main())
