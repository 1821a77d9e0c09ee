"""Finds the origin and last change of each value of a record, as far as the caller may read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shared.vault.access.permissions import Grant, granted
from shared.vault.admin.connector_sessions import sources_of

if TYPE_CHECKING:
    from shared.vault.admin.page_context import PageContext

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The origin of one field's value: another Vault, a user, or both; empty texts are unknown.

    The value was transferred from the record ``source_id`` of ``vault`` at ``date``; ``rule`` is empty when the
    integration point itself has set it. ``changed`` is the time of the last change, ``changed_by`` its user.
    ``number`` is the number of the transfer in ``Origins.transfers``, 0 without a transfer.
    """

    vault: str = ""
    date: str = ""
    source_id: str = ""
    rule: str = ""
    message_id: str = ""
    changed: str = ""
    changed_by: str = ""
    number: int = 0

    @property
    def transfer_key(self) -> tuple[str, ...]:
        """Return values that are equal in all origins of one transfer; empty without a transfer."""
        if not self.vault:
            return ()
        return (self.vault, self.source_id, self.date, self.rule, self.message_id)


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer that has set ``fields`` of a record; ``origin`` is the origin of any of them."""

    origin: Origin
    fields: list[str]


@dataclass(frozen=True, slots=True)
class Origins:
    """The origins of a record's values by field name, and their transfers, numbered from 1."""

    by_field: Mapping[str, Origin]
    transfers: Sequence[Transfer]


def with_numbers(found: Mapping[str, Origin]) -> Origins:
    """Return the origins by field name, with their transfers and the numbers of these."""
    transfers: dict[tuple[str, ...], Transfer] = {}
    by_field: dict[str, Origin] = {}
    for name, origin in found.items():
        key = origin.transfer_key
        if key:
            transfers.setdefault(key, Transfer(origin, [])).fields.append(name)
        number = list(transfers).index(key) + 1 if key else 0
        by_field[name] = replace(origin, number=number)
    return Origins(by_field, list(transfers.values()))


async def origins_of(context: PageContext, object_name: str, record_id: str) -> Origins:
    """Return the origins of a record's values; fields of unknown origin are omitted."""
    caller = context.caller
    rows = await context.vault.lineage.of_record(caller, object_name, record_id)
    names: dict[int, str] = {}
    if rows:
        sources = await sources_of(context)
        names = {each.vault_id: each.vault_name for each in sources}
    found = {str(row["field_name"]): _transferred(row, names) for row in rows}
    if granted(caller, Grant.READ_AUDIT):
        changes = await context.vault.audit.latest_changes(
            caller, object_name, record_id
        )
        for name, entry in changes.items():
            found[name] = _changed(found.get(name, Origin()), entry)
    return with_numbers(found)


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
