"""Removes the stored data that belong to a document as a whole, when it is deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.vault.documents import document_store as store
from shared.vault.documents import relationship_store as relationships
from shared.vault.documents.document_locks import delete_lock
from shared.vault.files.attachment_table import forget as forget_attachments
from shared.vault.model.field_types import DOCUMENTS
from shared.vault.records.record_roles import forget_roles

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.storage.database import Connection


async def remove_belongings(
    connection: Connection, caller: Caller, document_id: int
) -> None:
    """Remove the check-out, events, relationships, roles and attachments of a document."""
    await delete_lock(connection, document_id)
    await connection.execute(store.DELETE_EVENTS, document_id)
    await relationships.delete_of_document(connection, caller, document_id)
    await forget_roles(connection, [DOCUMENTS], [str(document_id)])
    await forget_attachments(connection, [DOCUMENTS], [str(document_id)])
