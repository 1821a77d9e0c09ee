"""The guarantees of a store, tested on each kind of it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.vault.files import s3_store as s3
from shared.vault.files.file_store import (
    AlreadyThere,
    ChecksumMismatch,
    FileStore,
    NotEmpty,
    NotFound,
    TooLarge,
    delete_tree,
)
from tests.unit.staging.stores import (
    bucket_store,
    chunks,
    content,
    folder_store,
    s3_server,
)


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


async def keys(store: FileStore, folder: str, *, recursive: bool = False) -> list[str]:
    return [item.position for item in await store.list(folder, recursive=recursive)]


async def test_put_and_get(store: FileStore) -> None:
    stored = await store.put("top/in/file.txt", chunks(b"some ", b"", b"content"))
    assert (stored.size, stored.key) == (12, "top/in/file.txt")
    assert stored.md5 == hashlib.md5(b"some content", usedforsecurity=False).hexdigest()
    assert stored.sha256 == hashlib.sha256(b"some content").hexdigest()
    assert await content(store, "top/in/file.txt") == b"some content"
    assert await content(store, "top/in/file.txt", 5) == b"content"
    assert await content(store, "top/in/file.txt", 5, 3) == b"con"
    assert await content(store, "top/in/file.txt", 99) == b""
    found = await store.find("top/in/file.txt")
    assert found is not None and found.size == 12 and found.modified is not None
    assert found.modified > datetime.now(UTC) - timedelta(minutes=5)
    folder = await store.find("top/in")
    assert folder is not None and folder.is_folder
    assert await store.find("top/in/other") is await store.find("top/i") is None


async def test_an_empty_file(store: FileStore) -> None:
    assert (await store.put("top/empty", chunks())).size == 0
    assert await content(store, "top/empty") == b""


async def test_a_file_is_replaced_only_when_that_is_wanted(store: FileStore) -> None:
    await store.put("top/file", chunks(b"first"))
    with pytest.raises(AlreadyThere):
        await store.put("top/file", chunks(b"second"), overwrite=False)
    assert await content(store, "top/file") == b"first"
    await store.put("top/file", chunks(b"second"))
    assert await content(store, "top/file") == b"second"


async def test_what_does_not_come_whole_is_not_there(store: FileStore) -> None:
    async def cut_off() -> AsyncIterator[bytes]:
        yield b"begun"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await store.put("top/file", cut_off())
    with pytest.raises(TooLarge):
        await store.put("top/file", chunks(b"12345", b"6"), limit=5)
    with pytest.raises(ChecksumMismatch):
        await store.put("top/file", chunks(b"content"), md5="0" * 32)
    assert await store.find("top/file") is None
    await store.put(
        "top/file",
        chunks(b"12345"),
        limit=5,
        md5=hashlib.md5(b"12345", usedforsecurity=False).hexdigest(),
    )


async def test_files_and_folders_do_not_take_each_others_place(
    store: FileStore,
) -> None:
    await store.put("top/file", chunks(b"content"))
    await store.make_folder("top/folder")
    for attempt in ("top/folder", "top/file/below"):
        with pytest.raises(AlreadyThere):
            await store.put(attempt, chunks(b"content"))
    for attempt in ("top/folder", "top/file", "top/file/below"):
        with pytest.raises(AlreadyThere):
            await store.make_folder(attempt)


async def test_lists(store: FileStore) -> None:
    for key in ("a/b/1", "a/b/2", "a/c", "a/b-d", "a/e/f/3", "ab"):
        await store.put(f"top/{key}", chunks(b"x"))
    await store.make_folder("top/a/g")
    here = ["top/a/b-d", "top/a/b/", "top/a/c", "top/a/e/", "top/a/g/"]
    inside = ["top/a/b/1", "top/a/b/2", "top/a/e/f/", "top/a/e/f/3"]
    assert sorted(await keys(store, "top/a")) == here
    assert sorted(await keys(store, "top/a", recursive=True)) == sorted(here + inside)
    assert await keys(store, "top/a/g") == await keys(store, "top/nothing") == []


@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3, 100])
async def test_pages_of_a_list_are_the_list(
    store: FileStore, recursive: bool, size: int
) -> None:
    for key in ("b/1", "b/2", "b-d", "c", "e/f/3", "e/f/4", "b0"):
        await store.put(f"top/{key}", chunks(b"x"))
    whole = await keys(store, "top", recursive=recursive)
    paged: list[str] = []
    while page := await store.list(
        "top", recursive=recursive, after=paged[-1] if paged else None, limit=size
    ):
        assert len(page) <= size
        paged += [item.position for item in page]
    assert paged == whole
    for number, position in enumerate(whole):
        assert not any(earlier.startswith(position) for earlier in whole[:number])


async def test_delete(store: FileStore) -> None:
    await store.put("top/folder/file", chunks(b"x"))
    with pytest.raises(NotEmpty):
        await store.delete("top/folder")
    await store.delete("top/folder/file")
    await store.delete("top/folder")
    await store.delete("top/folder")
    assert await store.find("top/folder") is await store.find("top/folder/file") is None


async def test_delete_tree(store: FileStore) -> None:
    for key in ("t/1", "t/a/2", "t/a/b/3", "u"):
        await store.put(f"top/{key}", chunks(b"x"))
    await store.make_folder("top/t/empty")
    assert await delete_tree(store, "top/t") == 3
    assert await store.find("top/t") is None
    assert await delete_tree(store, "top/u") == 0
    assert await store.find("top/u") is None


async def test_move(store: FileStore) -> None:
    await store.put("top/a/file", chunks(b"content"))
    await store.put("top/a/in/file", chunks(b"inside"))
    await store.put("top/taken/file", chunks(b"x"))
    await store.move("top/a/file", "top/b/renamed")
    assert await content(store, "top/b/renamed") == b"content"
    await store.move("top/a", "top/c/moved")
    assert await content(store, "top/c/moved/in/file") == b"inside"
    assert await store.find("top/a/in/file") is None
    for source, target in (("top/b", "top/taken"), ("top/b/renamed", "top/taken/file")):
        with pytest.raises(AlreadyThere):
            await store.move(source, target)
    with pytest.raises(NotFound):
        await store.move("top/nothing", "top/x")


async def test_a_move_that_was_cut_off_is_completed(store: FileStore) -> None:
    await store.put("top/moved", chunks(b"content"))
    await store.move("top/moved", "top/there")
    await store.move("top/moved", "top/there", resumed=True)
    assert await content(store, "top/there") == b"content"
    with pytest.raises(NotFound):
        await store.move("top/never", "top/nowhere", resumed=True)


async def test_tidy_leaves_files_alone(store: FileStore) -> None:
    await store.put("top/file", chunks(b"content"))
    await store.tidy(datetime.now(UTC) + timedelta(hours=1))
    assert await content(store, "top/file") == b"content"


async def test_what_is_half_written_is_tidied_away(tmp_path: Path) -> None:
    async with folder_store(tmp_path) as store:
        (tmp_path / ".incoming").mkdir()
        (tmp_path / ".incoming" / "begun").write_bytes(b"x")
        await store.tidy(datetime.now(UTC) - timedelta(hours=1))
        assert list((tmp_path / ".incoming").iterdir())
        await store.tidy(datetime.now(UTC) + timedelta(hours=1))
        assert not list((tmp_path / ".incoming").iterdir())


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/x", "a//b", "a\x00b", ""])
async def test_a_malformed_key_never_leaves_the_folder(
    tmp_path: Path, key: str
) -> None:
    async with folder_store(tmp_path / "store") as store:
        with pytest.raises(ValueError, match="malformed"):
            await store.put(key, chunks(b"x"))
    assert not (tmp_path / "x").exists()


async def test_a_large_file_goes_up_in_parts(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "PART", 5 * 2**20)  # the least that S3 takes
    monkeypatch.setattr(s3, "COPY_PART", 6 * 2**20)
    block = bytes(range(256)) * 4096
    async with bucket_store(endpoint) as store:
        stored = await store.put("top/large", chunks(*[block] * 12))
        assert stored.size == 12 * 2**20
        await store.move("top/large", "top/moved")
        whole = await content(store, "top/moved")
        assert hashlib.sha256(whole).hexdigest() == stored.sha256
        with pytest.raises(TooLarge):
            await store.put("top/larger", chunks(*[block] * 12), limit=11 * 2**20)
        assert await store.find("top/larger") is None
