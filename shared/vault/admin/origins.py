"""Finds the origin and last change of each value of a record, as far as the caller may read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shared.vault.access.permissions import Grant, granted
from shared.vault.admin.connector_sessions import sources_of

if TYPE_CHECKING:
    from shared.vault.admin.visit import Visit

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The origin of one field's value: another Vault, a user, or both; empty texts are unknown.

    The value was transferred from the record ``source_id`` of ``vault`` at ``date``; ``rule`` is empty when the
    integration point itself has set it. ``changed`` is the time of the last change, ``changed_by`` its user.
    """

    vault: str = ""
    date: str = ""
    source_id: str = ""
    rule: str = ""
    message_id: str = ""
    changed: str = ""
    changed_by: str = ""


async def origins_of(
    visit: Visit, object_name: str, record_id: str
) -> dict[str, Origin]:
    """Return the origins of a record's fields by field name; fields of unknown origin are omitted."""
    caller = visit.caller
    rows = await visit.vault.lineage.of_record(caller, object_name, record_id)
    names: dict[int, str] = {}
    if rows:
        sources = await sources_of(visit)
        names = {each.vault_id: each.vault_name for each in sources}
    found = {str(row["field_name"]): _transferred(row, names) for row in rows}
    if granted(caller, Grant.READ_AUDIT):
        changes = await visit.vault.audit.latest_changes(caller, object_name, record_id)
        for name, entry in changes.items():
            found[name] = _changed(found.get(name, Origin()), entry)
    return found


def _transferred(row: Row, names: Mapping[int, str]) -> Origin:
    """Return the origin that a row of lineage describes; ``names`` are the names of Vaults by id."""
    vault_id = int(str(row["source_vault_id"]))
    since = row["changed_since"]
    return Origin(
        vault=names.get(vault_id, f"Vault {vault_id}"),
        date=str(row["date"]),
        source_id=str(row["source_record_id"] or ""),
        rule=str(row["integration_rule"] or ""),
        message_id=str(row["message_id"]),
        changed=str(since["date"]) if isinstance(since, dict) else "",
    )


def _changed(origin: Origin, entry: Row) -> Origin:
    """Return an origin with the last change by a user, from an entry of the audit trail.

    A transferred value that was not changed since keeps its origin.
    """
    # The trail has the transfer itself as well, so its entry is no change by a user.
    if origin.date and not origin.changed:
        return origin
    by = str(entry["user_name"] or f"User {entry['user_id']}")
    return replace(origin, changed=str(entry["timestamp"]), changed_by=by)
