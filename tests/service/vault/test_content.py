"""Content by checksum, in each kind of store: stored once, read by range, swept when unreferenced."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from local.servers import PostgresServer
from shared.vault.errors import VaultFault
from shared.vault.files.content_service import ROOT, Content, ContentService
from shared.vault.files.file_store import FileStore
from shared.vault.storage.database import Database
from shared.vault.storage.migrate import migrate
from tests.servers import fresh_database
from tests.unit.staging.stores import bucket_store, chunks, folder_store, s3_server

LIMIT = 2**20
TOMORROW = datetime.now(UTC) + timedelta(days=1)  # everything is older


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture(params=["folder", "bucket"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, endpoint: str
) -> AsyncIterator[FileStore]:
    opened = (
        folder_store(tmp_path) if request.param == "folder" else bucket_store(endpoint)
    )
    async with opened as found:
        yield found


@pytest.fixture(scope="module")
async def database(postgres_server: PostgresServer) -> AsyncIterator[Database]:
    """A Vault's database in which no other test keeps content."""
    async with fresh_database(postgres_server) as dsn:
        opened = Database(dsn)
        await opened.open()
        await migrate(opened)
        yield opened
        await opened.close()


@pytest.fixture
async def service(
    database: Database, store: FileStore
) -> AsyncIterator[ContentService]:
    yield ContentService(database, store)
    async with database.connection() as connection:
        await connection.execute("DROP TABLE IF EXISTS platform.content_of_a_test")
        await connection.execute("DELETE FROM platform.content")


@pytest.fixture
async def refer(database: Database, service: ContentService) -> str:
    """A table that refers to content."""
    async with database.connection() as connection:
        await connection.execute(
            "CREATE TABLE platform.content_of_a_test (file text NOT NULL REFERENCES platform.content)"
        )
    return "INSERT INTO platform.content_of_a_test VALUES ($1)"


async def copies(store: FileStore) -> list[str]:
    return [
        item.key
        for item in await store.list(ROOT, recursive=True)
        if not item.is_folder
    ]


async def bytes_of(
    service: ContentService, content: Content, start: int = 0, length: int | None = None
) -> bytes:
    return b"".join([chunk async for chunk in service.read(content, start, length)])


async def test_bytes_are_kept_under_their_checksum(service: ContentService) -> None:
    kept = await service.keep(chunks(b"some ", b"content"), limit=LIMIT)
    assert kept.sha256 == hashlib.sha256(b"some content").hexdigest()
    assert kept.md5 == hashlib.md5(b"some content", usedforsecurity=False).hexdigest()
    assert kept.size == 12
    assert await service.find(kept.sha256) == kept
    assert await service.find("0" * 64) is None
    assert await bytes_of(service, kept) == b"some content"
    assert await bytes_of(service, kept, 5, 4) == b"cont"


async def test_the_same_bytes_are_stored_once(
    service: ContentService, store: FileStore
) -> None:
    kept = await asyncio.gather(
        *(service.keep(chunks(b"same"), limit=LIMIT) for _ in range(8))
    )
    assert set(kept) == {kept[0]}
    assert await copies(store) == [kept[0].stored_as]


async def test_what_is_refused_leaves_nothing(
    service: ContentService, store: FileStore
) -> None:
    with pytest.raises(VaultFault) as too_large:
        await service.keep(chunks(b"x" * 600, b"x" * 600), limit=1000)
    with pytest.raises(VaultFault) as other:
        await service.keep(chunks(b"content"), limit=LIMIT, md5="0" * 32)
    types = [fault.value.error.type for fault in (too_large, other)]
    assert types == ["EXCEEDS_FILE_MAX_SIZE", "INVALID_DATA"]
    assert await copies(store) == []


async def test_only_what_nothing_refers_to_is_swept(
    database: Database, service: ContentService, store: FileStore, refer: str
) -> None:
    used = await service.keep(chunks(b"used"), limit=LIMIT)
    unused = await service.keep(chunks(b"unused"), limit=LIMIT)
    async with database.connection() as connection:
        await connection.execute(refer, used.sha256)
    assert await service.sweep() == 0  # it may be about to be used
    assert await service.remove_unused(TOMORROW) == 1
    assert await service.find(unused.sha256) is None
    assert await copies(store) == [used.stored_as]
    assert await bytes_of(service, used) == b"used"


async def test_a_copy_that_no_row_names_is_removed(
    database: Database, service: ContentService, store: FileStore, refer: str
) -> None:
    kept = await service.keep(chunks(b"kept"), limit=LIMIT)
    stray = f"{ROOT}/aa/{uuid4().hex}"
    await store.put(stray, chunks(b"its writer ended here"))
    await service.sweep()
    assert stray in await copies(store)  # its writer may still be at work
    async with database.connection() as connection:
        await connection.execute(refer, kept.sha256)
    await service.remove_strays(TOMORROW)
    assert await copies(store) == [kept.stored_as]


async def test_the_sweep_is_safe_with_concurrent_writers(
    database: Database, service: ContentService, store: FileStore, refer: str
) -> None:
    """Whatever is referred to in the end exists with its bytes, whenever the sweeps were in between."""

    async def write(content: bytes) -> str | None:
        kept = await service.keep(chunks(content), limit=LIMIT)
        async with database.connection() as connection:
            with suppress(
                asyncpg.ForeignKeyViolationError
            ):  # removed already, which a day's time prevents
                await connection.execute(refer, kept.sha256)
                return kept.sha256
        return None

    writes = [write(b"content %d" % (number % 5)) for number in range(40)]
    results = await asyncio.gather(
        *writes, *(service.remove_unused(TOMORROW) for _ in range(10))
    )
    referred = {result for result in results if isinstance(result, str)}
    assert referred
    for sha256 in referred:
        found = await service.find(sha256)
        assert found is not None
        assert hashlib.sha256(await bytes_of(service, found)).hexdigest() == sha256
    await service.remove_unused(TOMORROW)
    assert len(await copies(store)) == len(referred)
