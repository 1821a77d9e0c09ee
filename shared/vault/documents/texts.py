"""The texts of documents' files, kept beside their content for searches."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from shared.vault.documents.plain_text import MAX_BYTES, is_text, plain_text
from shared.vault.files.content_service import Content

if TYPE_CHECKING:
    from shared.vault.files.content_service import ContentService
    from shared.vault.storage.database import Database

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
