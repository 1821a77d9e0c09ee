"""Reading the audit trails: a page of one of them, or of what happened to one record."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from shared.protocol.date_times import date_time_text
from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, authorize
from shared.vault.audit.trails import DOCUMENT, OBJECT, SOURCE, TRAILS, Trail
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.storage.database import Database


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries; empty lists and None leave all in. ``objects`` are names of objects, or of component items."""

    start: datetime | None = None
    end: datetime | None = None
    objects: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    record_id: str | None = None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some entries, the latest first, and how many there are in all."""

    trail: Trail
    total: int
    rows: list[dict[str, object]] = field(default_factory=list)


class AuditService:
    """The audit trails, for those who may read them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def trails(self, caller: Caller) -> list[Trail]:
        """All trails; raises VaultFault ``INSUFFICIENT_ACCESS``."""
        authorize(caller, Grant.READ_AUDIT)
        return list(TRAILS.values())

    def trail(self, caller: Caller, name: str) -> Trail:
        """One trail; raises VaultFault ``INSUFFICIENT_ACCESS``, ``INVALID_DATA``."""
        authorize(caller, Grant.READ_AUDIT)
        found = TRAILS.get(name)
        if found is None:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"There is no audit trail [{name[:100]}]"
            )
        return found

    async def page(
        self, caller: Caller, name: str, wanted: AuditFilter, *, limit: int, offset: int
    ) -> AuditPage:
        """Entries of a trail; raises VaultFault ``INSUFFICIENT_ACCESS``, ``INVALID_DATA``."""
        return await self._page(self.trail(caller, name), wanted, limit, offset)

    async def of_record(
        self, caller: Caller, wanted: AuditFilter, *, limit: int, offset: int
    ) -> AuditPage:
        """What happened to the record that ``wanted`` names; raises VaultFault ``INSUFFICIENT_ACCESS``."""
        return await self._page(self.trail(caller, OBJECT.name), wanted, limit, offset)

    async def of_document(
        self, caller: Caller, wanted: AuditFilter, *, limit: int, offset: int
    ) -> AuditPage:
        """What happened to the document that ``wanted`` names; raises VaultFault ``INSUFFICIENT_ACCESS``."""
        return await self._page(
            self.trail(caller, DOCUMENT.name), wanted, limit, offset
        )

    async def _page(
        self, trail: Trail, wanted: AuditFilter, limit: int, offset: int
    ) -> AuditPage:
        where, parameters = _conditions(trail, wanted)
        count = f"SELECT count(*) FROM platform.audit_entry a WHERE {where}"
        after = len(parameters)
        select = (
            f"SELECT {trail.columns} FROM {SOURCE} WHERE {where}"
            f" ORDER BY a.happened DESC, a.id DESC LIMIT ${after + 1} OFFSET ${after + 2}"
        )
        async with self._database.connection() as connection:
            total = int(await connection.fetchval(count, *parameters))
            rows = await connection.fetch(select, *parameters, limit, offset)
        return AuditPage(
            trail,
            total,
            [{**row, "timestamp": date_time_text(row["timestamp"])} for row in rows],
        )


def _conditions(trail: Trail, wanted: AuditFilter) -> tuple[str, list[object]]:
    """The WHERE of a page, and its parameters."""
    parts, parameters = ["a.trail = $1"], [trail.key]
    given: tuple[tuple[str, object], ...] = (
        ("a.happened >= ${}", wanted.start),
        ("a.happened < ${}", wanted.end),
        ("a.item = ANY(${}::text[])", list(wanted.objects)),
        (
            "lower(a.action) = ANY(${}::text[])",
            [action.lower() for action in wanted.actions],
        ),
        ("a.record_id = ${}", wanted.record_id),
    )
    values: list[object] = list(parameters)
    for condition, value in given:
        if value not in (None, []):
            values.append(value)
            parts.append(condition.format(len(values)))
    return " AND ".join(parts), values
