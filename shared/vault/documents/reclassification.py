"""Changes the type of a document: fields and versions stay; a changed lifecycle starts in its initial state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.vault.access.permissions import Operation
from shared.vault.components.document_model import VERSIONS
from shared.vault.documents import document_store as store
from shared.vault.documents.document_locks import require_no_lock
from shared.vault.documents.document_store import Place
from shared.vault.documents.versions import (
    CHOSEN,
    LEVELS,
    LIFECYCLE,
    lifecycle_of,
    type_of,
)
from shared.vault.records.rows import UPDATED, RowResult

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.documents.document_service import DocumentService
    from shared.vault.model.component_model import DocumentModel
    from shared.vault.records.record_service import RecordService
    from shared.vault.storage.database import Connection


class Reclassification:
    """Reclassifies documents, for callers who may edit them."""

    def __init__(self, documents: DocumentService, records: RecordService) -> None:
        self._documents = documents
        self._records = records

    async def carry_out(
        self,
        caller: Caller,
        document_id: int,
        fields: Mapping[str, str],
    ) -> RowResult:
        """Change the type of a document's latest version to the one that the fields choose, and store the other fields.

        :raises VaultFault: as ``DocumentService.model`` does; INVALID_DATA or PARAMETER_REQUIRED when there is no such
            document, or the fields choose no valid type or lifecycle; OPERATION_NOT_ALLOWED when it is checked out.
        """

        async def work(connection: Connection) -> RowResult:
            model, versions = self._documents.model(caller, Operation.EDIT)
            before = await store.locked(connection, versions, Place(document_id))
            await require_no_lock(connection, document_id)
            chosen = _chosen(model, before, fields)
            own = {name: text for name, text in fields.items() if name not in CHOSEN}
            read = self._documents.read([own], versions)
            batch = self._records.batch(connection, caller, versions)
            (row,) = await batch.resolve(read)
            record_id = str(document_id)
            if row.errors:
                return row.refused(record_id)
            changes = [(before, {**row.values, **chosen})]
            await self._documents.change(connection, caller, versions, changes)
            return RowResult(id=record_id, event=UPDATED)

        return await self._records.carry_out(work, VERSIONS)


def _chosen(
    model: DocumentModel,
    before: Record,
    fields: Mapping[str, str],
) -> dict[str, object]:
    """Return type, lifecycle and state of a version after a reclassification by these fields.

    The version keeps its lifecycle and state if the new type has that lifecycle, unless the fields choose another.
    """
    kind = type_of(model, fields)
    current = before[LIFECYCLE]
    wanted = fields.get(LIFECYCLE)
    if not wanted and current in model.lifecycles_of(kind.name):
        wanted = current
    lifecycle = lifecycle_of(model, kind, wanted)
    levels: dict[str, object] = dict.fromkeys(LEVELS)
    # Not strict: a type may have fewer levels.
    levels.update(zip(LEVELS, kind.path, strict=False))
    if lifecycle.name == current:
        return levels
    state = lifecycle.starting_state
    return {**levels, LIFECYCLE: lifecycle.name, "status__v": state}
