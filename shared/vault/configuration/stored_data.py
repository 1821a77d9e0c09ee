"""Adapts stored data to a change of a component: moves it to new names, fills in defaults, and refuses to lose any."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, assert_never

from shared.vault.components import schema_changes
from shared.vault.components.build import build_object
from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_kinds import ComponentKind, PartKind, kind_of
from shared.vault.components.document_model import VERSIONS
from shared.vault.components.platform import BASE_TYPE, SECURITY_PROFILES
from shared.vault.components.registry import object_type_id
from shared.vault.components.schema import quote, table
from shared.vault.components.schema_changes import rename_column, rename_table

if TYPE_CHECKING:
    from shared.vault.components.evolution import Renaming
    from shared.vault.components.registry import Registry
    from shared.vault.model.component_model import DocumentModel, Field, VaultObject
    from shared.vault.storage.database import Connection

Update = tuple[str, str, str]
"""SQL, and its two parameters: the stored value, and the one that replaces it."""

# Tables of the platform that name the object of their rows, or the queue.
OBJECT_TABLES = (
    "deletion",
    "record_role",
    "attachment",
    "lineage_call",
    "workflow_item",
)
QUEUE_TABLES = ("queue_delivery", "queue_trace", "queue_connection")

# A security profile under another name in the groups whose members have it.
RENAME_PROFILE = """
UPDATE platform.user_group SET security_profiles = array_replace(security_profiles, $1, $2)
WHERE $1 = ANY(security_profiles)
"""
# A security profile that groups name no longer.
FORGET_PROFILE = """
UPDATE platform.user_group SET security_profiles = array_remove(security_profiles, $1)
WHERE $1 = ANY(security_profiles)
"""
# All security profiles, whose users are the members of one group.
INTERNAL_USERS = "UPDATE platform.user_group SET security_profiles = $1 WHERE name = 'all_internal_users__v'"


async def carry_over(
    connection: Connection, before: Registry, after: Registry, key: tuple[str, str]
) -> None:
    """Adapt the stored data to the component ``key``, in the transaction that changes, creates or drops it.

    :raises ComponentError: DATA_LOSS when stored data would be lost.
    """
    kind, name = kind_of(key[0]), key[1]
    match kind:
        case ComponentKind.OBJECT:
            await _change_table(connection, before, after, key)
            await _enter_lifecycle(connection, before, after, name)
            await _enter_types(connection, before, after, name)
        case ComponentKind.PICKLIST:
            await _refuse_lost_values(connection, before, after, name)
        case ComponentKind.LIFECYCLE:
            await _refuse_lost_states(connection, before, after, name)
        case ComponentKind.OBJECT_TYPE:
            await _refuse_lost_type(connection, after, name)
        case ComponentKind.QUEUE:
            if key not in after.components:
                await _close_queue(connection, name)
        case ComponentKind.SECURITY_PROFILE:
            await _update_groups(connection, after, name)
        case (
            ComponentKind.DOCUMENT_FIELD
            | ComponentKind.DOCUMENT_TYPE
            | ComponentKind.DOCUMENT_LIFECYCLE
        ):
            await _fit(connection, before.documents.versions, after.documents.versions)
            await _refuse_lost_documents(connection, before.documents, after.documents)
        case (
            ComponentKind.OBJECT_ACTION
            | ComponentKind.STATE_TYPE_ASSOCIATION
            | ComponentKind.INTEGRATION_RULE
            | ComponentKind.PERMISSION_SET
            | ComponentKind.RENDITION_TYPE
            | ComponentKind.WORKFLOW
            | None
        ):
            pass  # no data are stored by them
        case _:
            assert_never(kind)


async def _change_table(
    connection: Connection, before: Registry, after: Registry, key: tuple[str, str]
) -> None:
    """Change the table of an object to match its component."""
    old, new = before.components.get(key), after.components.get(key)

    old_object = None if old is None else build_object(old)
    new_object = None if new is None else build_object(new)
    await _fit(connection, old_object, new_object)


async def _fit(
    connection: Connection, old: VaultObject | None, new: VaultObject | None
) -> None:
    """Change the table of an object from its old definition to the new one; None stands for an object without a table.

    :raises ComponentError: DATA_LOSS when a stored value would be lost.
    """
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
    """Set the starting state of records that were created before their object had a lifecycle."""
    old, new = before.objects.get(name), after.objects.get(name)
    if old is None or new is None or new.lifecycle is None or old.lifecycle is not None:
        return
    state = after.lifecycles[new.lifecycle].starting_state
    sql = f"UPDATE {table(name)} SET lifecycle__v = $1, state__v = $2 WHERE state__v IS NULL"
    await connection.execute(sql, new.lifecycle, state)


async def _enter_types(
    connection: Connection, before: Registry, after: Registry, name: str
) -> None:
    """Set the default type of records that were created before their object had types."""
    old, new = before.objects.get(name), after.objects.get(name)
    if old is None or new is None or new.default_type is None or old.allow_types:
        return
    sql = f"UPDATE {table(name)} SET object_type__v = $1 WHERE object_type__v IS NULL"
    await connection.execute(sql, after.object_type_id(name, new.default_type))


def _usable(registry: Registry, lifecycle: str) -> list[str]:
    """Return the states of a lifecycle that records may have."""
    states = registry.lifecycles[lifecycle].states.values()
    return [state.name for state in states if state.active]


def _removed(before: Collection[str], after: Collection[str]) -> list[str]:
    """Return the names that exist before a change and not after it."""
    return [name for name in before if name not in after]


async def _refuse_lost_values(
    connection: Connection, before: Registry, after: Registry, picklist: str
) -> None:
    """Check that no record has a value that a picklist loses.

    :raises ComponentError: DATA_LOSS when one has.
    """
    if picklist not in before.picklists:
        return
    remaining = after.picklists[picklist].entries if picklist in after.picklists else ()
    removed = _removed(before.picklists[picklist].entries, remaining)
    if not removed:
        return
    versions = after.documents.versions
    documents = [] if versions is None else [versions]
    for owner in [*after.objects.values(), *documents]:
        for field in owner.fields.values():
            if field.picklist == picklist:
                await _refuse_values(connection, owner, field, removed)


async def _refuse_values(
    connection: Connection, owner: VaultObject, field: Field, removed: list[str]
) -> None:
    """Check that no record has one of the values ``removed``.

    :raises ComponentError: DATA_LOSS when one has.
    """
    holds = "&&" if field.multi_value else "= ANY"
    sql = f"SELECT EXISTS (SELECT FROM {table(owner.name)} WHERE {quote(field.name)} {holds} ($1::text[]))"
    problem = (
        f"Picklist {field.picklist}: records of {owner.name} have values that would be removed;"
        " inactivate the values instead."
    )
    await _refuse_if(connection, problem, sql, removed)


async def _refuse_lost_states(
    connection: Connection, before: Registry, after: Registry, lifecycle: str
) -> None:
    """Check that no record is in a state that a lifecycle no longer has, or that becomes inactive.

    :raises ComponentError: DATA_LOSS when one is.
    """
    # A lifecycle that an object has cannot be dropped.
    if lifecycle not in before.lifecycles or lifecycle not in after.lifecycles:
        return
    removed = _removed(_usable(before, lifecycle), _usable(after, lifecycle))
    if not removed:
        return
    for owner in after.objects.values():
        if owner.lifecycle != lifecycle:
            continue
        sql = f"SELECT EXISTS (SELECT FROM {table(owner.name)} WHERE state__v = ANY ($1::text[]))"
        problem = (
            f"Objectlifecycle {lifecycle}: records of {owner.name} are in states that"
            " would be removed or inactive."
        )
        await _refuse_if(connection, problem, sql, removed)


async def _refuse_lost_type(connection: Connection, after: Registry, key: str) -> None:
    """Check that no record has the dropped object type ``object.type``.

    :raises ComponentError: DATA_LOSS when one has.
    """
    owner, name = key.split(".", 1)
    # No record is left without the base type, and objects without types have no column for it.
    if name == BASE_TYPE or (owner, name) in after.object_types:
        return
    sql = f"SELECT EXISTS (SELECT FROM {table(owner)} WHERE object_type__v = $1)"
    problem = f"Objecttype {owner}.{name}: there are records of this type."
    await _refuse_if(connection, problem, sql, after.object_type_id(owner, name))


async def _update_groups(connection: Connection, after: Registry, name: str) -> None:
    """Update the groups of a security profile.

    :raises ComponentError: DATA_LOSS when users have a dropped profile, or active users an inactive one.
    """
    profiles = after.picklists[SECURITY_PROFILES.name].entries
    profile = profiles.get(name)
    users = "SELECT EXISTS (SELECT FROM platform.credential WHERE security_profile = $1"
    if profile is None:
        problem = f"Securityprofile {name}: there are users who have it."
        await _refuse_if(connection, problem, f"{users})", name)
        await connection.execute(FORGET_PROFILE, name)
    elif not profile.active:
        problem = f"Securityprofile {name}: there are active users who have it."
        await _refuse_if(connection, problem, f"{users} AND active)", name)
    await connection.execute(INTERNAL_USERS, list(profiles))


async def _refuse_lost_documents(
    connection: Connection, before: DocumentModel, after: DocumentModel
) -> None:
    """Check that no document has a dropped type or state.

    :raises ComponentError: DATA_LOSS when one has.
    """
    if before.versions is None or after.versions is None:
        return
    of_type = f"""SELECT EXISTS (SELECT FROM {table(VERSIONS)}
        WHERE concat_ws('.', type__v, subtype__v, classification__v) = ANY ($1::text[]))"""
    for name in _removed(before.types, after.types):
        problem = f"Doctype {name}: there are documents of this type."
        await _refuse_if(connection, problem, of_type, [name])
    in_state = f"""SELECT EXISTS (SELECT FROM {table(VERSIONS)}
        WHERE concat_ws('.', lifecycle__v, status__v) = ANY ($1::text[]))"""
    removed = _removed(_document_states(before), _document_states(after))
    if removed:
        lifecycle = removed[0].partition(".")[0]
        problem = f"Doclifecycle {lifecycle}: documents are in removed states."
        await _refuse_if(connection, problem, in_state, removed)


def _document_states(model: DocumentModel) -> list[str]:
    """Return the states of all lifecycles of documents as ``lifecycle.state``."""
    return [
        f"{lifecycle.name}.{state}"
        for lifecycle in model.lifecycles.values()
        for state in lifecycle.states
    ]


async def _close_queue(connection: Connection, name: str) -> None:
    """Remove the stored data of a dropped queue.

    :raises ComponentError: DATA_LOSS when messages wait on it.
    """
    sql = "SELECT EXISTS (SELECT FROM platform.outbox WHERE queue = $1)"
    problem = f"Queue {name} still has messages; reset it first."
    await _refuse_if(connection, problem, sql, name)
    for queue_table in QUEUE_TABLES:
        delete = f"DELETE FROM platform.{queue_table} WHERE queue = $1"
        await connection.execute(delete, name)


async def _refuse_if(
    connection: Connection, problem: str, sql: str, value: object
) -> None:
    """Check that a query of one Boolean returns false.

    :raises ComponentError: DATA_LOSS, with ``problem``, when it returns true.
    """
    if await connection.fetchval(sql, value):
        raise ComponentError(problem, Code.DATA_LOSS)


async def follow(connection: Connection, before: Registry, renaming: Renaming) -> None:
    """Rename tables and columns, and the names that records store, in the transaction of the change."""
    # Tables first: the updates below use the new names.
    for sql in _statements(before, renaming):
        await connection.execute(sql)
    for sql, old, new in _updates(before, renaming):
        await connection.execute(sql, old, new)


def _statements(before: Registry, renaming: Renaming) -> tuple[str, ...]:
    """Return the statements that rename the table of an object, or the column of a field."""
    if renaming.type != ComponentKind.OBJECT:
        return ()
    owner = before.objects.get(renaming.name)
    if owner is None:
        return ()
    if not renaming.subtype:
        return rename_table(owner, renaming.new_name)
    if renaming.subtype != PartKind.FIELD:
        return ()
    field = owner.fields.get(renaming.subname)
    return () if field is None else rename_column(owner, field, renaming.new_name)


def _updates(before: Registry, renaming: Renaming) -> Iterator[Update]:
    """Yield the updates of rows that contain the old name of a component, or of a part of one."""
    name, new_name = renaming.name, renaming.new_name
    match renaming.type, renaming.subtype:
        case ComponentKind.OBJECT, "":
            yield from _object_updates(before, name, new_name)
        case ComponentKind.OBJECT_TYPE, "":
            owner, _, old = name.partition(".")
            _, _, new = new_name.partition(".")
            yield _type_update(owner, (owner, old), (owner, new))
        case ComponentKind.LIFECYCLE, "":
            yield from _lifecycle_updates(before, name, "lifecycle__v", name, new_name)
        case ComponentKind.LIFECYCLE, PartKind.STATE:
            state = renaming.subname
            yield from _lifecycle_updates(before, name, "state__v", state, new_name)
        case ComponentKind.SECURITY_PROFILE, "":
            # The users' sign-ins follow their records.
            yield _column_update("user__sys", "security_profile__sys", name, new_name)
            yield RENAME_PROFILE, name, new_name
        case ComponentKind.PICKLIST, PartKind.PICKLIST_ENTRY:
            yield from _value_updates(before, name, renaming.subname, new_name)


def _object_updates(before: Registry, name: str, new_name: str) -> Iterator[Update]:
    """Yield the updates for an object: platform rows that contain its name, and the ids of its types."""
    for object_table in OBJECT_TABLES:
        sql = f"UPDATE platform.{object_table} SET object = $2 WHERE object = $1"
        yield sql, name, new_name
    for type_name in before.types_of(name):
        yield _type_update(new_name, (name, type_name), (new_name, type_name))


def _column_update(owner: str, column: str, old: str, new: str) -> Update:
    """Return the update of a column in which records store a name."""
    sql = f"UPDATE {table(owner)} SET {column} = $2 WHERE {column} = $1"
    return sql, old, new


def _type_update(owner: str, old: tuple[str, str], new: tuple[str, str]) -> Update:
    """Return the update of the records of an object type, whose stored id consists of object name and type name."""
    old_id, new_id = object_type_id(*old), object_type_id(*new)
    return _column_update(owner, "object_type__v", old_id, new_id)


def _lifecycle_updates(
    before: Registry, lifecycle: str, column: str, old: str, new: str
) -> Iterator[Update]:
    """Yield the update of a column for each object that has a lifecycle."""
    for owner in before.objects.values():
        if owner.lifecycle == lifecycle:
            yield _column_update(owner.name, column, old, new)


def _value_updates(
    before: Registry, picklist: str, old: str, new: str
) -> Iterator[Update]:
    """Yield the update of each field that stores values of a picklist."""
    for owner in before.objects.values():
        for field in owner.fields.values():
            if field.picklist != picklist:
                continue
            column = quote(field.name)
            if not field.multi_value:
                yield _column_update(owner.name, column, old, new)
                continue
            replaced = f"array_replace({column}, $1, $2)"
            holds = f"{column} && ARRAY[$1]"
            sql = f"UPDATE {table(owner.name)} SET {column} = {replaced} WHERE {holds}"
            yield sql, old, new
