"""Reads the audit trails: a page of one of them, or of the entries of one record."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import date_time_text
from shared.vault import vql
from shared.vault.access.permissions import (
    Grant,
    Operation,
    authorize,
    readable,
    require,
)
from shared.vault.audit.entry_rows import COUNT, ENTRIES, of_record
from shared.vault.audit.entry_texts import add_texts
from shared.vault.audit.trails import DOCUMENT, OBJECT, SOURCE, TRAILS, Trail
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from collections.abc import Callable

    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.storage.database import Connection, Database

PAGE = 1000  # entries in memory at a time where all are read
# The latest change of each field, among the latest entries of a record; older changes are in the trail only.
LATEST_CHANGES = f"""
SELECT DISTINCT ON (e.field) e.field AS field_name, e.happened AS timestamp, e.user_id::text AS user_id,
    coalesce(e.user_name, c.username) AS user_name
FROM (
    SELECT e.id, e.field, a.happened, a.user_id, a.user_name FROM {ENTRIES}
    WHERE a.trail = $1 AND {of_record("$2::text")} AND a.item = $3 AND e.field IS NOT NULL
    ORDER BY e.id DESC LIMIT 1000
) e
LEFT JOIN platform.credential c ON c.user_id = e.user_id
ORDER BY e.field, e.id DESC
"""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """A filter of entries; empty tuples and None match all entries.

    ``objects`` are names of objects, or of the items of other trails, for example ``Object.case__v``.
    """

    start: datetime | None = None
    end: datetime | None = None
    objects: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    record_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Listed:
    """A trail, and the SQL condition that selects the entries that the caller may read; ``names`` is its parameter.

    Of the trail of records, ``reads`` returns whether the caller may read an object.
    """

    trail: Trail
    condition: str = ""
    names: Sequence[str] = ()
    reads: Callable[[str], bool] | None = None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """A page of entries, the latest first; ``total`` is the number of all matching entries.

    ``wanted`` is the filter with an end: with the same one, further pages are of the same entries.
    """

    trail: Trail
    wanted: AuditFilter
    total: int
    rows: list[dict[str, object]] = field(default_factory=list)


class AuditService:
    """Returns audit trails to callers who may read both the trails and the objects of their entries.

    ``registry`` returns the present components.
    """

    def __init__(
        self,
        database: Database,
        registry: Callable[[], Registry],
    ) -> None:
        self._database = database
        self._registry = registry

    def trails(self, caller: Caller) -> list[Trail]:
        """Return all trails.

        :raises VaultFault: INSUFFICIENT_ACCESS.
        """
        authorize(caller, Grant.READ_AUDIT)
        return list(TRAILS.values())

    def trail(self, caller: Caller, name: str) -> Trail:
        """Return one trail.

        :raises VaultFault: INSUFFICIENT_ACCESS, and INVALID_DATA when no trail has this name.
        """
        authorize(caller, Grant.READ_AUDIT)
        found = TRAILS.get(name)
        if found is None:
            message = f"There is no audit trail [{name[:100]}]"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        return found

    def readable_trail(self, caller: Caller, name: str) -> Trail:
        """Return one trail whose entries the caller may read.

        :raises VaultFault: INSUFFICIENT_ACCESS, and INVALID_DATA when no trail has this name.
        """
        return self._listed(caller, name).trail

    async def page(
        self,
        caller: Caller,
        name: str,
        wanted: AuditFilter,
        *,
        limit: int,
        offset: int,
    ) -> AuditPage:
        """Return entries of a trail; of the trail of records, only entries about objects that the caller may read.

        :raises VaultFault: INSUFFICIENT_ACCESS, and INVALID_DATA when no trail has this name.
        """
        listed = self._listed(caller, name)
        return await self._page(caller, listed, wanted, limit, offset)

    async def every(
        self, caller: Caller, name: str, wanted: AuditFilter
    ) -> AsyncIterator[list[dict[str, object]]]:
        """Yield all entries of a trail before the filter's end, the latest first, in pages.

        :raises VaultFault: as ``page`` does.
        """
        listed = self._listed(caller, name)
        where, parameters = _conditions(listed, wanted)
        n = len(parameters)
        # Each page continues after the last entry of the one before: a trail may be long.
        select = (
            f"SELECT a.happened AS after_date, e.id AS after_id, {listed.trail.columns} FROM {SOURCE} WHERE {where}"
            f" AND a.happened <= ${n + 1} AND (a.happened, e.id) < (${n + 1}, ${n + 2})"
            f" ORDER BY a.happened DESC, e.id DESC LIMIT {PAGE}"
        )
        place = (wanted.end or datetime.now(UTC), 0)
        while True:
            async with self._database.query_connection(caller.user_id) as connection:
                records = await connection.fetch(select, *parameters, *place)
                if not records:
                    return
                place = (records[-1]["after_date"], records[-1]["after_id"])
                rows = [_row(record, skip=len(place)) for record in records]
                await self._complete(connection, listed, rows)
            yield rows

    async def of_record(
        self,
        caller: Caller,
        wanted: AuditFilter,
        *,
        limit: int,
        offset: int,
    ) -> AuditPage:
        """Return the entries of the record that ``wanted`` names by its object and id.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not read the audit trail or the object.
        """
        listed = self._listed(caller, OBJECT.name)
        for object_name in wanted.objects:
            require(caller, object_name, Operation.READ)
        return await self._page(caller, listed, wanted, limit, offset)

    async def latest_changes(
        self, caller: Caller, object_name: str, record_id: str
    ) -> dict[str, dict[str, object]]:
        """Return, by field name, the latest change of a record's field: ``timestamp``, ``user_id``, ``user_name``.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not read the audit trail or the object.
        """
        listed = self._listed(caller, OBJECT.name)
        require(caller, object_name, Operation.READ)
        async with self._database.query_connection(caller.user_id) as connection:
            records = await connection.fetch(
                LATEST_CHANGES, listed.trail.key, record_id, object_name
            )
        return {record["field_name"]: _row(record) for record in records}

    async def of_document(
        self,
        caller: Caller,
        wanted: AuditFilter,
        *,
        limit: int,
        offset: int,
    ) -> AuditPage:
        """Return the entries of the document that ``wanted`` names.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not read the audit trail or documents.
        """
        listed = self._listed(caller, DOCUMENT.name)
        return await self._page(caller, listed, wanted, limit, offset)

    def _listed(self, caller: Caller, name: str) -> _Listed:
        """Return one trail, limited to the entries that the caller may read.

        :raises VaultFault: INSUFFICIENT_ACCESS, and INVALID_DATA when no trail has this name.
        """
        trail = self.trail(caller, name)
        # Checks the permissions on the objects of the trail's entries as well.
        require(caller, trail.name, Operation.READ)
        if trail is not OBJECT:
            return _Listed(trail)
        objects = self._registry().objects
        reads = readable(caller)
        operator, names = vql.readable_objects(objects, reads)
        return _Listed(trail, f"a.item {operator}(${{}}::text[])", names, reads)

    async def _page(
        self,
        caller: Caller,
        listed: _Listed,
        wanted: AuditFilter,
        limit: int,
        offset: int,
    ) -> AuditPage:
        """Return a page of entries; those that are written after it are not on its further pages."""
        async with self._database.query_connection(caller.user_id) as connection:
            if wanted.end is None:
                # By the clock that writes the entries: by another one, the latest might not be listed.
                now = await connection.fetchval("SELECT clock_timestamp()")
                wanted = replace(wanted, end=now)
            page = await _page(connection, listed, wanted, limit, offset)
            await self._complete(connection, listed, page.rows)
        return page

    async def _complete(
        self, connection: Connection, listed: _Listed, rows: list[dict[str, object]]
    ) -> None:
        """Add labels and names to entries about records, where the caller may read them."""
        if listed.reads is not None:
            await add_texts(connection, self._registry(), listed.reads, rows)


async def _page(
    connection: Connection,
    listed: _Listed,
    wanted: AuditFilter,
    limit: int,
    offset: int,
) -> AuditPage:
    trail = listed.trail
    where, parameters = _conditions(listed, wanted)
    # Without the joins, which leave the number as it is; of a record, only some entries of a row count.
    every = wanted.record_id is None
    counted = (
        f"{COUNT} FROM platform.audit_entry a" if every else f"count(*) FROM {ENTRIES}"
    )
    count = f"SELECT {counted} WHERE {where}"
    after = len(parameters)
    # Entries of one transaction share their time; the id puts the pages in one order all the same.
    select = (
        f"SELECT {trail.columns} FROM {SOURCE} WHERE {where}"
        f" ORDER BY a.happened DESC, e.id DESC LIMIT ${after + 1} OFFSET ${after + 2}"
    )
    total = int(await connection.fetchval(count, *parameters))
    records = await connection.fetch(select, *parameters, limit, offset)
    rows = [_row(record) for record in records]
    return AuditPage(trail, wanted, total, rows)


def _row(record: Record, skip: int = 0) -> dict[str, object]:
    """Return an entry's values by the names of the trail's fields; the first ``skip`` columns are not fields."""
    row = dict(list(record.items())[skip:])
    row["timestamp"] = date_time_text(record["timestamp"])
    return row


def _conditions(listed: _Listed, wanted: AuditFilter) -> tuple[str, list[object]]:
    """Return the terms of a WHERE clause that select the entries, and their parameters."""
    actions = [action.lower() for action in wanted.actions]
    filters: tuple[tuple[str, object], ...] = (
        ("a.happened >= ${0}", wanted.start),
        ("a.happened < ${0}", wanted.end),
        ("a.item = ANY(${0}::text[])", list(wanted.objects)),
        ("lower(a.action) = ANY(${0}::text[])", actions),
        (of_record("${0}::text"), wanted.record_id),
    )
    conditions = ["a.trail = $1"]
    values: list[object] = [listed.trail.key]
    if listed.condition:
        values.append(listed.names)
        conditions.append(listed.condition.format(len(values)))
    for condition, value in filters:
        # An empty filter is no condition.
        if value not in (None, []):
            values.append(value)
            conditions.append(condition.format(len(values)))
    return " AND ".join(conditions), values
