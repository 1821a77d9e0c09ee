"""Stored data under the name that a component, or a part of one, has been given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shared.vault.components.registry import object_type_id
from shared.vault.components.schema import quote, table
from shared.vault.components.schema_renaming import rename_column, rename_table

if TYPE_CHECKING:
    from shared.vault.components.evolution import Renaming
    from shared.vault.components.registry import Registry
    from shared.vault.storage.database import Connection

Update = tuple[str, str, str]
"""SQL, and its two parameters: what was stored, what is to be."""


async def follow(connection: Connection, before: Registry, renaming: Renaming) -> None:
    """Rename tables and columns, and the names that records hold; in the transaction of the change."""
    for sql in _statements(before, renaming):
        await connection.execute(sql)
    for sql, old, new in _updates(before, renaming):
        await connection.execute(sql, old, new)


def _statements(before: Registry, renaming: Renaming) -> tuple[str, ...]:
    owner = before.objects.get(renaming.name) if renaming.type == "Object" else None
    if owner is None:
        return ()
    if not renaming.subtype:
        return rename_table(owner, renaming.new_name)
    field = owner.fields.get(renaming.subname) if renaming.subtype == "Field" else None
    return () if field is None else rename_column(owner, field, renaming.new_name)


def _updates(before: Registry, renaming: Renaming) -> Iterator[Update]:
    name, new_name = renaming.name, renaming.new_name
    match renaming.type, renaming.subtype:
        case "Object", "":
            for kept in ("deletion", "record_role", "attachment", "lineage"):
                yield (
                    f"UPDATE platform.{kept} SET object = $2 WHERE object = $1",
                    name,
                    new_name,
                )
            for type_name in before.types_of(name):
                yield _type_update(
                    new_name,
                    object_type_id(name, type_name),
                    object_type_id(new_name, type_name),
                )
        case "Objecttype", "":
            (owner, _, old), new = name.partition("."), new_name.partition(".")[2]
            yield _type_update(
                owner, object_type_id(owner, old), object_type_id(owner, new)
            )
        case "Objectlifecycle", "":
            yield from _lifecycle_updates(before, name, "lifecycle__v", name, new_name)
        case "Objectlifecycle", "Objectlifecyclestate":
            yield from _lifecycle_updates(
                before, name, "state__v", renaming.subname, new_name
            )
        case "Securityprofile", "":
            # The users' sign-ins follow their records.
            column = "security_profile__sys"
            yield (
                f"UPDATE {table('user__sys')} SET {column} = $2 WHERE {column} = $1",
                name,
                new_name,
            )
            named = "UPDATE platform.user_group SET security_profiles = array_replace(security_profiles, $1, $2)"
            yield f"{named} WHERE $1 = ANY(security_profiles)", name, new_name
        case "Picklist", "Picklistentry":
            yield from _value_updates(before, name, renaming.subname, new_name)


def _type_update(owner: str, old: str, new: str) -> Update:
    return (
        f"UPDATE {table(owner)} SET object_type__v = $2 WHERE object_type__v = $1",
        old,
        new,
    )


def _lifecycle_updates(
    before: Registry, lifecycle: str, column: str, old: str, new: str
) -> Iterator[Update]:
    for owner in before.objects.values():
        if owner.lifecycle == lifecycle:
            yield (
                f"UPDATE {table(owner.name)} SET {column} = $2 WHERE {column} = $1",
                old,
                new,
            )


def _value_updates(
    before: Registry, picklist: str, old: str, new: str
) -> Iterator[Update]:
    for owner in before.objects.values():
        for field in owner.fields.values():
            column = quote(field.name)
            if field.picklist != picklist:
                continue
            update = f"UPDATE {table(owner.name)} SET {column} ="
            if field.multi_value:
                yield (
                    f"{update} array_replace({column}, $1, $2) WHERE {column} && ARRAY[$1]",
                    old,
                    new,
                )
            else:
                yield f"{update} $2 WHERE {column} = $1", old, new
