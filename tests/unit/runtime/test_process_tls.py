"""A process serves one application by HTTP and by TLS, starts it once and stops both as one."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from local.state import free_port
from local.tls import LocalTls
from shared.runtime.process import TlsListener

PROGRAM = """
import asyncio, sys
from contextlib import asynccontextmanager
from pathlib import Path
from fastapi import FastAPI, Request
from shared.runtime.process import TlsListener, serve

http, https, certificate, key = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])

@asynccontextmanager
async def lifespan(app):
    print("started", flush=True)
    yield
    print("stopped", flush=True)

app = FastAPI(lifespan=lifespan)

@app.get("/scheme")
async def scheme(request: Request):
    return request.url.scheme

@app.get("/slow")
async def slow():
    print("asked", flush=True)
    await asyncio.sleep(0.3)
    return "done"

serve(app, "127.0.0.1", http, tls=TlsListener(https, certificate, key), grace=60)
print("returned", flush=True)
"""


@dataclass
class Served:
    child: asyncio.subprocess.Process
    http: int
    https: int
    trust: ssl.SSLContext

    async def line(self) -> str:
        assert self.child.stdout is not None
        return (await self.child.stdout.readline()).decode().strip()

    async def answers(self) -> None:
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.https)
                writer.close()
                return
            await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> LocalTls:
    made = LocalTls(tmp_path_factory.mktemp("tls") / "tls")
    made.ensure()
    return made


@pytest.fixture
async def served(files: LocalTls) -> AsyncIterator[Served]:
    http, https = free_port(), free_port()
    arguments = [str(http), str(https), str(files.certificate), str(files.key)]
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield Served(
            child, http, https, ssl.create_default_context(cafile=files.ca_file)
        )
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()


async def test_both_ports_serve_the_application_that_started_once(
    served: Served,
) -> None:
    await served.answers()
    async with aiohttp.ClientSession() as client:
        async with client.get(f"http://127.0.0.1:{served.http}/scheme") as answer:
            assert await answer.json() == "http"
        for host in ("localhost", "127.0.0.1"):
            async with client.get(
                f"https://{host}:{served.https}/scheme", ssl=served.trust
            ) as answer:
                assert await answer.json() == "https"
    served.child.send_signal(signal.SIGTERM)
    assert [await served.line() for _ in range(4)] == [
        "started",
        "stopped",
        "returned",
        "",
    ]
    assert await served.child.wait() == 0


@pytest.mark.parametrize("path", ["/scheme", "/nothing"])
async def test_clients_are_bound_to_https_by_answers_over_https_alone(
    served: Served, path: str
) -> None:
    await served.answers()
    async with aiohttp.ClientSession() as client:
        async with client.get(f"http://127.0.0.1:{served.http}{path}") as answer:
            assert "Strict-Transport-Security" not in answer.headers
        async with client.get(
            f"https://localhost:{served.https}{path}", ssl=served.trust
        ) as answer:
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


async def test_a_client_that_does_not_trust_the_authority_is_not_served(
    served: Served,
) -> None:
    await served.answers()
    async with aiohttp.ClientSession() as client:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await client.get(f"https://localhost:{served.https}/scheme")


async def test_plain_text_on_the_tls_port_harms_nobody(served: Served) -> None:
    await served.answers()
    reader, writer = await asyncio.open_connection("127.0.0.1", served.https)
    writer.write(b"GET /scheme HTTP/1.1\r\nHost: x\r\n\r\n")
    try:
        answered = await reader.read(4096)
    except (
        ConnectionResetError
    ):  # closed before all was read, which is no less of a refusal
        answered = b""
    assert not answered.startswith(b"HTTP/")
    writer.close()
    async with (
        aiohttp.ClientSession() as client,
        client.get(
            f"https://localhost:{served.https}/scheme", ssl=served.trust
        ) as answer,
    ):
        assert answer.status == 200


async def test_requests_under_way_by_tls_are_finished(served: Served) -> None:
    await served.answers()
    assert await served.line() == "started"
    async with aiohttp.ClientSession() as client:
        asked = asyncio.create_task(
            client.get(f"https://localhost:{served.https}/slow", ssl=served.trust)
        )
        assert await served.line() == "asked"
        served.child.send_signal(signal.SIGTERM)
        assert await (await asked).json() == "done"
    assert await served.child.wait() == 0


async def test_a_client_that_does_not_read_keeps_no_process_from_stopping(
    served: Served,
) -> None:
    """Its answer to the end of the encryption is not waited for as long as that of a slow one might take: 30 s."""
    await served.answers()

    def connected() -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", served.https))
        encrypted = served.trust.wrap_socket(plain, server_hostname="localhost")
        encrypted.sendall(b"GET /scheme HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert encrypted.recv(16).startswith(b"HTTP/1.1 200")
        return encrypted

    with await asyncio.to_thread(connected):
        served.child.send_signal(signal.SIGTERM)
        async with asyncio.timeout(25):
            assert [await served.line() for _ in range(3)] == [
                "started",
                "stopped",
                "returned",
            ]


async def test_a_tls_port_in_use_ends_the_process(files: LocalTls) -> None:
    taken = await asyncio.start_server(
        lambda _reader, writer: writer.close(), "127.0.0.1", 0
    )
    port = taken.sockets[0].getsockname()[1]
    arguments = [str(free_port()), str(port), str(files.certificate), str(files.key)]
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    output, _ = await child.communicate()
    assert child.returncode == 3
    lines = output.decode().splitlines()
    assert (lines[0], lines[-1]) == ("started", "stopped")
    assert "returned" not in lines
    taken.close()


def test_a_certificate_that_cannot_be_used(files: LocalTls, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        TlsListener(1, tmp_path / "nothing.pem", files.key).context()
    assert files.ca_file.is_file()
    with pytest.raises(ssl.SSLError):
        TlsListener(1, files.ca_file, files.key).context()
