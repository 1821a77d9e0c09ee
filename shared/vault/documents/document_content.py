"""Reads and changes the files of document versions: source files and renditions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation
from shared.vault.audit import audit_entries as entries
from shared.vault.components.document_model import DOCUMENT_ID
from shared.vault.documents import document_store as store
from shared.vault.documents.document_store import Place, SourceFile, store_file
from shared.vault.documents.versions import AuditLine, Number
from shared.vault.errors import VaultFault
from shared.vault.queries.document_target import SOURCE_FILE

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.documents.document_service import DocumentService
    from shared.vault.files.content_service import Content, ContentService
    from shared.vault.storage.database import Connection, Database

MAX_FILENAME = 218  # characters, the documented limit

# The types of a version's renditions; the source file is of the empty type.
NAMES = "SELECT rendition FROM platform.document_file WHERE version_id = $1 AND rendition <> '' ORDER BY rendition"
# One file of a version.
ONE = """SELECT f.filename, f.format, f.sha256 FROM platform.document_file f
WHERE f.version_id = $1 AND f.rendition = $2"""
# The text of a version's source file, as it was extracted for searches.
TEXT = """SELECT t.text FROM platform.document_file f JOIN platform.content_text t USING (sha256)
WHERE f.version_id = $1 AND f.rendition = ''"""
# A rendition that a version loses.
REMOVE = "DELETE FROM platform.document_file WHERE version_id = $1 AND rendition = $2"

NO_FILE = "The version of the document has no such file"
NO_TEXT = "The version of the document has no text"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a version; ``format`` is its media type."""

    content: Content
    filename: str
    format: str


def file_name(sent: str | None) -> str:
    """Return the name of a file without the folders of the sender's machine.

    :raises VaultFault: INVALID_DATA when nothing remains, or the name is too long or not printable.
    """
    path = (sent or "").replace("\\", "/")
    name = path.rpartition("/")[2].strip()
    if not name or len(name) > MAX_FILENAME or not name.isprintable():
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"A file has a name of 1 to {MAX_FILENAME} printable characters",
        )
    return name


class DocumentFiles:
    """Reads files for callers who may read documents, and changes renditions for callers who may change documents."""

    def __init__(
        self,
        database: Database,
        documents: DocumentService,
        content: ContentService,
    ) -> None:
        self._database = database
        self._documents = documents
        self._content = content

    async def file(
        self,
        caller: Caller,
        place: Place,
        rendition: str = SOURCE_FILE,
    ) -> StoredFile:
        """Return the source file of a version, or one of its renditions.

        :raises VaultFault: as ``DocumentService.model`` does; INVALID_DATA when there is no such version, type of
            rendition, or file.
        """
        model, _ = self._documents.model(caller, Operation.READ)
        if rendition and rendition not in model.renditions:
            raise _no_type(rendition)
        async with self._database.connection() as connection:
            version = await store.find(connection, place)
            row = await connection.fetchrow(ONE, version, rendition)
        if row is None:
            raise VaultFault(ErrorType.INVALID_DATA, NO_FILE)
        content = await self._content.find(row["sha256"])
        # The file may have been replaced since it was looked up, and its content swept.
        if content is None:
            raise VaultFault(ErrorType.INVALID_DATA, NO_FILE)
        return StoredFile(content, row["filename"], row["format"])

    def bytes_of(
        self,
        file: StoredFile,
        start: int = 0,
        length: int | None = None,
    ) -> AsyncIterator[bytes]:
        """Yield the bytes of a file from ``start`` on, at most ``length`` of them, in chunks."""
        return self._content.read(file.content, start, length)

    async def text(self, caller: Caller, place: Place) -> str:
        """Return the text of a version's source file, as searches find it.

        :raises VaultFault: as ``DocumentService.model`` does; INVALID_DATA when there is no such version, or no text.
        """
        self._documents.model(caller, Operation.READ)
        async with self._database.connection() as connection:
            version = await store.find(connection, place)
            text: str | None = await connection.fetchval(TEXT, version)
        if not text:
            raise VaultFault(ErrorType.INVALID_DATA, NO_TEXT)
        return text

    def rendition_types(self, caller: Caller) -> list[str]:
        """Return the types of renditions that documents may have.

        :raises VaultFault: as ``DocumentService.model`` does.
        """
        model, _ = self._documents.model(caller, Operation.READ)
        return list(model.renditions)

    async def renditions(self, caller: Caller, place: Place) -> list[str]:
        """Return the types of a version's renditions.

        :raises VaultFault: as ``DocumentService.model`` does; INVALID_DATA when there is no such version.
        """
        self._documents.model(caller, Operation.READ)
        async with self._database.connection() as connection:
            version = await store.find(connection, place)
            rows = await connection.fetch(NAMES, version)
        return [row["rendition"] for row in rows]

    async def put(
        self,
        caller: Caller,
        place: Place,
        rendition: str,
        file: SourceFile,
        *,
        replace: bool,
    ) -> None:
        """Add a rendition to a version or, with ``replace``, replace its file.

        :raises VaultFault: as ``DocumentService.model`` does; INVALID_DATA when there is no such version or type;
            OPERATION_NOT_ALLOWED when the version has the rendition already or, with ``replace``, does not have it.
        """

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
            await store_file(connection, version["id"], rendition, file)
            replaced = None if before is None else before["filename"]
            lines = [(rendition, replaced, file.filename)]
            await _audit(connection, caller, version, lines)

        await self._database.unit_of_work(work)

    async def remove(
        self,
        caller: Caller,
        place: Place,
        rendition: str,
    ) -> None:
        """Remove a rendition of a version.

        :raises VaultFault: as ``DocumentService.model`` does; INVALID_DATA when there is no such version or rendition.
        """

        async def work(connection: Connection) -> None:
            _, versions = self._documents.model(caller, Operation.EDIT)
            version = await store.locked(connection, versions, place)
            before = await connection.fetchrow(ONE, version["id"], rendition)
            # The empty rendition is the source file, which stays with its version.
            if before is None or not rendition:
                raise VaultFault(ErrorType.INVALID_DATA, NO_FILE)
            await connection.execute(REMOVE, version["id"], rendition)
            lines = [(rendition, before["filename"], None)]
            await _audit(connection, caller, version, lines)

        await self._database.unit_of_work(work)


async def _audit(
    connection: Connection,
    caller: Caller,
    version: Record,
    lines: Sequence[AuditLine],
) -> None:
    """Write the audit entries of a change of a version's files."""
    document_id, number = version[DOCUMENT_ID], str(Number.of(version))
    await entries.write_document_change(
        connection, caller, entries.EDIT, document_id, lines, number
    )


def _no_type(rendition: str) -> VaultFault:
    """Return the fault for an unknown type of rendition."""
    message = f"There is no rendition type [{rendition[:100]}]"
    return VaultFault(ErrorType.INVALID_DATA, message)
