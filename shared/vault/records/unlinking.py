"""Sets the modified date of records that lose a child, or a reference to a deleted record.

A reader of changes since a moment, such as a run, would otherwise keep the former value forever.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from shared.vault.model.component_model import (
    Field,
    FieldType,
    RelationshipDeletion,
    RelationshipType,
    VaultObject,
)
from shared.vault.model.field_types import quoted, table
from shared.vault.records.deletions import references
from shared.vault.records.row_rules import MODIFIED_DATE, PLATFORM
from shared.vault.storage.clock import moment

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.storage.database import Connection

# In the order of ids, so that two transactions never wait for each other; dates grow with every change.
CHANGE = """
UPDATE {table} t
SET {emptied} modified_by__v = $2, modified_date__v = greatest($3, t.modified_date__v + interval '1 ms')
WHERE t.id IN (SELECT id FROM {table} WHERE {condition} ORDER BY id FOR NO KEY UPDATE)
"""
PARENTS = """
SELECT DISTINCT {field} AS id FROM {table} WHERE id = ANY($1::text[]) AND {field} IS NOT NULL
"""


async def unlink(
    connection: Connection,
    registry: Registry,
    caller: Caller,
    deleted: Mapping[str, Sequence[str]],
) -> None:
    """Empty the references to records (ids by object) before their deletion, and date the referring records."""
    for name, ids in deleted.items():
        await _date_remaining_parents(connection, registry, caller, name, ids, deleted)
        for child, field in references(registry, name):
            dated = MODIFIED_DATE in registry.objects[child].fields
            if dated and field.relationship_deletion is RelationshipDeletion.SET_NULL:
                sql = CHANGE.format(
                    table=table(child),
                    emptied=f"{quoted(field.name)} = NULL,",
                    condition=f"{quoted(field.name)} = ANY($1::text[])",
                )
                now = await moment(connection)
                await connection.execute(sql, ids, caller.user_id, now)


async def _date_remaining_parents(
    connection: Connection,
    registry: Registry,
    caller: Caller,
    name: str,
    ids: Sequence[str],
    deleted: Mapping[str, Sequence[str]],
) -> None:
    for field in parent_fields(registry.objects[name]):
        sql = PARENTS.format(table=table(name), field=quoted(field.name))
        deleted_parents = set(deleted.get(field.object or "", ()))
        rows = await connection.fetch(sql, ids)
        remaining = [row["id"] for row in rows if row["id"] not in deleted_parents]
        await date_parents(connection, caller, field, remaining)


def parent_fields(target: VaultObject) -> Iterator[Field]:
    """Yield the fields by which records of an object belong to a parent.

    There are none for objects whose records the Vault itself writes.
    """
    if target.name.endswith(PLATFORM):
        return
    for field in target.fields.values():
        is_reference = field.type is FieldType.OBJECT
        if is_reference and field.relationship_type is RelationshipType.PARENT:
            yield field


async def date_parents(
    connection: Connection,
    caller: Caller,
    field: Field,
    ids: Sequence[str],
) -> None:
    """Set the modified date of records (ids) to which a field no longer refers as parents."""
    if not ids or field.object is None:
        return
    sql = CHANGE.format(
        table=table(field.object),
        emptied="",
        condition="id = ANY($1::text[])",
    )
    now = await moment(connection)
    await connection.execute(sql, ids, caller.user_id, now)
