"""Deletions on the audit trail: the records themselves, those that go with them, and the references that empty."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from shared.vault.audit.audit_entries import author, is_audited
from shared.vault.audit.audited_values import MAX_DEFINITION
from shared.vault.components.schema import quote, table
from shared.vault.model.component_model import Field, FieldType, RelationshipDeletion

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
EMPTIED = """
INSERT INTO platform.audit_entry
    (trail, user_id, user_name, on_behalf_of, action, item, record_id, field, old_value)
SELECT 'object', $1, $2, $3, 'Edit', $4, t.id, $5, t.{column}
FROM {table} t WHERE t.{column} = ANY($6::text[]) AND t.id <> ALL($7::text[])
"""
GOING = (
    "SELECT id FROM {table} WHERE {column} = ANY($1::text[]) AND id <> ALL($2::text[])"
)


async def deleted(
    connection: Connection,
    registry: Registry,
    caller: Caller,
    object_name: str,
    ids: Sequence[str],
) -> None:
    """Records that are about to be deleted, with all that the database does to others for it."""
    doomed: dict[str, set[str]] = defaultdict(set)
    level = {object_name: list(ids)}
    while level:
        following: dict[str, list[str]] = defaultdict(list)
        for owner, going in level.items():
            doomed[owner].update(going)
            if going and is_audited(registry, owner):
                await connection.execute(
                    DELETED.format(table=table(owner)), *author(caller), owner, going
                )
            for child, field in _referring(
                registry, owner, RelationshipDeletion.CASCADE
            ):
                sql = GOING.format(table=table(child), column=quote(field.name))
                found = [
                    row["id"]
                    for row in await connection.fetch(sql, going, list(doomed[child]))
                ]
                doomed[child].update(found)
                following[child] += found
        level = {owner: going for owner, going in following.items() if going}
    for owner, gone in list(doomed.items()):
        for child, field in _referring(registry, owner, RelationshipDeletion.SET_NULL):
            if gone and is_audited(registry, child):
                sql = EMPTIED.format(table=table(child), column=quote(field.name))
                staying = list(doomed.get(child, ()))
                await connection.execute(
                    sql, *author(caller), child, field.name, list(gone), staying
                )


def _referring(
    registry: Registry, object_name: str, deletion: RelationshipDeletion
) -> Iterator[tuple[str, Field]]:
    """The fields that refer to an object, and of which a deletion there does this."""
    for other in registry.objects.values():
        for field in other.fields.values():
            refers = field.type is FieldType.OBJECT and field.object == object_name
            if refers and field.relationship_deletion is deletion:
                yield other.name, field
