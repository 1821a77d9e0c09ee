"""Reads and writes the formats of package files, zip and XML, within bounds; packed files are unpacked in pieces."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from xml.etree.ElementTree import Element  # reads no XML itself  # nosec B405
from xml.sax.saxutils import escape  # writes alone  # nosec B406

from shared.vault.components.strict_xml import XmlFault, parse_xml

MAX_FILE_BYTES = 50 * 2**20
MAX_ENTRIES = 5_000
MAX_NAME = 300
# Of the list of entries, for as many as are allowed with the longest names; the library makes objects of all of it.
MAX_LIST_BYTES = 2 * 2**20
MAX_ENTRY_BYTES = 20 * 2**20
MAX_UNPACKED_BYTES = 100 * 2**20
# Of an entry's size to what it takes up in the file; text seldom passes 20.
MAX_RATIO = 200
RATIO_FROM = 2**20  # bytes: what is smaller may be packed as tightly as it likes
METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
REGULAR_FILE = 0o100000
SYMBOLIC_LINK = 0o120000
FILE_TYPE = 0o170000
ENCRYPTED = 0x1
DATE = (1980, 1, 1, 0, 0, 0)  # the same content makes the same file

CHUNK = 2**16  # bytes
DAMAGED = "The file is not a zip archive, or is damaged"
# What the library makes of bytes that are none.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
TOO_MANY = "The archive's list of entries is too long"
NOT_OURS = ("__MACOSX", ".DS_Store")  # what desktops leave in archives


class PackageFault(Exception):
    """Raised for a file that is not a package, or that this Vault refuses to open; the text contains the reason."""


class PackedFile:
    """A file that stays packed in its archive, and is unpacked as it is read, any number of times."""

    def __init__(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
        self._archive = archive
        self._entry = entry

    def chunks(self) -> Iterator[bytes]:
        """Yield the content piece by piece.

        :raises PackageFault: when it is damaged.
        """
        try:
            with self._archive.open(self._entry) as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except DAMAGE as error:
            raise PackageFault(DAMAGED) from error

    @contextmanager
    def text(self) -> Iterator[io.TextIOWrapper]:
        """Yield the content as UTF-8 text with its original line ends.

        :raises PackageFault: when it is damaged.
        """
        try:
            with (
                self._archive.open(self._entry) as file,
                io.TextIOWrapper(file, "utf-8-sig", newline="") as text,
            ):
                yield text
        except DAMAGE as error:
            raise PackageFault(DAMAGED) from error

    def content(self) -> bytes:
        """Return the whole content.

        :raises PackageFault: when it is damaged.
        """
        return b"".join(self.chunks())


class _Archived(io.BytesIO):
    """The bytes of an archive, whose list of entries is not read when it is too long.

    Only the size of the list bounds the number of entries, since an archive may understate that number.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to ``size`` bytes; all that are left by default.

        :raises PackageFault: when more bytes are read at once than a list of entries may have; only the list is read
            so.
        """
        if size is not None and size > MAX_LIST_BYTES:
            raise PackageFault(TOO_MANY)
        return super().read(size)


def unpack(data: bytes) -> dict[str, PackedFile]:
    """Return the files of an archive by their paths, still packed.

    :raises PackageFault: when it is no archive, or exceeds a bound.
    """
    if len(data) > MAX_FILE_BYTES:
        raise PackageFault(f"The file is larger than {MAX_FILE_BYTES} bytes")
    try:
        archive = zipfile.ZipFile(_Archived(data))
    except DAMAGE as error:
        raise PackageFault(DAMAGED) from error
    entries = _checked(archive.infolist())
    return {name: PackedFile(archive, entry) for name, entry in entries.items()}


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return an archive of these files, in their order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, DATE)
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _checked(entries: Sequence[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    if len(entries) > MAX_ENTRIES:
        raise PackageFault(f"The archive has more than {MAX_ENTRIES} entries")
    checked: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        names = _names(entry)
        if entry.is_dir() or names[0] in NOT_OURS or names[-1] in NOT_OURS:
            continue
        _check_entry(entry)
        path = "/".join(names)
        if path in checked:
            raise PackageFault("The archive has two entries of the same name")
        checked[path] = entry
    # What an entry says of its size is also the most that is ever read of it.
    total = sum(entry.file_size for entry in checked.values())
    if total > MAX_UNPACKED_BYTES:
        message = f"The archive unpacks to more than {MAX_UNPACKED_BYTES} bytes"
        raise PackageFault(message)
    return checked


def _names(entry: zipfile.ZipInfo) -> list[str]:
    """Return the names in an entry's path; a path that leads out of the archive is refused."""
    path = entry.orig_filename
    names = path.removesuffix("/").split("/")
    if len(path) > MAX_NAME or not path.isprintable():
        message = (
            "An entry's name is too long, or has characters that cannot be printed"
        )
        raise PackageFault(message)
    if "\\" in path or ":" in path or any(name in ("", ".", "..") for name in names):
        raise PackageFault("An entry's name leads out of the archive")
    return names


def _check_entry(entry: zipfile.ZipInfo) -> None:
    if entry.flag_bits & ENCRYPTED:
        raise PackageFault("The archive is encrypted")
    if entry.compress_type not in METHODS:
        raise PackageFault("The archive uses a compression other than deflate")
    kind = (entry.external_attr >> 16) & FILE_TYPE
    if kind == SYMBOLIC_LINK:
        raise PackageFault("The archive has a symbolic link")
    # Archives that no Unix has made do not say.
    if kind not in (0, REGULAR_FILE):
        raise PackageFault("The archive has an entry that is not a file")
    if entry.file_size > MAX_ENTRY_BYTES:
        message = f"An entry of the archive is larger than {MAX_ENTRY_BYTES} bytes"
        raise PackageFault(message)
    most = max(RATIO_FROM, MAX_RATIO * entry.compress_size)
    if entry.file_size > most:
        message = "An entry of the archive is packed more tightly than any real file"
        raise PackageFault(message)


NAMESPACE = "https://veevavault.com/"


def parse(text: bytes, name: str) -> Element:
    """Return the root element of XML, its tags without namespaces; ``name`` is the file's name for messages.

    :raises PackageFault: when the text is not XML, or has parts that the XML of a package never has.
    """
    try:
        return parse_xml(text)
    except XmlFault as fault:
        raise PackageFault(f"{name} {fault.message}") from fault


def text_of(element: Element | None, path: str) -> str:
    """Return the text of a descendant, without blanks around it; empty when there is none."""
    if element is None:
        return ""
    text = element.findtext(path) or ""
    return text.strip()


def element(tag: str, *content: str, indent: str = "") -> str:
    """Return an XML element that contains other elements; an empty element without ``content``."""
    if not content:
        return f"{indent}<{tag}/>\n"
    # The closing tag has no attributes.
    name = tag.partition(" ")[0]
    inner = "".join(content)
    return f"{indent}<{tag}>\n{inner}{indent}</{name}>\n"


def leaf(
    tag: str,
    text: str,
    indent: str = "",
) -> str:
    """Return an XML element that contains a text."""
    if not text:
        return f"{indent}<{tag}/>\n"
    escaped = escape(text)
    return f"{indent}<{tag}>{escaped}</{tag}>\n"
