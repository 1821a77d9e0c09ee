"""Zip files from outside: which are read, and which are refused before they are unpacked."""

from __future__ import annotations

import io
import tracemalloc
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.vault.packages import package_archive as archive
from shared.vault.packages.package_archive import PackageFault, pack, unpack
from tests.unit.packages.building import zipped


def contents(data: bytes) -> dict[str, bytes]:
    """The files of an archive, all unpacked."""
    return {name: file.content() for name, file in unpack(data).items()}


def special(
    name: str,
    *,
    attributes: int = 0,
    method: int = zipfile.ZIP_STORED,
    content: bytes = b"x",
) -> bytes:
    sheet = io.BytesIO()
    with zipfile.ZipFile(sheet, "w") as file:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = attributes
        file.writestr(entry, content, method)
    return sheet.getvalue()


def test_files_by_path_without_folders_and_leavings() -> None:
    data = zipped(
        {
            "a/": b"",
            "a/b.txt": b"1",
            "c.txt": b"2",
            "__MACOSX/a/b.txt": b"3",
            "a/.DS_Store": b"4",
        }
    )
    assert contents(data) == {"a/b.txt": b"1", "c.txt": b"2"}


def test_what_nobody_asks_for_is_not_unpacked() -> None:
    """A damaged file causes no error until it is read."""
    data = bytearray(zipped({"a.txt": b"0123456789" * 1000, "b.txt": b"1"}))
    data[data.index(b"a.txt") + 10] ^= 0xFF
    files = unpack(bytes(data))
    assert files["b.txt"].content() == b"1"
    for read in (files["a.txt"].content, lambda: list(files["a.txt"].chunks())):
        with pytest.raises(PackageFault, match="damaged"):
            read()
    with pytest.raises(PackageFault, match="damaged"), files["a.txt"].text() as text:
        text.read()


@pytest.mark.parametrize(
    "name",
    [
        "../a",
        "a/../b",
        "/a",
        "a//b",
        "./a",
        "C:a",
        "a\\b",
        "a\nb",
        "n" * 301,
        "a/..",
        "\u202ea",
    ],
)
def test_names_that_lead_elsewhere(name: str) -> None:
    with pytest.raises(PackageFault):
        unpack(special(name))


def test_two_entries_of_one_name() -> None:
    sheet = io.BytesIO()
    with zipfile.ZipFile(sheet, "w") as file:
        file.writestr("a", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("a", b"2")
    with pytest.raises(PackageFault, match="same name"):
        unpack(sheet.getvalue())


def test_symbolic_links_and_other_compressions() -> None:
    with pytest.raises(PackageFault, match="symbolic link"):
        unpack(special("a", attributes=0o120777 << 16))
    with pytest.raises(PackageFault, match="deflate"):
        unpack(special("a", method=zipfile.ZIP_BZIP2))


@pytest.mark.parametrize("kind", [0o010000, 0o020000, 0o060000, 0o140000])
def test_entries_that_are_no_files(kind: int) -> None:
    with pytest.raises(PackageFault, match="not a file"):
        unpack(special("a", attributes=(kind | 0o777) << 16))


@pytest.mark.parametrize("attributes", [0, 0o644 << 16, 0o104755 << 16])
def test_files_whatever_they_permit(attributes: int) -> None:
    assert unpack(special("a", attributes=attributes)).keys() == {"a"}


def test_encrypted_entries() -> None:
    data = bytearray(special("a"))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    with pytest.raises(PackageFault, match="encrypted"):
        unpack(bytes(data))


def test_a_bomb() -> None:
    with pytest.raises(PackageFault, match="tightly"):
        unpack(zipped({"a": b"\0" * (5 * 2**20)}))


def test_an_entry_larger_than_it_says() -> None:
    data = bytearray(zipped({"a": b"0123456789" * 1000}))
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = (10).to_bytes(4, "little")
    with pytest.raises(PackageFault, match="damaged"):
        contents(bytes(data))


def test_bounds_on_size_and_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ENTRIES", 3)
    with pytest.raises(PackageFault, match="more than 3 entries"):
        unpack(zipped({f"{n}": b"" for n in range(4)}))
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 10)
    with pytest.raises(PackageFault, match="unpacks to more"):
        unpack(zipped({"a": b"123456", "b": b"123456"}))
    monkeypatch.setattr(archive, "MAX_ENTRY_BYTES", 5)
    with pytest.raises(PackageFault, match="larger than 5"):
        unpack(zipped({"a": b"123456"}))
    monkeypatch.setattr(archive, "MAX_FILE_BYTES", 5)
    with pytest.raises(PackageFault, match="larger than 5"):
        unpack(zipped({"a": b"1"}))


def listing(entries: int, name: bytes) -> bytes:
    """An archive that lists one empty file so many times under names of this length."""
    one = special(name.decode())
    at, end = one.index(b"PK\x01\x02"), one.index(b"PK\x05\x06")
    listed = one[at:end] * entries
    # The number of entries is a lie: readers go by the size of the list.
    size = len(listed).to_bytes(4, "little")
    return one[:at] + listed + one[end : end + 12] + size + one[end + 16 :]


@pytest.mark.parametrize(
    ("entries", "name"), [(60_000, b"a"), (7_000, b"n" * 300), (5_001, b"a")]
)
def test_a_list_of_too_many_entries_takes_little_memory(
    entries: int, name: bytes
) -> None:
    data = listing(entries, name)
    tracemalloc.start()
    with pytest.raises(PackageFault, match="entries"):
        unpack(data)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < len(data) + 8 * 2**20


def test_the_longest_names_of_as_many_entries_as_are_allowed() -> None:
    names = [f"{number:0300}" for number in range(archive.MAX_ENTRIES)]
    assert list(unpack(pack(dict.fromkeys(names, b"")))) == names


@given(st.binary(max_size=200))
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(PackageFault):
        unpack(data)


@given(st.data())
def test_damaged_files_are_refused_or_read(data: st.DataObject) -> None:
    good = bytearray(
        zipped({"vaultpackage.xml": b"<a/>", "components/1/x.mdl": b"RECREATE"})
    )
    at = data.draw(st.integers(0, len(good) - 1))
    good[at] = data.draw(st.integers(0, 255))
    try:
        contents(bytes(good))
    except PackageFault:
        return


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8})?\.x", fullmatch=True),
        st.binary(max_size=50),
        max_size=9,
    )
)
def test_what_is_packed_is_unpacked(files: dict[str, bytes]) -> None:
    assert contents(pack(files)) == files
