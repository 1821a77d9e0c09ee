"""Writes the audit trails: each call adds its entries with one statement, in the transaction of the change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from shared.protocol.json_values import date_time_text
from shared.vault.access.permissions import AuditTrail
from shared.vault.audit.entry_rows import EACH, NO_TEXTS, Author, Texts, write_rows
from shared.vault.components.mdl_writing import render
from shared.vault.model.component_model import Field, FieldType, RelationshipDeletion
from shared.vault.model.field_types import DOCUMENTS, array_text, quoted, table
from shared.vault.model.record_ranges import SEVERAL

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.components.component_tree import Component
    from shared.vault.components.registry import Registry
    from shared.vault.storage.database import Connection

MAX_VALUE = 2_000  # characters
MAX_DEFINITION = 100_000  # of a component as MDL, or of a deleted record whole
CUT = "…"


class AuditAction(StrEnum):
    """The actions that entries name; entries about components name MDL commands instead."""

    CREATE = "Create"
    EDIT = "Edit"
    DELETE = "Delete"
    LOGIN = "Login"
    DELEGATED_LOGIN = "Delegated Login"
    CHANGE_PASSWORD = "Change Password"  # noqa: S105  a name
    ENABLE_DELIVERY = "Enable Delivery"
    DISABLE_DELIVERY = "Disable Delivery"
    TRACE_DELIVERY = "Trace Queue Delivery"
    RESET = "Reset"
    SWITCH_FAULT_ON = "Switch Fault On"
    SWITCH_FAULT_OFF = "Switch Fault Off"
    START_WORKFLOW = "Start Workflow"
    COMPLETE_WORKFLOW = "Complete Workflow"
    CANCEL_WORKFLOW = "Cancel Workflow"
    REPLACE_WORKFLOW_OWNER = "Replace Workflow Owner"
    ACCEPT_TASK = "Accept Task"
    RELEASE_TASK = "Undo Task Acceptance"
    COMPLETE_TASK = "Complete Task"
    REASSIGN_TASK = "Reassign Task"
    CANCEL_TASK = "Cancel Task"
    CHANGE_DUE_DATE = "Change Due Date"
    MAKE_PACKAGE = "Make Response Package"
    REVOKE_PACKAGE = "Revoke Response Package"
    OPEN_PACKAGE = "Open Response Package"


SYSTEM = AuditTrail.SYSTEM
DOMAIN = AuditTrail.DOMAIN
CREATE = AuditAction.CREATE
EDIT = AuditAction.EDIT
DELETE = AuditAction.DELETE
SUCCESS = "SUCCESS"

SIGNED_IN = """
INSERT INTO platform.audit_entry (trail, user_id, user_name, on_behalf_of, action, new_value)
SELECT 'login', c.user_id, c.username, $2, $3, $4 FROM platform.credential c WHERE c.user_id = $1
"""
# A typed name that no user has may be a password: it is not stored.
REFUSED = """
INSERT INTO platform.audit_entry (trail, user_id, user_name, action, new_value)
SELECT 'login', c.user_id, c.username, $2, $3
FROM (VALUES ($1::text)) AS typed(name) LEFT JOIN platform.credential c ON c.username = typed.name
"""
ENTRY = """
INSERT INTO platform.audit_entry (user_id, user_name, on_behalf_of, trail, action, item, old_value, new_value)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""

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

Line = tuple[str, object, object]
"""A field, and its value before and after a change."""


def text_of(value: object) -> str | None:
    """Return a column's value as text, None for an empty one; cut long text and end it in an ellipsis."""
    # Most values are short texts.
    if type(value) is str and len(value) <= MAX_VALUE:
        return value
    # A bool is an int, and a datetime is a date: the narrower type comes first.
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case datetime():
            return date_time_text(value)
        case date():
            return value.isoformat()
        case _:
            return cut(str(value))


def cut(text: str, length: int = MAX_VALUE) -> str:
    """Return the text, at most ``length`` characters of it."""
    if len(text) <= length:
        return text
    return text[: length - 1] + CUT


def author(caller: Caller) -> Author:
    """Return the author of a caller's entries: in a delegated session the delegate, on behalf of the user."""
    if caller.delegate_user_id is None:
        return caller.user_id, caller.username, None
    # The statements look the delegate's name up.
    return caller.delegate_user_id, None, caller.user_id


def is_audited(registry: Registry, object_name: str) -> bool:
    """Return whether changes of the object's records are audited; they are unless its MDL says ``audit(false)``."""
    target = registry.objects.get(object_name)
    return target is None or target.audited


async def write_creations(
    connection: Connection,
    registry: Registry,
    caller: Caller,
    object_name: str,
    ids: Sequence[str],
) -> None:
    """Write entries for records that have been created."""
    if ids and is_audited(registry, object_name):
        await _write_about(connection, caller, CREATE, object_name, ids)


