"""What a component's change means for stored data: refused where some would be lost, filled in where new."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, assert_never

from shared.vault.components import schema_changes
from shared.vault.components.build import build_object
from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_kinds import ComponentKind, PartKind, kind_of
from shared.vault.components.document_model import VERSIONS
from shared.vault.components.platform import SECURITY_PROFILES
from shared.vault.components.registry import object_type_id
from shared.vault.components.schema import quote, table
from shared.vault.components.schema_changes import rename_column, rename_table

if TYPE_CHECKING:
    from shared.vault.components.component_tree import Component
    from shared.vault.components.evolution import Renaming
    from shared.vault.components.registry import Registry
    from shared.vault.model.component_model import DocumentModel, VaultObject
    from shared.vault.storage.database import Connection

FORGET_PROFILE = """
UPDATE platform.user_group SET security_profiles = array_remove(security_profiles, $1)
WHERE $1 = ANY(security_profiles)
"""
INTERNAL_USERS = "UPDATE platform.user_group SET security_profiles = $1 WHERE name = 'all_internal_users__v'"


async def carry_over(
    connection: Connection, before: Registry, after: Registry, key: tuple[str, str]
) -> None:
    """Make the stored data fit the component ``key``, changed, new or gone; raises ComponentError.

    Runs in the transaction of the change, while no records are being written.
    """
    kind, name = kind_of(key[0]), key[1]
    match kind:
        case ComponentKind.OBJECT:
            await _change_table(
                connection, before.components.get(key), after.components.get(key)
            )
            await _enter_lifecycle(connection, before, after, name)
            await _enter_types(connection, before, after, name)
        case ComponentKind.PICKLIST:
            await _keep_entries(connection, before, after, name)
        case ComponentKind.LIFECYCLE:
            await _keep_usable_states(connection, before, after, name)
        case ComponentKind.OBJECT_TYPE:
            await _keep_type(connection, after, name)
        case ComponentKind.QUEUE if key not in after.components:
            await _close_queue(connection, name)
        case ComponentKind.QUEUE:
            pass  # its messages stay
        case ComponentKind.SECURITY_PROFILE:
            await _keep_profiles(connection, after, name)
        case (
            ComponentKind.DOCUMENT_FIELD
            | ComponentKind.DOCUMENT_TYPE
            | ComponentKind.DOCUMENT_LIFECYCLE
        ):
            await _fit(connection, before.documents.versions, after.documents.versions)
            await _keep_documents(connection, before.documents, after.documents)
        case (
            ComponentKind.OBJECT_ACTION
            | ComponentKind.STATE_TYPE_ASSOCIATION
            | ComponentKind.INTEGRATION_RULE
            | ComponentKind.PERMISSION_SET
            | ComponentKind.RENDITION_TYPE
            | None
        ):
            pass  # no data are stored by them
        case _:
            assert_never(kind)


async def _keep_entries(
    connection: Connection, before: Registry, after: Registry, name: str
) -> None:
    if name not in before.picklists:
        return
    entries = after.picklists[name].entries if name in after.picklists else ()
    gone = _gone(before.picklists[name].entries, entries)
    await _keep_values(connection, after, name, gone)


async def _keep_usable_states(
    connection: Connection, before: Registry, after: Registry, name: str
) -> None:
    if name in before.lifecycles and name in after.lifecycles:
        gone = _gone(_usable(before, name), _usable(after, name))
        await _keep_states(connection, after, name, gone)


async def _keep_type(connection: Connection, after: Registry, name: str) -> None:
    owner, type_name = name.split(".", 1)
    if (owner, type_name) not in after.object_types:
        await _keep_types(connection, after, owner, type_name)


async def _change_table(
    connection: Connection, before: Component | None, after: Component | None
) -> None:
    await _fit(
        connection,
        *(None if tree is None else build_object(tree) for tree in (before, after)),
    )


async def _fit(
    connection: Connection, old: VaultObject | None, new: VaultObject | None
) -> None:
    """Make the table of ``old`` that of ``new``."""
    if old == new:
        return
    plan = schema_changes.plan(old, new)
    for guard in plan.guards:
        if await connection.fetchval(guard.sql):
            raise ComponentError(guard.message, Code.DATA_LOSS)
    for sql in plan.statements:
        await connection.execute(sql)


async def _enter_lifecycle(
    connection: Connection, before: Registry, after: Registry, name: str
) -> None:
    """Records that were there before their object had a lifecycle begin in its starting state."""
    old, new = before.objects.get(name), after.objects.get(name)
    if old is None or new is None or new.lifecycle is None or old.lifecycle is not None:
        return
    state = after.lifecycles[new.lifecycle].starting_state
    sql = f"UPDATE {table(name)} SET lifecycle__v = $1, state__v = $2 WHERE state__v IS NULL"
    await connection.execute(sql, new.lifecycle, state)


async def _enter_types(
    connection: Connection, before: Registry, after: Registry, name: str
) -> None:
    """Records that were there before their object had types are of its default type."""
    old, new = before.objects.get(name), after.objects.get(name)
    if old is None or new is None or new.default_type is None or old.allow_types:
        return
    sql = f"UPDATE {table(name)} SET object_type__v = $1 WHERE object_type__v IS NULL"
    await connection.execute(sql, after.object_type_id(name, new.default_type))


def _usable(registry: Registry, lifecycle: str) -> list[str]:
    """The states in which records may be."""
    return [
        state.name
        for state in registry.lifecycles[lifecycle].states.values()
        if state.active
    ]


def _gone(before: Collection[str], after: Collection[str]) -> list[str]:
    return [name for name in before if name not in after]


async def _keep_values(
    connection: Connection, registry: Registry, picklist: str, gone: list[str]
) -> None:
    versions = registry.documents.versions
    for owner in (
        *registry.objects.values(),
        *([] if versions is None else [versions]),
    ):
        for field in owner.fields.values():
            if gone and field.picklist == picklist:
                holds = "&&" if field.multi_value else "= ANY"
                sql = f"SELECT EXISTS (SELECT FROM {table(owner.name)} WHERE {quote(field.name)} {holds} ($1::text[]))"
                problem = f"Picklist {picklist}: records of {owner.name} hold values that would go; make them inactive."
                await _refuse_if(connection, problem, sql, gone)


async def _keep_states(
    connection: Connection, registry: Registry, lifecycle: str, gone: list[str]
) -> None:
    for owner in registry.objects.values():
        if gone and owner.lifecycle == lifecycle:
            sql = f"SELECT EXISTS (SELECT FROM {table(owner.name)} WHERE state__v = ANY ($1::text[]))"
            problem = f"Objectlifecycle {lifecycle}: records of {owner.name} are in states that would go, or be inactive."
            await _refuse_if(connection, problem, sql, gone)


async def _keep_types(
    connection: Connection, registry: Registry, owner: str, name: str
) -> None:
    sql = f"SELECT EXISTS (SELECT FROM {table(owner)} WHERE object_type__v = $1)"
    problem = f"Objecttype {owner}.{name}: there are records of this type."
    await _refuse_if(connection, problem, sql, registry.object_type_id(owner, name))


async def _keep_profiles(connection: Connection, after: Registry, name: str) -> None:
    """Refuse to take away or inactivate a security profile that users have; all of them are internal users."""
    profiles = after.picklists[SECURITY_PROFILES.name].entries
    profile = profiles.get(name)
    held = "SELECT EXISTS (SELECT FROM platform.credential WHERE security_profile = $1"
    if profile is None:
        await _refuse_if(
            connection,
            f"Securityprofile {name}: there are users who have it.",
            f"{held})",
            name,
        )
        await connection.execute(FORGET_PROFILE, name)
    elif not profile.active:
        problem = f"Securityprofile {name}: there are active users who have it."
        await _refuse_if(connection, problem, f"{held} AND active)", name)
    await connection.execute(INTERNAL_USERS, list(profiles))


async def _keep_documents(
    connection: Connection, before: DocumentModel, after: DocumentModel
) -> None:
    """Refuse to take away the types and states that documents have."""
    if before.versions is None or after.versions is None:
        return
    of_type = f"""SELECT EXISTS (SELECT FROM {table(VERSIONS)}
        WHERE concat_ws('.', type__v, subtype__v, classification__v) = ANY ($1::text[]))"""
    for name in _gone(before.types, after.types):
        await _refuse_if(
            connection,
            f"Doctype {name}: there are documents of this type.",
            of_type,
            [name],
        )
    in_state = f"""SELECT EXISTS (SELECT FROM {table(VERSIONS)}
        WHERE concat_ws('.', lifecycle__v, status__v) = ANY ($1::text[]))"""
    gone = _gone(_document_states(before), _document_states(after))
    if gone:
        problem = f"Doclifecycle {gone[0].partition('.')[0]}: documents are in states that would go."
        await _refuse_if(connection, problem, in_state, gone)


def _document_states(model: DocumentModel) -> list[str]:
    return [
        f"{lifecycle.name}.{state}"
        for lifecycle in model.lifecycles.values()
        for state in lifecycle.states
    ]


async def _close_queue(connection: Connection, name: str) -> None:
    sql = "SELECT EXISTS (SELECT FROM platform.outbox WHERE queue = $1)"
    await _refuse_if(
        connection, f"Queue {name} still has messages; reset it first.", sql, name
    )
    for table_name in ("queue_delivery", "queue_trace", "queue_connection"):
        await connection.execute(
            f"DELETE FROM platform.{table_name} WHERE queue = $1", name
        )


async def _refuse_if(
    connection: Connection, problem: str, sql: str, value: object
) -> None:
    if await connection.fetchval(sql, value):
        raise ComponentError(problem, Code.DATA_LOSS)


Update = tuple[str, str, str]
"""SQL, and its two parameters: what was stored, what is to be."""


async def follow(connection: Connection, before: Registry, renaming: Renaming) -> None:
    """Rename tables and columns, and the names that records hold; in the transaction of the change."""
    for sql in _statements(before, renaming):
        await connection.execute(sql)
    for sql, old, new in _updates(before, renaming):
        await connection.execute(sql, old, new)


def _statements(before: Registry, renaming: Renaming) -> tuple[str, ...]:
    owner = (
        before.objects.get(renaming.name)
        if renaming.type == ComponentKind.OBJECT
        else None
    )
    if owner is None:
        return ()
    if not renaming.subtype:
        return rename_table(owner, renaming.new_name)
    field = (
        owner.fields.get(renaming.subname)
        if renaming.subtype == PartKind.FIELD
        else None
    )
    return () if field is None else rename_column(owner, field, renaming.new_name)


def _updates(before: Registry, renaming: Renaming) -> Iterator[Update]:
    name, new_name = renaming.name, renaming.new_name
    match renaming.type, renaming.subtype:
        case ComponentKind.OBJECT, "":
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
        case ComponentKind.OBJECT_TYPE, "":
            (owner, _, old), new = name.partition("."), new_name.partition(".")[2]
            yield _type_update(
                owner, object_type_id(owner, old), object_type_id(owner, new)
            )
        case ComponentKind.LIFECYCLE, "":
            yield from _lifecycle_updates(before, name, "lifecycle__v", name, new_name)
        case ComponentKind.LIFECYCLE, PartKind.STATE:
            yield from _lifecycle_updates(
                before, name, "state__v", renaming.subname, new_name
            )
        case ComponentKind.SECURITY_PROFILE, "":
            # The users' sign-ins follow their records.
            column = "security_profile__sys"
            yield (
                f"UPDATE {table('user__sys')} SET {column} = $2 WHERE {column} = $1",
                name,
                new_name,
            )
            named = "UPDATE platform.user_group SET security_profiles = array_replace(security_profiles, $1, $2)"
            yield f"{named} WHERE $1 = ANY(security_profiles)", name, new_name
        case ComponentKind.PICKLIST, PartKind.PICKLIST_ENTRY:
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
