"""Lists deleted records, attachments and documents, and purges the list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, require
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.storage.database import Database
from shared.vault.records.deletions import COUNT, DOCUMENTS, EXPIRED, KEPT, PAGE, PURGE


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


class DeletionService:
    """The deletions call of the API."""

    def __init__(self, database: Database, components: ComponentService) -> None:
        self._database = database
        self._components = components

    async def listed(
        self, caller: Caller, object_name: str, span: Span, *, attachments: bool = False
    ) -> DeletionPage:
        """A page of an object's deletions in a span of the last 30 days: records, or attachments; raises VaultFault."""
        target = self._components.registry.objects.get(object_name)
        if object_name != DOCUMENTS and (target is None or not target.active):
            raise VaultFault(
                ErrorType.INVALID_DATA, f"There is no object [{object_name[:100]}]"
            )
        require(caller, object_name, Operation.READ)
        now = datetime.now(UTC)
        listed = (
            object_name,
            max(span.start or now - KEPT, now - KEPT),
            span.end or now,
            attachments,
        )
        async with self._database.connection() as connection:
            total = await connection.fetchval(COUNT, *listed)
            rows = await connection.fetch(PAGE, *listed, span.limit, span.offset)
        return DeletionPage([Deletion(**row) for row in rows], total)

    async def purge(self) -> int:
        """Remove what is older than 30 days; how many rows that were."""
        removed = 0
        while True:
            async with self._database.connection() as connection:
                status = await connection.execute(
                    EXPIRED, datetime.now(UTC) - KEPT, PURGE
                )
            count = int(status.rpartition(" ")[2])
            removed += count
            if count < PURGE:
                return removed
