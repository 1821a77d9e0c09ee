"""A record with its children and theirs: what a cascade delete removes and a deep copy copies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.components.schema import quote, table
from shared.vault.errors import VaultFault
from shared.vault.model.component_model import (
    Field,
    FieldType,
    RelationshipDeletion,
    VaultObject,
)

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry
    from shared.vault.storage.database import Connection

MAX_RECORDS = 20_000
PARENT = "parent"


@dataclass(slots=True)
class Level:
    """Records as far below the first: object → ids; a record stands on the highest level that it is found on."""

    records: dict[str, list[str]] = field(default_factory=dict)


def parent_fields(
    registry: Registry, object_name: str
) -> Iterator[tuple[VaultObject, Field]]:
    """The fields by which records are children of those of an object."""
    for child in registry.objects.values():
        for each in child.fields.values():
            refers = each.type is FieldType.OBJECT and each.object == object_name
            if refers and (
                each.relationship_type == PARENT
                or each.relationship_deletion is RelationshipDeletion.CASCADE
            ):
                yield child, each


async def tree_of(
    connection: Connection, registry: Registry, object_name: str, record_id: str
) -> list[Level]:
    """The record, its children, theirs, level by level; each is locked before its children are looked for.

    :raises VaultFault: INVALID_DATA when there is no such record, OPERATION_NOT_ALLOWED when there are too many.
    """
    sql = f"SELECT id FROM {table(object_name)} WHERE id = $1 FOR UPDATE"
    if await connection.fetchval(sql, record_id) is None:
        raise VaultFault(ErrorType.INVALID_DATA, "There is no record with this id")
    levels = [Level({object_name: [record_id]})]
    seen = {(object_name, record_id)}
    while levels[-1].records:
        below = Level()
        for owner, ids in levels[-1].records.items():
            for child, reference in parent_fields(registry, owner):
                name = quote(reference.name)
                sql = f"SELECT id FROM {table(child.name)} WHERE {name} = ANY($1::text[]) ORDER BY id FOR UPDATE"
                for row in await connection.fetch(sql, ids):
                    if (child.name, row["id"]) not in seen:
                        seen.add((child.name, row["id"]))
                        below.records.setdefault(child.name, []).append(row["id"])
                if len(seen) > MAX_RECORDS:
                    message = f"The record has more than {MAX_RECORDS} records below it"
                    raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
        levels.append(below)
    return levels[:-1]
