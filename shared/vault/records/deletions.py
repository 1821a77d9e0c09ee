"""The list of deleted records: written with every deletion, read by those who keep copies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from shared.vault.files.attachment_table import forget
from shared.vault.records.lineage_entries import forget_lineage
from shared.vault.records.record_roles import forget_roles

if TYPE_CHECKING:
    from shared.vault.storage.database import Connection

KEPT = timedelta(days=30)
DOCUMENTS = "documents"  # listed by their own ids, one version of several by its id
PURGE = 5000  # rows of one statement

NOTE = "INSERT INTO platform.deletion (object, record_id) SELECT * FROM unnest($1::text[], $2::text[])"
LISTED = """
FROM platform.deletion
WHERE object = $1 AND date_deleted >= $2 AND date_deleted <= $3 AND (attachment_id IS NOT NULL) = $4
"""
COUNT = f"SELECT count(*) {LISTED}"
PAGE = f"""
SELECT record_id, date_deleted, attachment_id, version, external_id {LISTED}
ORDER BY date_deleted, position LIMIT $5 OFFSET $6
"""
EXPIRED = """
DELETE FROM platform.deletion WHERE position IN
    (SELECT position FROM platform.deletion WHERE date_deleted < $1 LIMIT $2)
"""


async def note_deletions(
    connection: Connection, gone: Mapping[str, Iterable[str]]
) -> None:
    """Add records, by object, to the list; in the transaction that deletes them."""
    pairs = [(name, record_id) for name, ids in gone.items() for record_id in ids]
    if pairs:
        objects, ids = (
            [name for name, _ in pairs],
            [record_id for _, record_id in pairs],
        )
        await connection.execute(NOTE, objects, ids)
        await forget_roles(connection, objects, ids)
        await forget(connection, objects, ids)
        await forget_lineage(connection, objects, ids)
