"""Migration mode of documents: their state, document number and version number are those that the caller sends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation
from shared.vault.audit import audit_entries as entries
from shared.vault.components.document_model import VERSIONS
from shared.vault.documents import document_store as store
from shared.vault.documents.document_locks import require_unlocked
from shared.vault.documents.document_store import Place, SourceFile, store_file
from shared.vault.documents.versions import (
    CHOSEN,
    LEVELS,
    LIFECYCLE,
    NOT_COPIED,
    NUMBERS,
    STATE,
    Number,
    chosen_type,
    latest_version,
    migrated_beginning,
    version_id,
)
from shared.vault.errors import VaultFault
from shared.vault.queries.document_target import SOURCE_FILE

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.documents.document_service import DocumentService
    from shared.vault.model.component_model import VaultObject
    from shared.vault.records.record_service import RecordService
    from shared.vault.storage.database import Connection

REQUIRED = ("file", "name__v", LEVELS[0], LIFECYCLE, *NUMBERS, STATE)
"""The columns that a version needs in migration mode."""
COLUMNS = frozenset((*REQUIRED, *LEVELS)) - {"file"}
"""The columns that choose a version in migration mode, and that rows of plain drafts do not have."""


class VersionMigration:
    """Creates versions in migration mode, for callers who may edit documents."""

    def __init__(self, documents: DocumentService, records: RecordService) -> None:
        self._documents = documents
        self._records = records

    async def create(
        self,
        caller: Caller,
        document_id: int,
        fields: Mapping[str, str],
        file: SourceFile,
    ) -> Number:
        """Create the version that the fields choose; fields that they do not have are those of the latest version.

        No entry action runs, and other versions stay as they are; the highest number is that of the latest version.

        :raises VaultFault: as ``DocumentService.model`` and ``migrated_beginning`` do; INVALID_DATA when there is no
            such document, or it has a version with this number; OPERATION_NOT_ALLOWED when it is checked out.
        """

        async def work(connection: Connection) -> Number:
            model, versions = self._documents.model(caller, Operation.EDIT)
            before = await store.locked(connection, versions, Place(document_id))
            await require_unlocked(connection, caller, document_id)
            beginning = migrated_beginning(model, fields)
            await _require_new(connection, document_id, beginning.number)
            own = await self._own(connection, caller, versions, fields)
            writing = await self._documents.writing(connection, caller)
            values = {**_copied(versions, before), **own, **chosen_type(beginning)}
            lifecycle, number = beginning.lifecycle, beginning.number
            version = latest_version(writing, values, lifecycle, number)
            chosen = {STATE: beginning.state, "latest_version__sys": False}
            await store.insert(connection, versions, [version | chosen])
            await store_file(connection, str(version["id"]), SOURCE_FILE, file)
            # In this order: a document has one latest version at any time.
            await connection.execute(store.NOT_LATEST, document_id)
            await connection.execute(store.MAKE_LATEST, document_id)
            lines = [("version", None, str(number))]
            await entries.write_document_change(
                connection, caller, entries.EDIT, document_id, lines
            )
            return number

        return await self._records.carry_out(work, VERSIONS)

    async def _own(
        self,
        connection: Connection,
        caller: Caller,
        versions: VaultObject,
        fields: Mapping[str, str],
    ) -> Mapping[str, object]:
        """Return the values of fields that are no choices of migration mode.

        :raises VaultFault: the first error of a value that cannot be stored.
        """
        chosen = CHOSEN | {STATE}
        own = {name: text for name, text in fields.items() if name not in chosen}
        read = self._documents.read([own], versions)
        batch = self._records.batch(connection, caller, versions)
        (row,) = await batch.resolve(read)
        for error in row.errors:
            raise VaultFault(error.type, error.message)
        return row.values


def _copied(versions: VaultObject, before: Record) -> dict[str, object]:
    """Return the values that a version takes over from an earlier one; the levels of its type are not among them."""
    return {
        name: before[name]
        for name in versions.fields
        if name in before and name not in NOT_COPIED and name not in LEVELS
    }


async def _require_new(
    connection: Connection, document_id: int, number: Number
) -> None:
    """Check that a document has no version with this number.

    :raises VaultFault: INVALID_DATA when it has one.
    """
    ids = {row["id"] for row in await connection.fetch(store.IDS, document_id)}
    if version_id(document_id, number) in ids:
        message = f"The document has a version {number} already"
        raise VaultFault(ErrorType.INVALID_DATA, message)
