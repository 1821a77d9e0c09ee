"""Writes the audit trails: each call adds its entries with one statement, in the transaction of the change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

import orjson

from shared.protocol.json_values import date_time_text
from shared.vault.access.permissions import AuditTrail
from shared.vault.audit.entry_rows import (
    EACH,
    EVENTS,
    NO_TEXTS,
    OF_DOCUMENTS,
    Author,
    Texts,
    write_rows,
)
from shared.vault.components.mdl_writing import render
from shared.vault.model.field_types import DOCUMENTS, array_text
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
    LOGIN = "User Login"
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

ENTRY = """
INSERT INTO platform.audit_entry (user_id, user_name, on_behalf_of, trail, action, item, old_value, new_value)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""

VERSION = "version"  # the field of lines about a document's version

Details = Mapping[str, str | None]
"""What only some entries have, such as the names of a workflow, by name."""

NO_DETAILS: Details = MappingProxyType({})

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
    details: Details = NO_DETAILS,
) -> None:
    """Write an entry for each record or document with an event that changes no field, such as a step of a workflow."""
    if object_name == DOCUMENTS:
        lines = [(each, None, None, text_of(text), None) for each in ids]
        await _write_of_documents(connection, caller, action, lines, details)
    elif ids and is_audited(registry, object_name):
        kind = (AuditTrail.OBJECT.key, action, object_name)
        values = (list(ids), text_of(text), _json(details))
        await connection.execute(EVENTS, *author(caller), *kind, *values)


async def write_document_change(
    connection: Connection,
    caller: Caller,
    action: AuditAction,
    document_id: int,
    lines: Sequence[Line] = (),
    version: str | None = None,
) -> None:
    """Write the entries of a created, changed or deleted document: one for each line; without lines a single one."""
    versions = {} if version is None else {document_id: version}
    changes = {document_id: lines}
    await write_document_changes(connection, caller, action, changes, versions)


async def write_document_changes(
    connection: Connection,
    caller: Caller,
    action: AuditAction,
    changes: Mapping[int, Sequence[Line]],
    versions: Mapping[int, str] = MappingProxyType({}),
) -> None:
    """Write the entries of created, changed or deleted documents; ``changes`` are lines by document id.

    ``versions`` are the changed versions; by default the one that a line about the version names, else the latest.
    """
    listed: list[tuple[str | None, ...]] = []
    for document_id, lines in changes.items():
        key = str(document_id)
        version = versions.get(document_id) or _version_in(lines)
        for name, before, after in lines:
            listed.append((key, name, text_of(before), text_of(after), version))
        # An edit without lines has changed nothing.
        if not lines and action is not AuditAction.EDIT:
            listed.append((key, None, None, None, version))
    await _write_of_documents(connection, caller, action, listed, NO_DETAILS)


async def _write_of_documents(
    connection: Connection,
    caller: Caller,
    action: AuditAction,
    lines: Sequence[tuple[str | None, ...]],
    details: Details,
) -> None:
    """Write entries about documents; lines have document id, field, old and new value, and version."""
    if lines:
        kind = (AuditTrail.DOCUMENT.key, action, DOCUMENTS)
        columns = (*_columns(lines), _json(details))
        await connection.execute(OF_DOCUMENTS, *author(caller), *kind, *columns)


def _version_in(lines: Sequence[Line]) -> str | None:
    """Return the version that a change makes or removes; None for a change of another kind."""
    for name, before, after in lines:
        if name == VERSION:
            return text_of(after) or text_of(before)
    return None


def _json(details: Details) -> str:
    return orjson.dumps(dict(details)).decode()


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
