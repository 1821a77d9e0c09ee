"""Reads and writes the rows of components, and the dates of objects and their fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import orjson

from shared.vault.components.component_kinds import ComponentKind, PartKind
from shared.vault.components.component_tree import Component
from shared.vault.components.registry import Registry

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.components.evolution import Renaming, Step
    from shared.vault.storage.database import Connection

Revision = tuple[int, Registry]
"""The number of the last change of any component, and the components after it."""

# The number of the last change, and one more change.
REVISION = "SELECT revision FROM platform.component_revision"
NEXT_REVISION = "UPDATE platform.component_revision SET revision = revision + 1"
# All components, in the order in which they were created.
COMPONENTS = "SELECT definition FROM platform.component ORDER BY position"
# A component's row: written, under another name, gone.
STORE = """
INSERT INTO platform.component (type, name, definition, created_by, modified_by) VALUES ($1, $2, $3, $4, $4)
ON CONFLICT (type, name) DO UPDATE
SET definition = excluded.definition, modified_by = excluded.modified_by, modified_date = now()
"""
RENAME = "UPDATE platform.component SET name = $3 WHERE type = $1 AND name = $2"
DELETE = "DELETE FROM platform.component WHERE type = $1 AND name = $2"
# A field of an object: under another name, gone, created or changed.
RENAME_FIELD = (
    "UPDATE platform.object_field SET name = $3 WHERE object = $1 AND name = $2"
)
DELETE_FIELDS = (
    "DELETE FROM platform.object_field WHERE object = $1 AND name = ANY($2::text[])"
)
STORE_FIELDS = """
INSERT INTO platform.object_field (object, name, created_by, modified_by)
SELECT $1, n, $3, $3 FROM unnest($2::text[]) n
ON CONFLICT (object, name) DO UPDATE SET modified_by = excluded.modified_by, modified_date = now()
"""
# The stamps of an object (its row has no name) and of its fields.
DATES = """
SELECT NULL AS name, coalesce(created_by, modified_by) AS created_by, created_date, modified_by, modified_date
FROM platform.component WHERE type = 'Object' AND name = $1
UNION ALL SELECT name, created_by, created_date, modified_by, modified_date
FROM platform.object_field WHERE object = $1
"""


@dataclass(frozen=True, slots=True)
class Stamp:
    """The users (ids) who created and last changed an object or field, and the dates."""

    created_by: int
    created_date: datetime
    modified_by: int
    modified_date: datetime


@dataclass(frozen=True, slots=True)
class ObjectDates:
    """The stamps of an object and of the fields that its MDL declares."""

    own: Stamp
    fields: Mapping[str, Stamp]

    def field(self, name: str) -> Stamp:
        """Return the stamp of a field; for a platform field, that of its object's creation."""
        own = self.own
        created = Stamp(
            own.created_by, own.created_date, own.created_by, own.created_date
        )
        return self.fields.get(name, created)


async def object_dates(connection: Connection, object_name: str) -> ObjectDates | None:
    """Return the stamps of an object and its fields; None when there is no such object."""
    rows = await connection.fetch(DATES, object_name)
    stamps = {row["name"]: _stamp(row) for row in rows}
    own = stamps.pop(None, None)
    return None if own is None else ObjectDates(own, stamps)


def _stamp(row: Record) -> Stamp:
    """Return the stamp in a row of the query DATES."""
    return Stamp(
        row["created_by"],
        row["created_date"],
        row["modified_by"],
        row["modified_date"],
    )


async def read_revision(connection: Connection) -> Revision:
    """Return all stored components, and the revision to which they belong."""
    # The number first: components newer than it are read once more, never taken for current.
    number = await connection.fetchval(REVISION)
    rows = await connection.fetch(COMPONENTS)
    values = (orjson.loads(row["definition"]) for row in rows)
    registry = Registry.build(map(Component.from_json, values))
    return number, registry


async def store_step(
    connection: Connection,
    caller: Caller,
    step: Step,
) -> None:
    """Write the components that a step changes."""
    for key, component in step.changes.items():
        if component is None:
            await connection.execute(DELETE, *key)
            continue
        if component.key != key:
            await connection.execute(RENAME, *key, component.name)
        definition = orjson.dumps(component.to_json()).decode()
        await connection.execute(STORE, *component.key, definition, caller.user_id)


async def store_field_stamps(
    connection: Connection,
    caller: Caller,
    step: Step,
) -> None:
    """Store the stamps of fields that a step creates, changes, renames or deletes; call it after ``store_step``."""
    for key, component in step.changes.items():
        if key[0] != ComponentKind.OBJECT or component is None:
            continue
        before = _fields(step.before.components.get(key))
        after = _fields(component)
        renaming = step.renaming
        # A renamed field keeps the date of its creation.
        if renaming is not None and _renames_field_of(renaming, key):
            await connection.execute(
                RENAME_FIELD, component.name, renaming.subname, renaming.new_name
            )
            before[renaming.new_name] = before.pop(renaming.subname)
        gone = [name for name in before if name not in after]
        written = [name for name, field in after.items() if before.get(name) != field]
        if gone:
            await connection.execute(DELETE_FIELDS, component.name, gone)
        if written:
            await connection.execute(
                STORE_FIELDS, component.name, written, caller.user_id
            )


def _renames_field_of(renaming: Renaming, key: tuple[str, str]) -> bool:
    """Return whether a renaming renames a field of the object ``key``."""
    return renaming.subtype == PartKind.FIELD and (renaming.type, renaming.name) == key


def _fields(component: Component | None) -> dict[str, Component]:
    """Return the fields that an object declares, by name; none for None."""
    if component is None:
        return {}
    return {field.name: field for field in component.children_of(PartKind.FIELD)}
