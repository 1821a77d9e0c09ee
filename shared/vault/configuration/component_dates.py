"""By whom and when an object and its fields were created and changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.component_tree import Component
    from shared.vault.components.evolution import Step
    from shared.vault.storage.database import Connection

OBJECT, FIELD = "Object", "Field"

RENAME = "UPDATE platform.object_field SET name = $3 WHERE object = $1 AND name = $2"
FORGET = (
    "DELETE FROM platform.object_field WHERE object = $1 AND name = ANY($2::text[])"
)
NOTE = """
INSERT INTO platform.object_field (object, name, created_by, modified_by)
SELECT $1, n, $3, $3 FROM unnest($2::text[]) n
ON CONFLICT (object, name) DO UPDATE SET modified_by = excluded.modified_by, modified_date = now()
"""
DATES = """
SELECT NULL AS name, coalesce(created_by, modified_by) AS created_by, created_date, modified_by, modified_date
FROM platform.component WHERE type = 'Object' AND name = $1
UNION ALL SELECT name, created_by, created_date, modified_by, modified_date
FROM platform.object_field WHERE object = $1
"""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who created something and changed it last, by user ids, and when."""

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
        """The stamp of a field; those of the platform came with the object."""
        created = Stamp(
            self.own.created_by,
            self.own.created_date,
            self.own.created_by,
            self.own.created_date,
        )
        return self.fields.get(name, created)


async def object_dates(connection: Connection, object_name: str) -> ObjectDates | None:
    """The stamps of an object, None when there is no such object."""
    rows = await connection.fetch(DATES, object_name)
    stamps = {
        row["name"]: Stamp(
            row["created_by"],
            row["created_date"],
            row["modified_by"],
            row["modified_date"],
        )
        for row in rows
    }
    own = stamps.pop(None, None)
    return None if own is None else ObjectDates(own, stamps)


async def note_fields(connection: Connection, caller: Caller, step: Step) -> None:
    """Note what a step has done to the fields of objects; their components are stored already."""
    renaming = step.renaming
    for key, component in step.changes.items():
        if key[0] != OBJECT or component is None:
            continue
        before, after = _fields(step.before.components.get(key)), _fields(component)
        if (
            renaming is not None
            and renaming.subtype == FIELD
            and (renaming.type, renaming.name) == key
        ):
            await connection.execute(
                RENAME, component.name, renaming.subname, renaming.new_name
            )
            before[renaming.new_name] = before.pop(renaming.subname)
        gone = [name for name in before if name not in after]
        written = [name for name, field in after.items() if before.get(name) != field]
        if gone:
            await connection.execute(FORGET, component.name, gone)
        if written:
            await connection.execute(NOTE, component.name, written, caller.user_id)


def _fields(component: Component | None) -> dict[str, Component]:
    return (
        {}
        if component is None
        else {each.name: each for each in component.children_of(FIELD)}
    )
