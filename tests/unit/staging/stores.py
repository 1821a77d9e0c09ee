"""Both kinds of store with one interface: a local folder, and a bucket of an S3-compatible server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
from moto.server import ThreadedMotoServer

from shared.vault.files.file_store import FileStore
from shared.vault.files.local_store import LocalStore
from shared.vault.files.s3_store import Bucket, S3Store

__all__ = ["bucket_store", "chunks", "content", "folder_store", "s3_server"]


@contextmanager
def s3_server() -> Any:
    """Yield a server's address during the block."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@asynccontextmanager
async def bucket_store(endpoint: str) -> AsyncIterator[S3Store]:
    """A store in an empty bucket of its own."""
    name = f"files-{uuid4()}"
    async with (
        aiohttp.ClientSession() as http,
        http.put(f"{endpoint}/{name}") as answer,
    ):
        assert answer.status == 200
    store = S3Store(
        Bucket(name, endpoint, "us-east-1", "a test's key", "a test's secret")
    )
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def folder_store(folder: Path) -> AsyncIterator[LocalStore]:
    """A store in a folder."""
    yield LocalStore(folder)


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    """Bytes in chunks."""
    for part in parts:
        yield part


async def content(
    store: FileStore, key: str, start: int = 0, length: int | None = None
) -> bytes:
    """A file's bytes."""
    return b"".join([chunk async for chunk in store.get(key, start, length)])
