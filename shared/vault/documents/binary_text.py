"""Extracts the text of PDF and Office files in a separate process with limits of time and memory.

Run as ``python -m shared.vault.documents.binary_text MEDIA_TYPE``: reads a file from its input, and writes its words as
UTF-8. A file that is broken, encrypted or exceeds the limits gives no text.
"""

from __future__ import annotations

import io
import logging
import resource
import sys
import zipfile
from collections.abc import Iterator
from xml.etree.ElementTree import ParseError  # an error only, raised by defusedxml  # nosec B405

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse
from pypdf import PdfReader
from pypdf.errors import PyPdfError

from shared.vault.documents.binary_formats import OFFICE_PARTS, PDF

log = logging.getLogger(__name__)

SECONDS = 10  # of processor time
MEMORY = 512 * 2**20  # bytes of address space
MAX_PART = 16 * 2**20  # bytes of one part of an Office file, unpacked
MAX_PARTS = 500
MAX_TEXT = 200_000  # characters
# Of these, each has the text of its own element: a run, a cell, a shared string.
_TEXT_ENDS = ("}t", "}v")

UNREADABLE = (
    PyPdfError,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    MemoryError,
    ParseError,
    DefusedXmlException,
    OSError,
)
"""What the readers of broken, encrypted or hostile files raise."""


def binary_text(data: bytes, media_type: str) -> str:
    """Return the words of a PDF or Office file, separated by one space each; at most ``MAX_TEXT`` characters.

    ``media_type`` is one of ``MEDIA_TYPES``. For a broken file, only the words before the fault are returned.
    """
    pieces = _pdf(data) if media_type == PDF else _office(data, media_type)
    words: list[str] = []
    length = 0
    try:
        for piece in pieces:
            words += piece.split()
            length += len(piece)
            if length > MAX_TEXT:
                break
    except UNREADABLE as fault:
        # The name of the fault says enough; its message may have words of the file.
        log.warning("A file's text could not be read: %s", type(fault).__name__)
    return " ".join(words).replace("\x00", " ")[:MAX_TEXT]


def _pdf(data: bytes) -> Iterator[str]:
    """Yield the text of each page."""
    for page in PdfReader(io.BytesIO(data)).pages:
        yield page.extract_text()


def _office(data: bytes, media_type: str) -> Iterator[str]:
    """Yield the texts in the parts of an Office file, up to a part that is too long or has XML entities."""
    beginnings = OFFICE_PARTS[media_type]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        named = [name for name in archive.namelist() if name.startswith(beginnings)]
        for name in sorted(named)[:MAX_PARTS]:
            if name.endswith(".xml"):
                yield from _texts(archive, name)


def _texts(archive: zipfile.ZipFile, name: str) -> Iterator[str]:
    """Yield the texts of one part.

    :raises ValueError: when the part is longer than ``MAX_PART``, whatever size the archive declares.
    """
    with archive.open(name) as part:
        content = part.read(MAX_PART + 1)
    if len(content) > MAX_PART:
        raise ValueError(name)
    for _, element in iterparse(io.BytesIO(content), forbid_dtd=True):
        if element.tag.endswith(_TEXT_ENDS) and element.text:
            yield element.text
        element.clear()


def bound(seconds: int, memory: int) -> None:
    """Limit this process to these seconds of processor time and bytes of memory."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def main() -> None:
    """Write the text of the file that standard input contains to standard output."""
    bound(SECONDS, MEMORY)
    text = binary_text(sys.stdin.buffer.read(), sys.argv[1])
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))


if __name__ == "__main__":
    main()
