"""Files of document versions: the source file and renditions, kept as content and read as streams."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation
from shared.vault.audit import audit_entries as entries
from shared.vault.documents import document_store as store
from shared.vault.documents.document_store import Place, SourceFile, keep_file
from shared.vault.errors import VaultFault
from shared.vault.queries.document_target import SOURCE_FILE

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.documents.document_service import DocumentService
    from shared.vault.files.content_service import Content, ContentService
    from shared.vault.storage.database import Connection, Database

MAX_FILENAME = 218  # characters, the documented limit

NAMES = "SELECT rendition FROM platform.document_file WHERE version_id = $1 AND rendition <> '' ORDER BY rendition"
ONE = """SELECT f.filename, f.format, f.sha256 FROM platform.document_file f
WHERE f.version_id = $1 AND f.rendition = $2"""
REMOVE = "DELETE FROM platform.document_file WHERE version_id = $1 AND rendition = $2"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a version."""

    content: Content
    filename: str
    format: str


def file_name(sent: str | None) -> str:
    """The name of a file without the folders of whoever sent it; raises VaultFault INVALID_DATA."""
    name = (sent or "").replace("\\", "/").rpartition("/")[2].strip()
    if not name or len(name) > MAX_FILENAME or not name.isprintable():
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"A file has a name of 1 to {MAX_FILENAME} printable characters",
        )
    return name


class DocumentFiles:
    """The files of documents, for those who may read or change these."""

    def __init__(
        self, database: Database, documents: DocumentService, content: ContentService
    ) -> None:
        self._database = database
        self._documents = documents
        self._content = content

    async def file(
        self, caller: Caller, place: Place, rendition: str = SOURCE_FILE
    ) -> StoredFile:
        """A version's own file, or one of its renditions; raises VaultFault INVALID_DATA when it has none."""
        model, _ = self._documents.model(caller, Operation.READ)
        if rendition and rendition not in model.renditions:
            raise _no_type(rendition)
        async with self._database.connection() as connection:
            version = await store.find(connection, place)
            row = await connection.fetchrow(ONE, version, rendition)
        content = None if row is None else await self._content.find(row["sha256"])
        if row is None or content is None:
            raise VaultFault(
                ErrorType.INVALID_DATA, "The version of the document has no such file"
            )
        return StoredFile(content, row["filename"], row["format"])

    def bytes_of(
        self, file: StoredFile, start: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """The bytes of a file."""
        return self._content.read(file.content, start, length)

    async def renditions(self, caller: Caller, place: Place) -> list[str]:
        """The types of the renditions that a version has."""
        self._documents.model(caller, Operation.READ)
        async with self._database.connection() as connection:
            version = await store.find(connection, place)
            return [row["rendition"] for row in await connection.fetch(NAMES, version)]

    async def put(
        self,
        caller: Caller,
        place: Place,
        rendition: str,
        file: SourceFile,
        *,
        replace: bool,
    ) -> None:
        """Give a version a rendition, or, with ``replace``, another file for the one it has."""

        async def work(connection: Connection) -> None:
            model, versions = self._documents.model(caller, Operation.EDIT)
            if rendition not in model.renditions:
                raise _no_type(rendition)
            version = await store.locked(connection, versions, place)
            before = await connection.fetchrow(ONE, version["id"], rendition)
            if replace != (before is not None):
                have = "no" if replace else "a"
                raise VaultFault(
                    ErrorType.OPERATION_NOT_ALLOWED,
                    f"The version has {have} rendition [{rendition}]",
                )
            await keep_file(connection, version["id"], rendition, file)
            lines = [
                (
                    rendition,
                    None if before is None else before["filename"],
                    file.filename,
                )
            ]
            await entries.document_changed(
                connection, caller, entries.EDIT, place.document_id, lines
            )

        await self._database.unit_of_work(work)

    async def remove(self, caller: Caller, place: Place, rendition: str) -> None:
        """Take a rendition away; raises VaultFault INVALID_DATA when there is none."""

        async def work(connection: Connection) -> None:
            _, versions = self._documents.model(caller, Operation.EDIT)
            version = await store.locked(connection, versions, place)
            before = await connection.fetchrow(ONE, version["id"], rendition)
            if before is None or not rendition:
                raise VaultFault(
                    ErrorType.INVALID_DATA,
                    "The version of the document has no such file",
                )
            await connection.execute(REMOVE, version["id"], rendition)
            lines = [(rendition, before["filename"], None)]
            await entries.document_changed(
                connection, caller, entries.EDIT, place.document_id, lines
            )

        await self._database.unit_of_work(work)


def _no_type(rendition: str) -> VaultFault:
    return VaultFault(
        ErrorType.INVALID_DATA, f"There is no rendition type [{rendition[:100]}]"
    )
