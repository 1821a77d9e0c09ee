"""A process of its own with bounds on its connections, and a client that writes bytes to it."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.state import free_port
from local.tls import LocalTls

PROGRAM = """
import asyncio, json, sys
from ipaddress import ip_network
from pathlib import Path
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from shared.runtime.connection_bounds import ConnectionBounds
from shared.runtime.process import TlsListener, serve
from shared.runtime.metrics_route import metrics_router
from shared.runtime.telemetry import metrics

options = json.loads(sys.argv[1])
networks = tuple(map(ip_network, options["bounds"].pop("trusted_proxies", ())))
app = FastAPI()
app.include_router(metrics_router(metrics))
released = asyncio.Event()
went = asyncio.Event()

@app.get("/ok")
async def ok():
    return "ok"

@app.post("/length")
async def length(request: Request):
    size = 0
    async for part in request.stream():
        size += len(part)
    return size

@app.post("/early")
async def early():
    return "answered"

@app.get("/large")
async def large():
    async def parts():
        try:
            while True:
                yield bytes(65536)
                # An endless one that never waits could not be told that its client has gone.
                await asyncio.sleep(0)
        finally:
            went.set()
    return StreamingResponse(parts())

@app.get("/whole")
async def whole():
    # Touched, so that it is in memory.
    return Response(b"x" * 2**23)

@app.get("/went")
async def wait_until_large_went():
    await went.wait()
    return "went"

@app.get("/released")
async def wait_until_released():
    await released.wait()
    return "released"

@app.get("/release")
async def release():
    released.set()

tls = options["tls"]
listener = TlsListener(tls[0], Path(tls[1]), Path(tls[2])) if tls else None
bounds = ConnectionBounds(**options["bounds"], trusted_proxies=networks)
serve(app, "127.0.0.1", options["port"], bounds=bounds, tls=listener, grace=2)
"""

HEAD = b"Host: x\r\n"
GET = b"GET /ok HTTP/1.1\r\n" + HEAD
CHUNKED = b"POST /length HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
QUICK: dict[str, Any] = {
    "head_seconds": 0.3,
    "stall_seconds": 0.3,
    "bytes_per_second": 10_000,
}

# Each address may have a quarter of all places.
SHARED: dict[str, Any] = {"connections": 16, "address_connections": 4}
# Longer than the patience of the tests: it is not time that makes room.
ENDURING: dict[str, Any] = {"head_seconds": 600, "stall_seconds": 600}
CROWD = ["127.0.7.1", "127.0.7.2", "127.0.7.3", "127.0.7.4"]
NEWCOMER = "127.0.7.5"
# Longer than anything here takes; what does not close is found out by it.
PATIENCE = 60.0


@dataclass
class Served:
    """A running process, and the certificates that its clients trust if it serves HTTPS."""

    port: int
    child: asyncio.subprocess.Process
    trust: ssl.SSLContext | None = None

    async def connect(self, address: str = "127.0.0.1") -> Connection:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1",
            self.port,
            local_addr=(address, 0),
            ssl=self.trust,
            server_hostname="localhost" if self.trust else None,
        )
        return Connection(reader, writer)

    async def begin(self, address: str = "127.0.0.1") -> Connection:
        """Open a connection, without the handshake where one is due."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, local_addr=(address, 0)
        )
        return Connection(reader, writer)

    async def answers(self, address: str = "127.0.0.1") -> bool:
        connection = await self.connect(address)
        await connection.send(
            b"GET /ok HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        return (await connection.rest()).startswith(b"HTTP/1.1 200")

    @property
    def memory(self) -> int:
        """Bytes of memory that the process occupies."""
        pages = Path(f"/proc/{self.child.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


@dataclass
class Connection:
    """A connection over which a client sends any bytes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def rest(self) -> bytes:
        """All that the server sends until it closes the connection."""
        received = b""
        async with asyncio.timeout(PATIENCE):
            with suppress(ConnectionError):
                while part := await self.reader.read(65536):
                    received += part
        self.writer.close()
        return received

    async def pour(self, begin: bytes, part: bytes, most: int) -> bytes:
        """Send ``part`` up to ``most`` bytes, unless the server closes before; return what the server sends."""
        answer = asyncio.create_task(self.rest())
        sent = 0
        with suppress(ConnectionError):
            await self.send(begin)
            while sent < most and not answer.done():
                await self.send(part)
                sent += len(part)
                await asyncio.sleep(0)
        return await answer


@asynccontextmanager
async def served(tls: LocalTls | None = None, **bounds: Any) -> AsyncIterator[Served]:
    """A process with the bounds of the tests where none are passed."""
    port, tls_port = free_port(), free_port()
    files = [tls_port, str(tls.certificate), str(tls.key)] if tls else None
    options = {"port": port, "bounds": bounds, "tls": files}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        json.dumps(options),
        stderr=asyncio.subprocess.DEVNULL,
    )
    trust = ssl.create_default_context(cafile=tls.ca_file) if tls else None
    try:
        process = Served(tls_port if tls else port, child, trust)
        async with asyncio.timeout(PATIENCE):
            while True:
                with suppress(OSError):
                    assert await process.answers()
                    break
                await asyncio.sleep(0.02)
        yield process
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> LocalTls:
    """The certificate and key of a process that serves HTTPS."""
    made = LocalTls(tmp_path_factory.mktemp("tls") / "tls")
    made.ensure()
    return made
