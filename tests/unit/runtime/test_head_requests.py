"""HEAD is answered as GET, without the body."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from fastapi import FastAPI
from fastapi.responses import FileResponse, StreamingResponse

from shared.runtime.http_layers import HeadRequests
from tests.unit.runtime.serving import serving

TEXT = "text of the page " * 1000
# The server sets it for each answer.
OF_THE_MOMENT = {"date", "transfer-encoding"}


class Streams:
    """Counts the pieces of an endless body, and the abandoned bodies."""

    def __init__(self) -> None:
        self.given_up = asyncio.Event()

    async def endless(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 1000
                await asyncio.sleep(0)
        finally:
            self.given_up.set()


def application(streams: Streams, file: Path) -> FastAPI:
    app = FastAPI()

    @app.get("/page")
    async def page() -> dict[str, str]:
        return {"text": TEXT}

    @app.get("/file")
    async def whole_file() -> FileResponse:
        return FileResponse(file)

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(streams.endless(), 206, {"X-Kind": "endless"})

    @app.post("/written")
    async def written() -> None:
        raise AssertionError

    return app


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file.txt"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize("path", ["/page", "/file", "/nowhere", "/written"])
async def test_status_and_headers_are_those_of_get(path: str, file: Path) -> None:
    app = HeadRequests(application(Streams(), file))
    async with serving(app) as url, aiohttp.ClientSession(url) as client:
        async with client.get(path) as got:
            await got.read()
        async with client.head(path) as head:
            assert await head.read() == b""
        assert head.status == got.status
        assert _lasting(head) == _lasting(got)
        # The connection goes on: nothing of a body was left in it.
        async with client.get("/page") as after:
            assert (await after.json())["text"] == TEXT


async def test_a_body_without_an_end_is_given_up(file: Path) -> None:
    streams = Streams()
    app = HeadRequests(application(streams, file))
    async with serving(app) as url, aiohttp.ClientSession(url) as client:
        async with client.head("/stream") as head:
            assert (head.status, head.headers["X-Kind"]) == (206, "endless")
        await streams.given_up.wait()


def _lasting(answer: aiohttp.ClientResponse) -> dict[str, str]:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return {name: value for name, value in headers.items() if name not in OF_THE_MOMENT}
