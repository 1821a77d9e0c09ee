"""Assigns the roles of new documents by the role rules of their lifecycles, and audits changes of roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shared.vault.audit import audit_entries as entries
from shared.vault.components.document_model import DOCUMENT_ID
from shared.vault.documents.versions import LIFECYCLE
from shared.vault.model.field_types import DOCUMENTS
from shared.vault.records.new_records import fill_roles

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.model.component_model import VaultObject
    from shared.vault.records.record_roles import RoleEdit
    from shared.vault.storage.database import Connection


async def fill_document_roles(
    connection: Connection,
    caller: Caller,
    versions: VaultObject,
    created: Sequence[Mapping[str, object]],
) -> None:
    """Assign roles of new documents to users and groups by role rules; ``created`` are the first versions."""
    lifecycles = {str(each[DOCUMENT_ID]): str(each[LIFECYCLE]) for each in created}
    edits = await fill_roles(connection, DOCUMENTS, versions, lifecycles)
    await audit_role_edits(connection, caller, edits)


async def audit_role_edits(
    connection: Connection, caller: Caller, edits: Sequence[RoleEdit]
) -> None:
    """Write changes of the roles of documents into the audit trail."""
    lines = {
        int(former["id"]): [
            (name, former.get(name), value)
            for name, value in current.items()
            if former.get(name) != value
        ]
        for former, current in edits
    }
    await entries.write_document_changes(connection, caller, entries.EDIT, lines)
