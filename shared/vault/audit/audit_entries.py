"""Writing the audit trails: each call adds its entries with one statement, in the transaction of the change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from shared.protocol.date_times import date_time_text
from shared.vault.components.mdl import render
from shared.vault.components.schema import quote, table
from shared.vault.model.component_model import Field, FieldType, RelationshipDeletion

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.components.component_tree import Component
    from shared.vault.components.registry import Registry
    from shared.vault.storage.database import Connection


MAX_VALUE = 2_000


MAX_DEFINITION = 100_000  # of a component as MDL, or of a deleted record whole


CUT = "…"


def text_of(value: object) -> str | None:
    """A column's value as text, None for an empty one; long text is cut, and ends in an ellipsis then."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return date_time_text(value)
    if isinstance(value, date):
        return value.isoformat()
    return cut(str(value))


def cut(text: str, length: int = MAX_VALUE) -> str:
    """The text, at most ``length`` characters of it."""
    return text if len(text) <= length else text[: length - 1] + CUT


SYSTEM = "system"  # trail of the configuration
DOMAIN = "domain"  # trail of users' access
CREATE = "Create"
EDIT = "Edit"
DELETE = "Delete"
LOGIN = "Login"
DELEGATED_LOGIN = "Delegated Login"
SUCCESS = "SUCCESS"

CREATED = """
INSERT INTO platform.audit_entry (trail, user_id, user_name, on_behalf_of, action, item, record_id)
SELECT 'object', $1, $2, $3, 'Create', $4, u.id FROM unnest($5::text[]) AS u(id)
"""
EDITED = """
INSERT INTO platform.audit_entry
    (trail, user_id, user_name, on_behalf_of, action, item, record_id, field, old_value, new_value)
SELECT 'object', $1, $2, $3, 'Edit', $4, u.* FROM unnest($5::text[], $6::text[], $7::text[], $8::text[]) AS u
"""
DOCUMENT = """
INSERT INTO platform.audit_entry
    (trail, user_id, user_name, on_behalf_of, action, item, record_id, field, old_value, new_value)
SELECT 'document', $1, $2, $3, $4, 'documents', u.*
FROM unnest($5::text[], $6::text[], $7::text[], $8::text[]) AS u
"""
SIGNED_IN = """
INSERT INTO platform.audit_entry (trail, user_id, user_name, on_behalf_of, action, new_value)
SELECT 'login', c.user_id, c.username, $2, $3, $4 FROM platform.credential c WHERE c.user_id = $1
"""
# What was typed as a name that no user has may be a password: it is not kept.
REFUSED = """
INSERT INTO platform.audit_entry (trail, user_id, user_name, action, new_value)
SELECT 'login', c.user_id, c.username, $2, $3
FROM (VALUES ($1::text)) AS typed(name) LEFT JOIN platform.credential c ON c.username = typed.name
"""
NOTED = """
INSERT INTO platform.audit_entry (user_id, user_name, on_behalf_of, trail, action, item, old_value, new_value)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""

Author = tuple[int, str | None, int | None]


def author(caller: Caller) -> Author:
    """Who acts: user id, user name where it is known, and on whose behalf."""
    if caller.delegate_user_id is None:
        return caller.user_id, caller.username, None
    return caller.delegate_user_id, None, caller.user_id


def is_audited(registry: Registry, object_name: str) -> bool:
    """Whether changes of the object's records are kept; they are unless its MDL says ``audit(false)``."""
    component = registry.components.get(("Object", object_name))
    return component is None or component.flag("audit", True)


async def created(
    connection: Connection,
    registry: Registry,
    caller: Caller,
    object_name: str,
    ids: Sequence[str],
) -> None:
    """Records that have been created."""
    if ids and is_audited(registry, object_name):
        await connection.execute(CREATED, *author(caller), object_name, ids)


async def edited(
    connection: Connection,
    registry: Registry,
    caller: Caller,
    object_name: str,
    changes: Sequence[tuple[Record | Mapping[str, object], Mapping[str, object]]],
) -> None:
    """Records that have been changed: each as it was stored (``id`` and at least what changed), and its new values."""
    if not changes or not is_audited(registry, object_name):
        return
    lines = [
        (before["id"], name, text_of(before.get(name)), text_of(value))
        for before, after in changes
        for name, value in after.items()
        if before.get(name) != value
    ]
    if lines:
        await connection.execute(
            EDITED, *author(caller), object_name, *map(list, zip(*lines, strict=True))
        )


async def document_changed(
    connection: Connection,
    caller: Caller,
    action: str,
    document_id: int,
    lines: Sequence[tuple[str, object, object]] = (),
) -> None:
    """A document that has been created, changed or deleted: field, old and new value of each line, if there are any."""
    await documents_changed(connection, caller, action, {document_id: lines})


