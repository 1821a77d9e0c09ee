"""Reads the lineage of a record, field by field, and the records that a message has written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared.protocol.json_values import date_time_text
from shared.vault import vql
from shared.vault.access.permissions import Grant, authorize, granted, readable
from shared.vault.audit.entry_rows import ENTRIES
from shared.vault.audit.entry_rows import of_record as entry_of_record
from shared.vault.records.lineage_entries import LINES, of_record, purge_lineage

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.queries.queries import QueryService
    from shared.vault.storage.database import Database

ORIGIN = """k.message_id, k.run AS job_id, o.integration, o.integration_point, o.source_vault_id, o.source_object,
    e.source AS source_record_id, k.told AS connector_time, k.written AS date"""
SOURCE = f"""{LINES} JOIN platform.lineage_call k ON k.id = l.call
    JOIN platform.lineage_origin o ON o.id = k.origin"""
OF_RECORD = f"""
SELECT DISTINCT ON (f.name) f.name AS field_name, CASE WHEN f.ruled THEN o.rule END AS integration_rule, {ORIGIN},
    c.happened AS changed, c.user_id AS changed_by, c.user_name AS changed_by_name
FROM {SOURCE}
CROSS JOIN LATERAL (SELECT unnest(o.ruled), true UNION ALL SELECT unnest(o.own), false) AS f(name, ruled)
LEFT JOIN (
    SELECT DISTINCT ON (e.field) e.field, a.id, a.happened, a.user_id::text AS user_id,
        coalesce(a.user_name, d.username) AS user_name
    FROM {ENTRIES} LEFT JOIN platform.credential d ON d.user_id = a.user_id
    WHERE a.trail = 'object' AND a.item = $1 AND {entry_of_record("$2::text")} AND e.field IS NOT NULL
    ORDER BY e.field, e.id DESC
) c ON c.field = f.name AND c.id > coalesce(k.audited, 0)
WHERE k.object = $1 AND {of_record("$2::text")}
ORDER BY f.name, l.call DESC
"""
COUNT = f"SELECT count(*) FROM {SOURCE} WHERE k.message_id = $1 AND {{readable}}"
OF_MESSAGE = f"""
SELECT k.object AS object_name, e.record_id, o.rule AS integration_rule, {ORIGIN}, o.ruled AS fields_by_rule,
    o.own AS fields_by_integration_point
FROM {SOURCE}
WHERE k.message_id = $1 AND {{readable}} ORDER BY l.call, e.record_id LIMIT $3 OFFSET $4
"""
MOMENTS = ("connector_time", "date")
CHANGES = ("changed", "changed_by", "changed_by_name")


@dataclass(frozen=True, slots=True)
class MessagePage:
    """A page of a message's writes, the earliest first, and the number of all its writes."""

    total: int
    rows: list[dict[str, object]] = field(default_factory=list)


class LineageService:
    """Carries out the lineage calls of the API."""

    def __init__(
        self,
        database: Database,
        queries: QueryService,
        components: ComponentService,
    ) -> None:
        self._database = database
        self._queries = queries
        self._components = components

    async def of_record(
        self,
        caller: Caller,
        object_name: str,
        record_id: str,
    ) -> list[dict[str, object]]:
        """Return the origin of each transferred field of a record, by field name.

        ``changed_since`` is the last change of the field after the transfer; its user is shown to callers who may
        read the audit trail.

        :raises VaultFault: when there is no such record, or the caller may not read it.
        """
        # Reading the record is the check that the caller may.
        await self._queries.record(caller, object_name, record_id)
        async with self._database.connection() as connection:
            rows = await connection.fetch(OF_RECORD, object_name, record_id)
        with_user = granted(caller, Grant.READ_AUDIT)
        return [_shown(dict(row), with_user=with_user) for row in rows]

    async def of_message(
        self,
        caller: Caller,
        message_id: str,
        *,
        limit: int,
        offset: int,
    ) -> MessagePage:
        """Return the records and fields that a message has written, the earliest first.

        Records of objects that the caller may not read are omitted.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not read the audit trail.
        """
        authorize(caller, Grant.READ_AUDIT)
        objects = self._components.registry.objects
        operator, names = vql.readable_objects(objects, readable(caller))
        shown = f"k.object {operator}($2::text[])"
        count = COUNT.format(readable=shown)
        page = OF_MESSAGE.format(readable=shown)
        async with self._database.query_connection(caller.user_id) as connection:
            total = int(await connection.fetchval(count, message_id, names))
            rows = await connection.fetch(page, message_id, names, limit, offset)
        dated = [_dated(dict(row)) for row in rows]
        return MessagePage(total, dated)

    async def purge(self) -> int:
        """Delete the entries that were overwritten at least 30 days ago, and return their number."""
        return await purge_lineage(self._database)


def _shown(row: dict[str, Any], *, with_user: bool) -> dict[str, object]:
    changed, user_id, user_name = (row.pop(name) for name in CHANGES)
    if changed is None:
        return {**_dated(row), "changed_since": None}
    since = {"date": date_time_text(changed)}
    if with_user:
        since |= {"user_id": user_id, "user_name": user_name}
    return {**_dated(row), "changed_since": since}


def _dated(row: Mapping[str, Any]) -> dict[str, object]:
    """Return a row with its moments as the API writes them."""
    moments = {name: date_time_text(row[name]) for name in MOMENTS}
    return {**row, **moments}
