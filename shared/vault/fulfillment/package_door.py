"""Serves response packages to bearers of their links: read-only, without an account, until the link ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.vault.access.caller import SYSTEM
from shared.vault.attachments.attachment_archive import ArchivedFile, zipped
from shared.vault.audit import audit_entries as entries
from shared.vault.audit.audit_entries import AuditAction
from shared.vault.fulfillment.fulfillment_model import (
    RESPONSE,
    PackageFile,
    ResponsePackage,
    served_versions,
    token_digest,
    versions_of,
)
from shared.vault.model.field_types import table

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.files.content_service import ContentService
    from shared.vault.storage.database import Connection, Database

LETTER = "Cover letter.txt"

# A package whose response was deleted is gone with it.
OPEN = f"""SELECT p.id, p.response_id, p.title, p.cover_letter, p.made_date, p.expires_date
FROM platform.response_package p JOIN {table(RESPONSE)} r ON r.id = p.response_id
WHERE p.token_digest = $1 AND p.revoked_date IS NULL AND p.expires_date > now()"""
FILES = """SELECT f.position, f.document_id, f.version_id, f.name, f.filename, f.format, f.sha256, c.size
FROM platform.response_package_file f JOIN platform.content c USING (sha256)
WHERE f.package_id = $1 ORDER BY f.position"""
# Whether no opening was counted within a minute: so many at most are on the audit trail.
COUNT = """UPDATE platform.response_package p SET openings = p.openings + 1, opened_date = now()
FROM (SELECT id, opened_date FROM platform.response_package WHERE id = $1 FOR UPDATE) before
WHERE p.id = before.id
RETURNING before.opened_date IS NULL OR before.opened_date < now() - interval '1 minute' AS noted, p.openings"""
# What packages of a response have become, the latest first.
MADE = """SELECT made_date, expires_date, revoked_date, openings, opened_date, expires_date <= now() AS ended
FROM platform.response_package WHERE response_id = ANY($1::text[]) ORDER BY id DESC LIMIT 100"""
# The files of packages that nobody can open any more; what was made, and how often it was opened, stays.
FORGET = """DELETE FROM platform.response_package_file f USING platform.response_package p
WHERE p.id = f.package_id AND (p.expires_date < now() OR p.revoked_date IS NOT NULL)"""


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file of a package, and its bytes."""

    file: PackageFile
    content: AsyncIterator[bytes]


class PackageDoor:
    """Serves packages by their tokens; the answer does not show whether a token is unknown or expired."""

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        content: ContentService,
    ) -> None:
        self._database = database
        self._components = components
        self._content = content

    async def package(self, token: str) -> ResponsePackage | None:
        """Return the package of a token; None when the token is unknown, or its link has ended."""
        registry = self._components.registry
        if RESPONSE not in registry.objects:
            return None
        async with self._database.connection() as connection:
            row = await connection.fetchrow(OPEN, token_digest(token))
            if row is None:
                return None
            files = await connection.fetch(FILES, row["id"])
            documents = [file["document_id"] for file in files]
            versions = await versions_of(connection, registry, documents)
        served = served_versions(versions, datetime.now(UTC).date())
        return ResponsePackage(
            row["id"],
            row["response_id"],
            row["title"],
            row["cover_letter"],
            row["made_date"],
            row["expires_date"],
            [_file(each, served) for each in files],
        )

    async def opened(self, package: ResponsePackage) -> None:
        """Count an opening, and write it to the audit trail unless one was written within the last minute."""
        async with self._database.transaction() as connection:
            counted = await connection.fetchrow(COUNT, package.id)
            if counted is not None and counted["noted"]:
                await self._note(connection, package, counted["openings"])

    async def _note(
        self, connection: Connection, package: ResponsePackage, openings: int
    ) -> None:
        await entries.write_events(
            connection,
            self._components.registry,
            SYSTEM,
            AuditAction.OPEN_PACKAGE,
            RESPONSE,
            [package.response],
            f"Opening {openings} by its link",
        )

    async def file(self, package: ResponsePackage, position: int) -> OpenedFile | None:
        """Return a file of a package; None when there is none at the position, or it may no longer be served."""
        for file in package.files:
            if file.position == position and file.served:
                return await self._opened_file(file)
        return None

    async def archive(self, package: ResponsePackage) -> AsyncIterator[bytes]:
        """Return the bytes of a zip archive of the cover letter and the files, which is written as it is read."""
        archived = []
        if package.cover_letter.strip():
            letter = _text(package.cover_letter)
            archived.append(ArchivedFile(LETTER, package.made, letter))
        for file in package.files:
            opened = await self._opened_file(file) if file.served else None
            if opened is not None:
                # Two documents may have files of one name.
                name = f"{file.position:02} {file.filename}"
                archived.append(ArchivedFile(name, package.made, opened.content))
        return zipped(archived)

    async def packages_of(self, responses: list[str]) -> list[Record]:
        """Return the packages of responses and their openings, the latest first; the user may read the responses."""
        async with self._database.connection() as connection:
            return list(await connection.fetch(MADE, responses))

    async def forget(self) -> None:
        """Release the files of packages whose links have ended."""
        async with self._database.connection() as connection:
            await connection.execute(FORGET)

    async def _opened_file(self, file: PackageFile) -> OpenedFile | None:
        content = await self._content.find(file.sha256)
        # The link has ended meanwhile, and the content went with it.
        if content is None:
            return None
        return OpenedFile(file, self._content.read(content))


def _file(row: Record, served: set[str]) -> PackageFile:
    return PackageFile(
        row["position"],
        row["name"],
        row["filename"],
        row["format"],
        row["sha256"],
        row["size"],
        row["version_id"] in served,
    )


async def _text(text: str) -> AsyncIterator[bytes]:
    """Yield a text as one chunk."""
    yield text.encode()