async def documents_changed(
    connection: Connection,
    caller: Caller,
    action: str,
    changes: Mapping[int, Sequence[tuple[str, object, object]]],
) -> None:
    """Documents that have been created, changed or deleted, each with its lines as there."""
    listed: list[tuple[str | None, ...]] = []
    for document_id, lines in changes.items():
        listed += [
            (str(document_id), name, text_of(before), text_of(after))
            for name, before, after in lines
        ]
        if not lines and action != EDIT:
            listed.append((str(document_id), None, None, None))
    if listed:
        await connection.execute(
            DOCUMENT, *author(caller), action, *map(list, zip(*listed, strict=True))
        )


async def component_changed(
    connection: Connection,
    caller: Caller,
    command: str,
    before: Component | None,
    after: Component | None,
) -> None:
    """A component that has been created, changed, renamed or dropped, as MDL before and after."""
    one = after or before
    if one is not None and after != before:
        values = f"{one.type}.{one.name}", _definition(before), _definition(after)
        await connection.execute(NOTED, *author(caller), SYSTEM, command, *values)


async def signed_in(
    connection: Connection, user_id: int, delegate_user_id: int | None
) -> None:
    """A session that has been opened, by the user or by a delegate in the user's name."""
    if delegate_user_id is None:
        await connection.execute(SIGNED_IN, user_id, None, LOGIN, SUCCESS)
    else:
        await connection.execute(
            SIGNED_IN, delegate_user_id, user_id, DELEGATED_LOGIN, SUCCESS
        )


async def sign_in_refused(connection: Connection, username: str, reason: str) -> None:
    """A sign-in that has been refused, with the error type; the name is kept only if it is a user's."""
    await connection.execute(
        REFUSED,
        username.replace("\x00", "").encode(errors="ignore").decode(),
        LOGIN,
        reason,
    )


async def password_changed(
    connection: Connection, caller: Caller | None, user_id: int
) -> None:
    """A user's password that has been changed; by the user, where there is no caller."""
    by = (user_id, None, None) if caller is None else author(caller)
    await connection.execute(
        NOTED, *by, DOMAIN, "Change Password", f"User.{user_id}", None, None
    )


async def noted(
    connection: Connection,
    caller: Caller,
    trail: str,
    action: str,
    item: str,
    *,
    before: str | None = None,
    after: str | None = None,
) -> None:
    """What is neither a record nor a component and has been changed: groups, delegations, tokens, queues' delivery."""
    await connection.execute(
        NOTED, *author(caller), trail, action, item, text_of(before), text_of(after)
    )


def _definition(component: Component | None) -> str | None:
    return None if component is None else cut(render(component), MAX_DEFINITION)


# With the record's last values, which nothing else keeps.
DELETED = f"""
INSERT INTO platform.audit_entry (trail, user_id, user_name, on_behalf_of, action, item, record_id, old_value)
SELECT 'object', $1, $2, $3, 'Delete', $4, t.id, left(jsonb_strip_nulls(to_jsonb(t))::text, {MAX_DEFINITION})
FROM {{table}} t WHERE t.id = ANY($5::text[])
"""


EMPTIED = """
INSERT INTO platform.audit_entry
    (trail, user_id, user_name, on_behalf_of, action, item, record_id, field, old_value)
SELECT 'object', $1, $2, $3, 'Edit', $4, t.id, $5, t.{column}
FROM {table} t WHERE t.{column} = ANY($6::text[]) AND t.id <> ALL($7::text[])
"""


GOING = (
    "SELECT id FROM {table} WHERE {column} = ANY($1::text[]) AND id <> ALL($2::text[])"
)


async def deleted(
    connection: Connection,
    registry: Registry,
    caller: Caller,
    object_name: str,
    ids: Sequence[str],
) -> None:
    """Records that are about to be deleted, with all that the database does to others for it."""
    doomed: dict[str, set[str]] = defaultdict(set)
    level = {object_name: list(ids)}
    while level:
        following: dict[str, list[str]] = defaultdict(list)
        for owner, going in level.items():
            doomed[owner].update(going)
            if going and is_audited(registry, owner):
                await connection.execute(
                    DELETED.format(table=table(owner)), *author(caller), owner, going
                )
            for child, field in _referring(
                registry, owner, RelationshipDeletion.CASCADE
            ):
                sql = GOING.format(table=table(child), column=quote(field.name))
                found = [
                    row["id"]
                    for row in await connection.fetch(sql, going, list(doomed[child]))
                ]
                doomed[child].update(found)
                following[child] += found
        level = {owner: going for owner, going in following.items() if going}
    for owner, gone in list(doomed.items()):
        for child, field in _referring(registry, owner, RelationshipDeletion.SET_NULL):
            if gone and is_audited(registry, child):
                sql = EMPTIED.format(table=table(child), column=quote(field.name))
                staying = list(doomed.get(child, ()))
                await connection.execute(
                    sql, *author(caller), child, field.name, list(gone), staying
                )


def _referring(
    registry: Registry, object_name: str, deletion: RelationshipDeletion
) -> Iterator[tuple[str, Field]]:
    """The fields that refer to an object, and of which a deletion there does this."""
    for other in registry.objects.values():
        for field in other.fields.values():
            refers = field.type is FieldType.OBJECT and field.object == object_name
            if refers and field.relationship_deletion is deletion:
                yield other.name, field
