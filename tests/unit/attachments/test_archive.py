"""Archives of files: readable by any program, whatever the files hold, in bounded memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from shared.vault.attachments.attachment_archive import ArchivedFile, zipped

DATE = datetime(2024, 2, 29, 12, 30, 44, tzinfo=UTC)


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def archive_of(*files: ArchivedFile) -> zipfile.ZipFile:
    data = b"".join([chunk async for chunk in zipped(files)])
    return zipfile.ZipFile(io.BytesIO(data))


async def test_files_are_stored_as_they_are_with_name_and_date() -> None:
    archive = await archive_of(
        ArchivedFile("a.txt", DATE, chunks(b"one ", b"two")),
        ArchivedFile("é/b.bin", DATE, chunks(b"\x00\xff")),
    )
    assert archive.namelist() == ["a.txt", "é/b.bin"]
    assert archive.read("a.txt") == b"one two"
    assert archive.read("é/b.bin") == b"\x00\xff"
    assert archive.getinfo("a.txt").date_time == (2024, 2, 29, 12, 30, 44)
    assert archive.getinfo("a.txt").compress_type == zipfile.ZIP_STORED


async def test_an_archive_of_no_files_is_an_archive() -> None:
    archive = await archive_of()
    assert archive.namelist() == []


async def test_a_chunk_is_passed_on_before_the_next_one_is_read() -> None:
    read: list[int] = []

    async def counted() -> AsyncIterator[bytes]:
        for number in range(3):
            read.append(number)
            yield b"x" * 1000

    files = [ArchivedFile("a", DATE, counted())]
    passed = 0
    async for chunk in zipped(files):
        if len(chunk) >= 1000:
            passed += 1
            assert len(read) == passed
    assert passed == 3


@given(st.lists(st.binary(max_size=50), max_size=5))
async def test_any_bytes_come_back(contents: list[bytes]) -> None:
    files = [
        ArchivedFile(f"{number}", DATE, chunks(content))
        for number, content in enumerate(contents)
    ]
    archive = await archive_of(*files)
    assert [archive.read(name) for name in archive.namelist()] == contents
