"""What a call may do to the status of records: new ones are active, and parents change theirs one by one.

Not bound by it are migration mode, platform objects, the Vault itself, and rows that a transfer writes: those repeat
what is so already elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import SYSTEM

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.components.registry import Registry
    from shared.vault.model.component_model import VaultObject
    from shared.vault.records.record_batch import Batch
    from shared.vault.records.rows import Row

STATUS, ACTIVE = "status__v", "active__v"
PLATFORM = "__sys"


def refuse_inactive(batch: Batch, rows: Sequence[Row]) -> None:
    """Fail rows that would create a record that is not active."""
    for row in rows:
        if row.values.get(STATUS) not in (None, ACTIVE) and _is_bound(batch, row):
            row.fail(
                ErrorType.OPERATION_NOT_ALLOWED,
                "Records are created inactive in migration mode only",
            )


def refuse_bulk_status(
    batch: Batch, rows: Sequence[Row], stored: Mapping[object, Record]
) -> None:
    """Fail rows of a call of several that would change the status of a record whose object is a parent."""
    naming = [
        row
        for row in rows
        if STATUS in row.values and row.key in stored and _is_bound(batch, row)
    ]
    if len(rows) == 1 or not naming or not _is_parent(batch.registry, batch.object):
        return
    for row in naming:
        if stored[row.key][STATUS] != row.values[STATUS]:
            message = f"[{batch.object.name}] is a parent object: its [{STATUS}] is changed one record a call"
            row.fail(ErrorType.OPERATION_NOT_ALLOWED, message)


def _is_bound(batch: Batch, row: Row) -> bool:
    exempt = (
        batch.mode.migration
        or batch.object.name.endswith(PLATFORM)
        or batch.caller == SYSTEM
    )
    return not exempt and row.lineage is None


def _is_parent(registry: Registry, target: VaultObject) -> bool:
    return any(
        field.object == target.name and field.relationship_type == "parent"
        for child in registry.objects.values()
        for field in child.fields.values()
    )
