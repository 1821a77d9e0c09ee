"""The list of deleted records: written with every deletion, read by those who keep copies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.vault.attachments.table import forget
from shared.vault.errors import ErrorType, VaultFault
from shared.vault.lineage.entries import forget_lineage
from shared.vault.records.roles import forget_roles
from shared.vault.security.permissions import Operation, require

if TYPE_CHECKING:
    from shared.vault.security.caller import Caller
    from shared.vault.storage.components import ComponentService
    from shared.vault.storage.database import Connection, Database

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


@dataclass(frozen=True, slots=True)
class Deletion:
    """A record that was deleted, or an attachment of one, or one version of it."""

    record_id: str
    date_deleted: datetime
    attachment_id: int | None
    version: int | None
    external_id: str | None


@dataclass(frozen=True, slots=True)
class Span:
    """Part of a list of deletions: from and to when, how many, after how many."""

    start: datetime | None
    end: datetime | None
    limit: int
    offset: int


@dataclass(frozen=True, slots=True)
class DeletionPage:
    """What was deleted, the earliest first, and how much of it there is in all."""

    deletions: list[Deletion]
    total: int


async def note_deletions(connection: Connection, gone: Mapping[str, Iterable[str]]) -> None:
    """Add records, by object, to the list; in the transaction that deletes them."""
    pairs = [(name, record_id) for name, ids in gone.items() for record_id in ids]
    if pairs:
        objects, ids = [name for name, _ in pairs], [record_id for _, record_id in pairs]
        await connection.execute(NOTE, objects, ids)
        await forget_roles(connection, objects, ids)
        await forget(connection, objects, ids)
        await forget_lineage(connection, objects, ids)


class DeletionService:
    """The deletions call of the API."""

    def __init__(self, database: Database, components: ComponentService) -> None:
        self._database = database
        self._components = components

    async def listed(self, caller: Caller, object_name: str, span: Span, *, attachments: bool = False) -> DeletionPage:
        """A page of an object's deletions in a span of the last 30 days: records, or attachments; raises VaultFault."""
        target = self._components.registry.objects.get(object_name)
        if object_name != DOCUMENTS and (target is None or not target.active):
            raise VaultFault(ErrorType.INVALID_DATA, f"There is no object [{object_name[:100]}]")
        require(caller, object_name, Operation.READ)
        now = datetime.now(UTC)
        listed = (object_name, max(span.start or now - KEPT, now - KEPT), span.end or now, attachments)
        async with self._database.connection() as connection:
            total = await connection.fetchval(COUNT, *listed)
            rows = await connection.fetch(PAGE, *listed, span.limit, span.offset)
        return DeletionPage([Deletion(**row) for row in rows], total)

    async def purge(self) -> int:
        """Remove what is older than 30 days; how many rows that were."""
        removed = 0
        while True:
            async with self._database.connection() as connection:
                status = await connection.execute(EXPIRED, datetime.now(UTC) - KEPT, PURGE)
            count = int(status.rpartition(" ")[2])
            removed += count
            if count < PURGE:
                return removed
