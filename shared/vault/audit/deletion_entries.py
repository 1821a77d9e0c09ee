"""Writes the entries of deleted records, and of what the database changes at their deletion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from shared.vault.audit.audit_entries import MAX_DEFINITION, author, is_audited
from shared.vault.model.component_model import Field, FieldType, RelationshipDeletion
from shared.vault.model.field_types import quoted, table

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.storage.database import Connection

# With the record's last values, which nothing else keeps.
DELETED = f"""
INSERT INTO platform.audit_entry (trail, user_id, user_name, on_behalf_of, action, item, record_id, old_value)
SELECT 'object', $1, $2, $3, 'Delete', $4, t.id, left(jsonb_strip_nulls(to_jsonb(t))::text, {MAX_DEFINITION})
FROM {{table}} t WHERE t.id = ANY($5::text[])
"""
# Locked, as the deletion does later: whoever is changing such a reference now is waited for.
EMPTIED = """
WITH emptied AS MATERIALIZED (
    SELECT t.id, t.{column} AS value FROM {table} t WHERE t.{column} = ANY($6::text[]) AND t.id <> ALL($7::text[])
    ORDER BY t.id FOR NO KEY UPDATE
)
INSERT INTO platform.audit_entry
    (trail, user_id, user_name, on_behalf_of, action, item, record_id, field, old_value)
SELECT 'object', $1, $2, $3, 'Edit', $4, e.id, $5, e.value FROM emptied e
"""
GOING = """
SELECT id FROM {table} WHERE {column} = ANY($1::text[]) AND id <> ALL($2::text[]) ORDER BY id FOR UPDATE
"""


async def write_deletions(
    connection: Connection,
    registry: Registry,
    caller: Caller,
    object_name: str,
    ids: Sequence[str],
) -> None:
    """Write entries for records about to be deleted, and for the changes that the database makes at the deletion.

    The database also deletes their child records, and empties references to all deleted records.
    """
    deleted: dict[str, set[str]] = defaultdict(set)
    level = {object_name: list(ids)}
    # Level by level: deleting a record deletes its children, and those delete theirs.
    while level:
        following: dict[str, list[str]] = defaultdict(list)
        for owner, parents in level.items():
            deleted[owner].update(parents)
            await _write_deleted(connection, registry, caller, owner, parents)
            for child, field in _referring(
                registry,
                owner,
                RelationshipDeletion.CASCADE,
            ):
                sql = GOING.format(table=table(child), column=quoted(field.name))
                rows = await connection.fetch(sql, parents, list(deleted[child]))
                found = [row["id"] for row in rows]
                deleted[child].update(found)
                following[child] += found
        level = {child: found for child, found in following.items() if found}
    await _write_emptied(connection, registry, caller, deleted)


async def _write_deleted(
    connection: Connection,
    registry: Registry,
    caller: Caller,
    object_name: str,
    ids: Sequence[str],
) -> None:
    if ids and is_audited(registry, object_name):
        sql = DELETED.format(table=table(object_name))
        await connection.execute(sql, *author(caller), object_name, ids)


async def _write_emptied(
    connection: Connection,
    registry: Registry,
    caller: Caller,
    deleted: Mapping[str, set[str]],
) -> None:
    """Write entries for the references to deleted records that the database empties in the remaining records."""
    for owner, owners in deleted.items():
        for child, field in _referring(registry, owner, RelationshipDeletion.SET_NULL):
            if not owners or not is_audited(registry, child):
                continue
            sql = EMPTIED.format(table=table(child), column=quoted(field.name))
            deleted_children = list(deleted.get(child, ()))
            values = (child, field.name, list(owners), deleted_children)
            await connection.execute(sql, *author(caller), *values)


def _referring(
    registry: Registry, object_name: str, deletion: RelationshipDeletion
) -> Iterator[tuple[str, Field]]:
    """Yield the reference fields to an object with the rule ``deletion``, each after the name of its own object."""
    for other in registry.objects.values():
        for field in other.fields.values():
            refers = field.type is FieldType.OBJECT and field.object == object_name
            if refers and field.relationship_deletion is deletion:
                yield other.name, field
