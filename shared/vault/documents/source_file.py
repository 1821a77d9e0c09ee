"""Keeps the source file of a document version."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.vault.files.content_service import Content
    from shared.vault.storage.database import Connection


OCTETS = "application/octet-stream"


KEEP = """
INSERT INTO platform.document_file (version_id, rendition, sha256, filename, format) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (version_id, rendition) DO UPDATE
SET sha256 = EXCLUDED.sha256, filename = EXCLUDED.filename, format = EXCLUDED.format
"""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that has been sent and is kept, and the name it came under."""

    content: Content
    filename: str

    @property
    def format(self) -> str:
        """Its MIME type, as far as the name tells."""
        return mimetypes.guess_type(self.filename)[0] or OCTETS


async def keep_file(
    connection: Connection, version: str, rendition: str, file: SourceFile
) -> None:
    """Make a file that of a version, in place of the one it had."""
    await connection.execute(
        KEEP, version, rendition, file.content.sha256, file.filename, file.format
    )
