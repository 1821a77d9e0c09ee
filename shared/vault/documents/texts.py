"""The texts of documents' files, kept beside their content for searches."""

from __future__ import annotations

import asyncio
import codecs
import html
import re
from typing import TYPE_CHECKING

from shared.vault.files.content_service import Content

if TYPE_CHECKING:
    from shared.vault.files.content_service import ContentService
    from shared.vault.storage.database import Database

MAX_BYTES = 2**20  # of a file that are looked at


MAX_TEXT = 200_000  # characters that are kept


_MARKUP = frozenset(
    {
        "text/html",
        "application/xhtml+xml",
        "text/xml",
        "application/xml",
        "image/svg+xml",
    }
)


_PLAIN = frozenset({"application/json"})


# Whatever is not closed goes to the end: a file is read once, however it is broken.
_TAGS = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*+>|\Z)|<!\[CDATA\[|\]\]>|</?[a-z!?][^<>]*+>?",
    re.DOTALL | re.IGNORECASE,
)


_SPACE = re.compile(r"\s+")


_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def is_text(media_type: str) -> bool:
    """Whether files of this type are text that can be searched."""
    return (
        media_type.startswith("text/") or media_type in _MARKUP or media_type in _PLAIN
    )


def plain_text(data: bytes, media_type: str) -> str:
    """The words of a file of a type that ``is_text``, of its beginning where it is long; spaces are one each."""
    text = _decoded(data[:MAX_BYTES]).replace("\x00", " ")
    if media_type in _MARKUP:
        text = html.unescape(_TAGS.sub(" ", text)).replace("\x00", " ")
    return _SPACE.sub(" ", text).strip()[:MAX_TEXT]


def _decoded(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    # The last character may have been cut in two.
    text, length = codecs.utf_8_decode(data, "ignore", False)
    if len(text.encode()) == length:
        return text
    return data.decode("cp1252", "replace")


PAGE = 500  # files that are read for one statement

KEEP = "INSERT INTO platform.content_text (sha256, text) VALUES ($1, $2) ON CONFLICT DO NOTHING"
KNOWN = "SELECT EXISTS (SELECT FROM platform.content_text WHERE sha256 = $1)"
MISSING = """
SELECT DISTINCT ON (sha256) sha256, size, md5, stored_as, format
FROM platform.document_file f JOIN platform.content c USING (sha256)
WHERE f.rendition = '' AND sha256 > $1 AND NOT EXISTS (SELECT FROM platform.content_text t WHERE t.sha256 = f.sha256)
ORDER BY sha256 LIMIT $2
"""


class DocumentTexts:
    """Reads the text of files that are kept."""

    def __init__(self, database: Database, content: ContentService) -> None:
        self._database = database
        self._content = content

    async def note(self, content: Content, media_type: str) -> None:
        """Keep the text of a file, where its type has one."""
        if not is_text(media_type):
            return
        async with self._database.connection() as connection:
            if await connection.fetchval(KNOWN, content.sha256):
                return
        data = b"".join(
            [
                chunk
                async for chunk in self._content.read(
                    content, 0, min(content.size, MAX_BYTES)
                )
            ]
        )
        text = await asyncio.to_thread(plain_text, data, media_type)
        async with self._database.connection() as connection:
            await connection.execute(KEEP, content.sha256, text)

    async def note_missing(self) -> None:
        """Keep the texts of files whose writer did not come to it, or was of a version that kept none."""
        after = ""
        while True:
            async with self._database.connection() as connection:
                rows = await connection.fetch(MISSING, after, PAGE)
            for row in rows:
                content = Content(
                    row["sha256"], row["size"], row["md5"], row["stored_as"]
                )
                await self.note(content, row["format"])
            if len(rows) < PAGE:
                return
            after = rows[-1]["sha256"]
