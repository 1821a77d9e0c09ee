"""A service process starts, answers, and ends on SIGTERM and SIGINT within its grace."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from typing import Self

import aiohttp
import pytest

from local.state import free_port
from shared.runtime.waiting import end, run_until_cancelled

PROGRAM = """
import asyncio, sys
from contextlib import asynccontextmanager
from fastapi import FastAPI, Request
from shared.runtime.process import serve

mode, port, grace = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])

@asynccontextmanager
async def lifespan(app):
    print("starting", flush=True)
    if mode == "stuck-start":
        await asyncio.Event().wait()
    if mode == "refuse":
        raise RuntimeError("no")
    yield
    if mode == "stuck-stop":
        await asyncio.Event().wait()
    print("stopped", flush=True)

app = FastAPI(lifespan=lifespan)

@app.get("/slow")
async def slow():
    print("asked", flush=True)
    await asyncio.sleep(0.3)
    return "done"

@app.get("/client")
async def client(request: Request):
    return [request.client.host, request.url.scheme]

serve(app, "127.0.0.1", port, grace=grace)
print("returned", flush=True)
"""


class Process:
    def __init__(self, mode: str, grace: float = 10) -> None:
        self.mode = mode
        self.grace = grace
        self.port = free_port()

    async def __aenter__(self) -> Self:
        self.child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            PROGRAM,
            self.mode,
            str(self.port),
            str(self.grace),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            self.child.kill()
        await self.child.wait()

    async def said(self, line: str) -> None:
        assert self.child.stdout is not None
        while (read := await self.child.stdout.readline()).strip() != line.encode():
            assert read, f"ended before saying {line}"

    async def answered(self) -> None:
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_after_the_requests_under_way(
    sent: signal.Signals,
) -> None:
    async with Process("plain") as process, aiohttp.ClientSession() as http:
        await process.answered()
        asked = asyncio.create_task(http.get(f"http://127.0.0.1:{process.port}/slow"))
        await process.said("asked")
        process.child.send_signal(sent)
        assert await (await asked).json() == "done"
        await process.said("stopped")
        await process.said("returned")
        assert await process.child.wait() == 0


async def test_a_client_cannot_say_where_it_is() -> None:
    headers = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
    async with Process("plain") as process, aiohttp.ClientSession() as http:
        await process.answered()
        url = f"http://127.0.0.1:{process.port}/client"
        async with http.get(url, headers=headers) as answer:
            assert await answer.json() == ["127.0.0.1", "http"]


@pytest.mark.parametrize("mode", ["stuck-start", "stuck-stop"])
async def test_a_start_or_stop_that_hangs_ends_with_the_grace(mode: str) -> None:
    async with Process(mode, grace=1) as process:
        await process.said("starting")
        if mode == "stuck-stop":
            await process.answered()
        process.child.send_signal(signal.SIGTERM)
        assert await process.child.wait() == 1


async def test_an_application_that_does_not_start_ends_the_process() -> None:
    async with Process("refuse") as process:
        assert await process.child.wait() == 3


async def test_background_work_goes_on_after_a_fault() -> None:
    runs = 0
    twice = asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise ValueError("fault")
        twice.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(run_until_cancelled("work", work))
    await twice.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_task_ends_though_it_loses_a_cancellation() -> None:
    cancelled = 0

    async def forgetful() -> None:
        nonlocal cancelled
        while cancelled < 2:
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            cancelled += 1

    task = asyncio.create_task(forgetful())
    await asyncio.sleep(0)
    await end(task)
    assert cancelled == 2
    await end(task)
    await end(None)
