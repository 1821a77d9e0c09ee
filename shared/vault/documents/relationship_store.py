"""Updates stored relationships between documents when their versions change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.vault.audit import audit_entries as entries
from shared.vault.components.document_model import RELATIONSHIPS
from shared.vault.documents.relationship_types import relationship_types
from shared.vault.records.deletions import note_deletions
from shared.vault.storage.clock import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.documents.versions import AuditLine
    from shared.vault.storage.database import Connection

GONE = "RETURNING id, relationship_type, source_id, target_id"
OF_DOCUMENT = f"DELETE FROM platform.document_relationship WHERE source_id = $1 OR target_id = $1 {GONE}"
OF_VERSION = f"DELETE FROM platform.document_relationship WHERE source_version = $1 OR target_version = $1 {GONE}"
BY_IDS = (
    f"DELETE FROM platform.document_relationship WHERE id = ANY($1::bigint[]) {GONE}"
)
# A version under another number is the same version.
RENUMBER = """UPDATE platform.document_relationship
SET source_version = CASE WHEN source_version = $1 THEN $2 ELSE source_version END,
    target_version = CASE WHEN target_version = $1 THEN $2 ELSE target_version END
WHERE source_version = $1 OR target_version = $1"""
# The relationships of a version for the version that follows it, as far as their types carry them forward.
CARRY = """INSERT INTO platform.document_relationship
    (relationship_type, source_id, source_version, target_id, target_version, created_by, created_date)
SELECT relationship_type, source_id, CASE WHEN source_version = $1 THEN $2 ELSE source_version END,
    target_id, CASE WHEN target_version = $1 THEN $2 ELSE target_version END, $5, $6
FROM platform.document_relationship
WHERE (source_version = $1 AND relationship_type = ANY($3::text[]))
    OR (target_version = $1 AND relationship_type = ANY($4::text[]))
ON CONFLICT DO NOTHING"""


async def delete_of_document(
    connection: Connection, caller: Caller, document_id: int
) -> None:
    """Remove all relationships of a deleted document, whether it is their source or their target."""
    rows = await connection.fetch(OF_DOCUMENT, document_id)
    await _record_removals(connection, caller, rows, without=document_id)


async def delete_of_version(
    connection: Connection, caller: Caller, version: str
) -> None:
    """Remove the relationships of a deleted version."""
    rows = await connection.fetch(OF_VERSION, version)
    await _record_removals(connection, caller, rows)


async def delete_relationships(
    connection: Connection, caller: Caller, ids: Sequence[int]
) -> None:
    """Remove relationships by their ids."""
    rows = await connection.fetch(BY_IDS, ids)
    await _record_removals(connection, caller, rows)


async def renumber(connection: Connection, former: str, version: str) -> None:
    """Move the relationships of a version to its new id."""
    await connection.execute(RENUMBER, former, version)


async def carry_forward(
    connection: Connection,
    caller: Caller,
    registry: Registry,
    former: str,
    version: str,
) -> None:
    """Copy the relationships of the version ``former`` to ``version``, if their types are carried to new versions."""
    types = relationship_types(registry).values()
    of_source = [kind.name for kind in types if kind.carried_with_source]
    of_target = [kind.name for kind in types if kind.carried_with_target]
    if not of_source and not of_target:
        return
    now = await moment(connection)
    carried = (former, version, of_source, of_target)
    await connection.execute(CARRY, *carried, caller.user_id, now)


async def _record_removals(
    connection: Connection,
    caller: Caller,
    rows: Sequence[Record],
    without: int | None = None,
) -> None:
    """Add removed relationships to the list of deletions, and to the trails of their sources but ``without``."""
    if not rows:
        return
    gone = [str(row["id"]) for row in rows]
    await note_deletions(connection, {RELATIONSHIPS: gone})
    lines: dict[int, list[AuditLine]] = {}
    for row in rows:
        if row["source_id"] != without:
            line = (row["relationship_type"], row["target_id"], None)
            lines.setdefault(row["source_id"], []).append(line)
    changes: Mapping[int, Sequence[AuditLine]] = lines
    await entries.write_document_changes(connection, caller, entries.EDIT, changes)
