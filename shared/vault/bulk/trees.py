"""Finds a record with all records below it, for cascade deletes and deep copies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as dataclass_field
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
    """The records at one distance below the first record: ids by object; a record is on one level only."""

    records: dict[str, list[str]] = dataclass_field(default_factory=dict)


def parent_fields(
    registry: Registry,
    object_name: str,
) -> Iterator[tuple[VaultObject, Field]]:
    """Yield the fields by which records are children of an object's records, each with its own object."""
    for child in registry.objects.values():
        for field in child.fields.values():
            refers = field.type is FieldType.OBJECT and field.object == object_name
            if refers and _owns(field):
                yield child, field


def _owns(reference: Field) -> bool:
    """Return whether records are deleted together with the record that this field refers to."""
    if reference.relationship_type == PARENT:
        return True
    return reference.relationship_deletion is RelationshipDeletion.CASCADE


async def tree_of(
    connection: Connection,
    registry: Registry,
    object_name: str,
    record_id: str,
) -> list[Level]:
    """Lock a record and all records below it, and return them level by level.

    :raises VaultFault: INVALID_DATA when there is no such record, OPERATION_NOT_ALLOWED
        when there are too many.
    """
    sql = f"SELECT id FROM {table(object_name)} WHERE id = $1 FOR UPDATE"
    if await connection.fetchval(sql, record_id) is None:
        raise VaultFault(ErrorType.INVALID_DATA, "There is no record with this id")
    levels = [Level({object_name: [record_id]})]
    # Records of a tree may refer to each other in a circle.
    seen = {(object_name, record_id)}
    while levels[-1].records:
        below = Level()
        for owner, ids in levels[-1].records.items():
            # The parents are locked, and with the foreign keys nobody adds a child to them now.
            for child, reference in parent_fields(registry, owner):
                found = await _children(connection, child, reference, ids)
                new = [each for each in found if (child.name, each) not in seen]
                if new:
                    below.records.setdefault(child.name, []).extend(new)
                seen.update((child.name, each) for each in new)
                _check_size(len(seen))
        levels.append(below)
    return levels[:-1]


async def _children(
    connection: Connection,
    child: VaultObject,
    reference: Field,
    parents: list[str],
) -> list[str]:
    """Lock the records of an object that refer to these parents, and return their ids."""
    sql = (
        f"SELECT id FROM {table(child.name)} WHERE {quote(reference.name)} = ANY($1::text[])"
        " ORDER BY id FOR UPDATE"
    )
    rows = await connection.fetch(sql, parents)
    return [row["id"] for row in rows]


def _check_size(records: int) -> None:
    if records > MAX_RECORDS:
        message = f"The record has more than {MAX_RECORDS} records below it"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
