"""Extracts and stores the texts of documents' files for searches."""

from __future__ import annotations

import asyncio
import codecs
import html
import os
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from typing import TYPE_CHECKING

import structlog

from shared.vault.documents.binary_formats import MEDIA_TYPES
from shared.vault.files.content_service import Content
from shared.vault.storage.fair_slots import FairSlots

if TYPE_CHECKING:
    from shared.vault.files.content_service import ContentService
    from shared.vault.storage.database import Database

log = structlog.get_logger(__name__)

MAX_BYTES = 2**20  # of a text file that are looked at
MAX_BINARY_BYTES = 32 * 2**20  # of a PDF or Office file; a larger one has no text
MAX_TEXT = 200_000  # characters that are kept
# Of a process that extracts a text, waits among them; its processor time has a bound of its own.
EXTRACTION_SECONDS = 60.0
# The module that is run for it: a Vault itself does not load the libraries that read such files.
READER = "shared.vault.documents.binary_text"
# For the turn of a file, which so passes the longest extraction of each of a few others.
TURN_SECONDS = 30.0
# The files of no user have turns like those of one.
HOUSEKEEPING = 0
PAGE = 500  # files that are read for one statement

_MARKUP = frozenset(
    (
        "text/html",
        "application/xhtml+xml",
        "text/xml",
        "application/xml",
        "image/svg+xml",
    )
)
_PLAIN = frozenset(("application/json",))
# Whatever is not closed goes to the end: a file is read once, however it is broken.
_TAGS = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*+>|\Z)|<!\[CDATA\[|\]\]>|</?[a-z!?][^<>]*+>?",
    re.DOTALL | re.IGNORECASE,
)
# Of more digits than any character has; html.unescape() would fail with the error of an endless number.
_ENDLESS_REFERENCE = re.compile(r"&#[0-9]{20,}+;?+")
_SPACE = re.compile(r"\s++")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# The text of content, which never changes; two writers of it store the same.
KEEP = "INSERT INTO platform.content_text (sha256, text) VALUES ($1, $2) ON CONFLICT DO NOTHING"
# Whether content has a text.
KNOWN = "SELECT EXISTS (SELECT FROM platform.content_text WHERE sha256 = $1)"
# Content of source files that has no text yet, after a checksum.
MISSING = """
SELECT DISTINCT ON (sha256) sha256, size, md5, stored_as, format
FROM platform.document_file f JOIN platform.content c USING (sha256)
WHERE f.rendition = '' AND sha256 > $1 AND NOT EXISTS (SELECT FROM platform.content_text t WHERE t.sha256 = f.sha256)
ORDER BY sha256 LIMIT $2
"""


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the Vault's settings, for a process that reads untrusted files."""
    return {
        name: value
        for name, value in environment.items()
        if not name.upper().startswith("VAULT_")
    }


class DocumentTexts:
    """Extracts the text of stored files, and stores it once for each file."""

    def __init__(self, database: Database, content: ContentService) -> None:
        self._database = database
        self._content = content
        # One process at a time: a load of many files leaves the processors to those who wait for answers.
        self._turns = FairSlots(1, 1)

    async def extract(self, content: Content, media_type: str, user_id: int) -> None:
        """Extract and store the text of a file, unless its type has no text or the text is stored already.

        Users take turns in extracting PDF and Office files. If the user's turn does not come in time, the call returns,
        and ``extract_missing`` stores the text later.
        """
        if not is_text(media_type):
            return
        async with self._database.connection() as connection:
            if await connection.fetchval(KNOWN, content.sha256):
                return
        if media_type in MEDIA_TYPES:
            try:
                await self._turns.enter(user_id, TURN_SECONDS)
            except TimeoutError:
                log.info("text_postponed", format=media_type)
                return
            try:
                text = await self._binary_text(content, media_type)
            finally:
                self._turns.leave(user_id)
        else:
            data = await self._beginning(content, MAX_BYTES)
            # A megabyte of markup takes long enough to keep other requests waiting.
            text = await asyncio.to_thread(plain_text, data, media_type)
        async with self._database.connection() as connection:
            await connection.execute(KEEP, content.sha256, text)

    async def _binary_text(self, content: Content, media_type: str) -> str:
        """Return the text of a PDF or Office file, extracted in a separate process; "" when that fails."""
        # Neither format can be read from its beginning alone.
        if content.size > MAX_BINARY_BYTES:
            return ""
        data = await self._beginning(content, MAX_BINARY_BYTES)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            READER,
            media_type,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env=without_secrets(os.environ),
        )
        written = b""
        try:
            async with asyncio.timeout(EXTRACTION_SECONDS):
                written, _ = await process.communicate(data)
        except TimeoutError:
            log.warning("text_not_read", format=media_type, status="late")
            return ""
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode == 0:
            return written.decode()
        # A process that wanted too much was ended by the system; its file has no text, rather than be tried again.
        log.warning("text_not_read", format=media_type, status=process.returncode)
        return ""

    async def _beginning(self, content: Content, most: int) -> bytes:
        """Return the first bytes of a file, at most ``most``, from which the text is extracted."""
        length = min(content.size, most)
        chunks = [chunk async for chunk in self._content.read(content, 0, length)]
        return b"".join(chunks)

    async def extract_missing(self) -> None:
        """Extract and store the missing texts of source files: those of interrupted calls and of older releases."""
        after = ""
        while True:
            async with self._database.connection() as connection:
                rows = await connection.fetch(MISSING, after, PAGE)
            for row in rows:
                content = Content(
                    row["sha256"], row["size"], row["md5"], row["stored_as"]
                )
                await self.extract(content, row["format"], HOUSEKEEPING)
            if len(rows) < PAGE:
                return
            # Files whose type has no text stay without one: the next page begins behind them.
            after = rows[-1]["sha256"]


def is_text(media_type: str) -> bool:
    """Return whether files of this type are text that can be searched."""
    if media_type.startswith("text/"):
        return True
    return media_type in _MARKUP | _PLAIN | MEDIA_TYPES


def plain_text(data: bytes, media_type: str) -> str:
    """Return the words at the beginning of a text file, without markup, separated by one space each.

    ``media_type`` must be one for which ``is_text`` is true, and none of ``MEDIA_TYPES``.
    """
    # PostgreSQL stores no null characters in texts; entities of markup may bring new ones.
    text = _decoded(data[:MAX_BYTES]).replace("\x00", " ")
    if media_type in _MARKUP:
        untagged = _TAGS.sub(" ", text)
        readable = _ENDLESS_REFERENCE.sub(" ", untagged)
        text = html.unescape(readable).replace("\x00", " ")
    words = _SPACE.sub(" ", text).strip()
    return words[:MAX_TEXT]


def _decoded(data: bytes) -> str:
    """Return bytes as text, decoded by their byte order mark, else as UTF-8 if valid, else as Windows-1252."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    # The last character may have been cut in two.
    text, length = codecs.utf_8_decode(data, "ignore", False)
    if len(text.encode()) == length:
        return text
    return data.decode("cp1252", "replace")
