"""What a deletion comes to: the records that go, and those that stay because others hold them.

A record that goes is locked before those that refer to it are looked for. Whoever is adding one of these holds a lock
that it has to wait for, and whoever comes later waits for it: so all are seen, and none is added meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.vault.components.schema import quote, table
from shared.vault.model.component_model import Field, FieldType, RelationshipDeletion

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry
    from shared.vault.storage.database import Connection


@dataclass(frozen=True, slots=True)
class Reach:
    """What a deletion comes to.

    ``held``: id of a record that must stay → ``object.field`` that holds it, or a record that would go with it.
    ``going``: object → id of a record that would go → the one of those asked for that it would go with.
    """

    held: Mapping[str, str]
    going: Mapping[str, Mapping[str, str]]

    def gone(self) -> dict[str, list[str]]:
        """The records that go when those that are held stay, by object."""
        return {
            name: [i for i, root in ids.items() if root not in self.held]
            for name, ids in self.going.items()
        }


async def reach_of(
    connection: Connection, registry: Registry, object_name: str, ids: Sequence[str]
) -> Reach:
    """What deleting these records of an object would come to; all that would go are locked."""
    await connection.execute(
        f"SELECT FROM {table(object_name)} WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE",
        ids,
    )
    found: dict[str, str] = {}
    doomed = {
        record_id: record_id for record_id in ids
    }  # each record that would go → the one it goes with
    going: dict[str, dict[str, str]] = defaultdict(dict, {object_name: dict(doomed)})
    level = {object_name: list(ids)}
    while level:
        following: dict[str, list[str]] = defaultdict(list)
        for owner, doomed_here in level.items():
            for child, field in _references(registry, owner):
                if field.relationship_deletion is RelationshipDeletion.BLOCK:
                    for held in await _held(connection, child, field, doomed_here):
                        found.setdefault(doomed[held], f"{child}.{field.name}")
                    continue
                for record_id, parent in await _children(
                    connection, child, field, doomed_here
                ):
                    if record_id not in doomed:
                        doomed[record_id] = going[child][record_id] = doomed[parent]
                        following[child].append(record_id)
        level = following
    return Reach(found, going)


def _references(registry: Registry, object_name: str) -> Iterator[tuple[str, Field]]:
    """The fields that refer to an object and do not just become empty."""
    for other in registry.objects.values():
        for field in other.fields.values():
            refers = field.type is FieldType.OBJECT and field.object == object_name
            if (
                refers
                and field.relationship_deletion is not RelationshipDeletion.SET_NULL
            ):
                yield other.name, field


async def _held(
    connection: Connection, child: str, field: Field, ids: Sequence[str]
) -> list[str]:
    """Which of the records another one refers to; a record does not hold itself."""
    name = quote(field.name)
    sql = f"SELECT DISTINCT {name} FROM {table(child)} WHERE {name} = ANY($1::text[]) AND id <> {name}"
    return [record[0] for record in await connection.fetch(sql, ids)]


async def _children(
    connection: Connection, child: str, field: Field, ids: Sequence[str]
) -> list[tuple[str, str]]:
    """The records that go with these, each with the one it refers to; they are locked."""
    name = quote(field.name)
    sql = f"SELECT id, {name} FROM {table(child)} WHERE {name} = ANY($1::text[]) ORDER BY id FOR UPDATE"
    return [(record[0], record[1]) for record in await connection.fetch(sql, ids)]