async def write_edits(
    connection: Connection,
    registry: Registry,
    caller: Caller,
    object_name: str,
    changes: Sequence[tuple[Record | Mapping[str, object], Mapping[str, object]]],
) -> None:
    """Write an entry for each changed field of records.

    A change is the record as it was stored (with ``id`` and at least the changed fields), and its new values.
    """
    if not changes or not is_audited(registry, object_name):
        return
    lines: list[tuple[str, str, str | None, str | None]] = []
    for before, after in changes:
        record_id = str(before["id"])
        for name, value in after.items():
            former = before.get(name)
            # In the mode that writes equal values as well, some values have not changed.
            if former != value:
                lines.append((record_id, name, text_of(former), text_of(value)))
    if lines:
        ids, *values = zip(*lines, strict=True)
        await _write_about(connection, caller, EDIT, object_name, ids, values)


async def _write_about(
    connection: Connection,
    caller: Caller,
    action: AuditAction,
    object_name: str,
    ids: Sequence[str],
    values: Sequence[Texts] = (),
) -> None:
    """Write entries about records; ``values`` are their fields, old and new values, in the order of ``ids``."""
    kind = (*author(caller), AuditTrail.OBJECT.key, action, object_name)
    if len(ids) < SEVERAL:
        columns = map(array_text, (ids, *(values or NO_TEXTS)))
        await connection.execute(EACH, *kind, *columns)
    else:
        await write_rows(connection, kind, ids, values)


async def write_events(
    connection: Connection,
    registry: Registry,
    caller: Caller,
    action: AuditAction,
    object_name: str,
    ids: Sequence[str],
    text: str,
) -> None:
    """Write an entry for each record or document with an event that changes no field, such as a step of a workflow."""
    is_document = object_name == DOCUMENTS
    if ids and (is_document or is_audited(registry, object_name)):
        trail = AuditTrail.DOCUMENT if is_document else AuditTrail.OBJECT
        lines = [(each, None, None, text_of(text)) for each in ids]
        kind = (trail.key, action, object_name)
        await connection.execute(EACH, *author(caller), *kind, *_columns(lines))


async def write_document_change(
    connection: Connection,
    caller: Caller,
    action: AuditAction,
    document_id: int,
    lines: Sequence[Line] = (),
) -> None:
    """Write the entries of a created, changed or deleted document: one for each line; without lines a single one."""
    await write_document_changes(connection, caller, action, {document_id: lines})


async def write_document_changes(
    connection: Connection,
    caller: Caller,
    action: AuditAction,
    changes: Mapping[int, Sequence[Line]],
) -> None:
    """Write the entries of created, changed or deleted documents; ``changes`` are lines by document id."""
    listed: list[tuple[str | None, ...]] = []
    for document_id, lines in changes.items():
        key = str(document_id)
        for name, before, after in lines:
            listed.append((key, name, text_of(before), text_of(after)))
        # An edit without lines has changed nothing.
        if not lines and action is not AuditAction.EDIT:
            listed.append((key, None, None, None))
    if listed:
        kind = (AuditTrail.DOCUMENT.key, action, DOCUMENTS)
        await connection.execute(EACH, *author(caller), *kind, *_columns(listed))


async def write_component_change(
    connection: Connection,
    caller: Caller,
    command: str,
    before: Component | None,
    after: Component | None,
) -> None:
    """Write the entry of a component that has been created, changed, renamed or dropped: its MDL before and after."""
    component = after or before
    if component is None or after == before:
        return
    name = f"{component.type}.{component.name}"
    values = (name, _definition(before), _definition(after))
    await connection.execute(ENTRY, *author(caller), SYSTEM.key, command, *values)


async def write_sign_in(
    connection: Connection,
    user_id: int,
    delegate_user_id: int | None,
) -> None:
    """Write the entry of a session that has been opened, by the user or by a delegate in the user's name."""
    if delegate_user_id is None:
        await connection.execute(SIGNED_IN, user_id, None, AuditAction.LOGIN, SUCCESS)
        return
    action = AuditAction.DELEGATED_LOGIN
    await connection.execute(SIGNED_IN, delegate_user_id, user_id, action, SUCCESS)


async def write_refused_sign_in(
    connection: Connection,
    username: str,
    reason: str,
) -> None:
    """Write the entry of a refused sign-in with its error type; the typed name is written only if a user has it."""
    # PostgreSQL takes neither NUL nor lone surrogates in text.
    typed = username.replace("\x00", "").encode(errors="ignore").decode()
    await connection.execute(REFUSED, typed, AuditAction.LOGIN, reason)


async def write_password_change(
    connection: Connection,
    caller: Caller | None,
    user_id: int,
) -> None:
    """Write the entry of a changed password; without a caller, the user has changed it."""
    by = (user_id, None, None) if caller is None else author(caller)
    action, item = AuditAction.CHANGE_PASSWORD, f"User.{user_id}"
    await connection.execute(ENTRY, *by, DOMAIN.key, action, item, None, None)


async def write_entry(
    connection: Connection,
    caller: Caller,
    trail: AuditTrail,
    action: AuditAction,
    item: str,
    *,
    before: str | None = None,
    after: str | None = None,
) -> None:
    """Write the entry of a change of an item other than a record or component: a group, delegation, token or queue."""
    values = (item, text_of(before), text_of(after))
    await connection.execute(ENTRY, *author(caller), trail.key, action, *values)


def _definition(component: Component | None) -> str | None:
    if component is None:
        return None
    text = render(component)
    return cut(text, MAX_DEFINITION)


def _columns(lines: Sequence[tuple[str | None, ...]]) -> Iterator[str]:
    return map(array_text, zip(*lines, strict=True))


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
