"""Reads roles on records from rows, and stores and audits them: the users and groups that are assigned by hand."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from shared.protocol.error_types import ErrorType
from shared.vault.audit import audit_entries as entries
from shared.vault.errors import ApiError
from shared.vault.records.invalid_values import InvalidValue
from shared.vault.records.rows import Outcome, Refused

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.storage.database import Connection

# Every Vault has these without a component.
STANDARD_ROLES = frozenset({"owner__v", "editor__v", "viewer__v"})
MAX_ASSIGNED = 1000  # users or groups in one column of a row
MAX_DIGITS = 18


class Holder(StrEnum):
    """The kinds of holders of a role; a value is the suffix of a column: ``{role}.users`` or ``{role}.groups``."""

    USERS = "users"
    GROUPS = "groups"


HOLDERS = frozenset(Holder)


class RoleChange(StrEnum):
    """The ways in which a call changes the users or groups of a role."""

    ADD = "add"
    REMOVE = "remove"
    REPLACE = "replace"


RoleColumns = Mapping[tuple[str, Holder], object]
"""The values of a row's role columns as they were sent, by role and holder."""

Assignments = Mapping[tuple[str, Holder], frozenset[int]]
"""Ids of users or groups, by role and holder."""

STORED = """
SELECT record_id, role, array_agg(user_id ORDER BY user_id) FILTER (WHERE user_id IS NOT NULL) AS users,
    array_agg(group_id ORDER BY group_id) FILTER (WHERE group_id IS NOT NULL) AS groups
FROM platform.record_role WHERE object = $1 AND record_id = ANY($2::text[]) GROUP BY record_id, role ORDER BY role
"""
# The same of one record as JSON, for a statement that reads the record; NULL without any.
STORED_JSON = """
(SELECT json_object_agg(role, json_build_object('users', users, 'groups', groups))::text FROM (
    SELECT role, array_agg(user_id ORDER BY user_id) FILTER (WHERE user_id IS NOT NULL) AS users,
        array_agg(group_id ORDER BY group_id) FILTER (WHERE group_id IS NOT NULL) AS groups
    FROM platform.record_role WHERE object = {object} AND record_id = {record} GROUP BY role ORDER BY role) assigned)
"""
# Users by their sign-ins: every record of a user has one.
UNKNOWN = {
    Holder.USERS: "SELECT unnest($1::bigint[]) EXCEPT SELECT user_id FROM platform.credential",
    Holder.GROUPS: "SELECT unnest($1::bigint[]) EXCEPT SELECT id FROM platform.user_group",
}
COLUMN = {Holder.USERS: "user_id", Holder.GROUPS: "group_id"}
FORGET = """
DELETE FROM platform.record_role r USING unnest($1::text[], $2::text[]) AS u(object, record_id)
WHERE r.object = u.object AND r.record_id = u.record_id
"""
CLEAR = """
DELETE FROM platform.record_role r USING unnest($2::text[], $3::text[]) AS u(record_id, role)
WHERE r.object = $1 AND r.record_id = u.record_id AND r.role = u.role AND r.{column} IS NOT NULL
"""
REMOVE = """
DELETE FROM platform.record_role r USING unnest($2::text[], $3::text[], $4::bigint[]) AS u(record_id, role, id)
WHERE r.object = $1 AND r.record_id = u.record_id AND r.role = u.role AND r.{column} = u.id
"""
ADD = """
INSERT INTO platform.record_role (object, record_id, role, {column})
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[]) ON CONFLICT DO NOTHING
"""


def roles_of(registry: Registry) -> frozenset[str]:
    """Return the roles on records: the standard ones, and the active Applicationrole components."""
    declared: set[str] = set()
    for component in registry.components.values():
        if component.type == "Applicationrole" and component.flag("active", True):
            declared.add(component.name)
    return STANDARD_ROLES | declared


def split_roles(
    rows: Sequence[Mapping[str, object]],
    roles: Collection[str],
) -> tuple[list[dict[str, object]], list[RoleColumns]]:
    """Return the rows without their role columns, and for each row its role columns as they were sent."""
    plain: list[dict[str, object]] = []
    columns: list[RoleColumns] = []
    for row in rows:
        fields: dict[str, object] = {}
        assigned: dict[tuple[str, Holder], object] = {}
        for name, value in row.items():
            # The key of a reference by a unique field also contains a point.
            role, _, end = name.rpartition(".")
            if end in HOLDERS and role in roles:
                assigned[role, Holder(end)] = value
            else:
                fields[name] = value
        plain.append(fields)
        columns.append(assigned)
    return plain, columns


def read_assignments(columns: RoleColumns) -> Assignments:
    """Return the ids in a row's role columns, whose values are lists or text with commas between ids.

    :raises InvalidValue: when a value has another form, or too many ids.
    """
    read: dict[tuple[str, Holder], frozenset[int]] = {}
    for assigned, value in columns.items():
        name = ".".join(assigned)
        read[assigned] = _ids(value, name)
    return read


def _ids(value: object, column: str) -> frozenset[int]:
    items = value if isinstance(value, list) else _split(value)
    ids: set[int] = set()
    count = 0
    for item in items:
        text = str(item).strip()
        if not text:
            continue
        count += 1
        if count > MAX_ASSIGNED or not _is_id(text):
            message = (
                f"[{column}] takes ids separated by commas, at most {MAX_ASSIGNED}"
            )
            raise InvalidValue(message)
        ids.add(int(text))
    return frozenset(ids)


def _split(value: object) -> list[str]:
    text = "" if value is None else str(value)
    return text.split(",")


def _is_id(text: str) -> bool:
    # More digits than these overflow a bigint.
    if len(text) > MAX_DIGITS:
        return False
    return text.isascii() and text.isdigit()


@dataclass(frozen=True, slots=True)
class RoleRow:
    """The roles that a row assigns, or the errors that refuse it."""

    assignments: Assignments
    errors: tuple[ApiError, ...] = ()


async def read_roles(
    connection: Connection, columns: Sequence[RoleColumns]
) -> list[RoleRow]:
    """Return the roles that each row assigns; a user or group that does not exist is an error of its row."""
    read = [_read(each) for each in columns]
    for holder in Holder:
        named: set[int] = set()
        for row in read:
            named |= _named(row, holder)
        if not named:
            continue
        records = await connection.fetch(UNKNOWN[holder], list(named))
        unknown = {record[0] for record in records}
        read = [_without_unknown(row, holder, unknown) for row in read]
    return read


def _read(columns: RoleColumns) -> RoleRow:
    try:
        return RoleRow(read_assignments(columns))
    except InvalidValue as fault:
        return RoleRow({}, (fault.error,))


def _named(row: RoleRow, holder: Holder) -> set[int]:
    named: set[int] = set()
    for (_, kind), ids in row.assignments.items():
        if kind is holder:
            named |= ids
    return named


def _without_unknown(
    row: RoleRow,
    holder: Holder,
    unknown: set[int],
) -> RoleRow:
    if not _named(row, holder) & unknown:
        return row
    message = f"A role names {holder} that do not exist"
    error = ApiError(ErrorType.INVALID_DATA, message)
    return RoleRow(row.assignments, (*row.errors, error))


RoleEdit = tuple[dict[str, str], dict[str, str | None]]
"""The ``id`` of a record with its role columns before a change, and its role columns after it."""


async def store_roles(
    connection: Connection,
    registry: Registry,
    caller: Caller,
    object_name: str,
    assigned: Sequence[tuple[str, Assignments]],
    change: RoleChange,
) -> None:
    """Change the roles of records, pairs of id and assignments, and write the change to the audit trail."""
    edits = await change_roles(connection, object_name, assigned, change)
    await entries.write_edits(connection, registry, caller, object_name, edits)


async def change_roles(
    connection: Connection,
    object_name: str,
    assigned: Sequence[tuple[str, Assignments]],
    change: RoleChange,
) -> list[RoleEdit]:
    """Change the roles of records or documents, pairs of id and assignments; return the changes to audit."""
    if not assigned:
        return []
    ids = [record_id for record_id, _ in assigned]
    # Read before and after, not worked out: ids that were there already are no change.
    before = await _columns(connection, object_name, ids)
    for holder in Holder:
        await _store(connection, object_name, assigned, holder, change)
    after = await _columns(connection, object_name, ids)
    names: set[str] = set()
    for columns in (*before.values(), *after.values()):
        names |= columns.keys()
    edits: list[RoleEdit] = []
    for record_id in dict.fromkeys(ids):
        former = {"id": record_id, **before.get(record_id, {})}
        current = after.get(record_id, {})
        edits.append((former, {name: current.get(name) for name in names}))
    return edits


async def replace_roles(
    connection: Connection,
    registry: Registry,
    caller: Caller,
    object_name: str,
    outcomes: Sequence[Outcome],
    roles: Sequence[RoleRow],
) -> list[Outcome]:
    """Replace the stored roles by those of accepted rows; return the outcomes.

    A row with unchanged fields that assigns roles loses the warning that it changed nothing.
    """
    assigned: list[tuple[str, Assignments]] = []
    following: list[Outcome] = []
    for outcome, row in zip(outcomes, roles, strict=True):
        if isinstance(outcome, Refused) or not row.assignments:
            following.append(outcome)
            continue
        assigned.append((outcome.id, row.assignments))
        warning = None if outcome.newer is None else outcome.warning
        following.append(replace(outcome, warning=warning, stored_before=False))
    await store_roles(
        connection,
        registry,
        caller,
        object_name,
        assigned,
        RoleChange.REPLACE,
    )
    return following


async def _store(
    connection: Connection,
    object_name: str,
    assigned: Sequence[tuple[str, Assignments]],
    holder: Holder,
    change: RoleChange,
) -> None:
    named: list[tuple[str, str]] = []
    lines: list[tuple[str, str, int]] = []
    for record_id, assignments in assigned:
        for (role, kind), ids in assignments.items():
            if kind is holder:
                named.append((record_id, role))
                lines += [(record_id, role, each) for each in ids]
    column = COLUMN[holder]
    match change:
        case RoleChange.ADD:
            await _execute(connection, ADD, column, object_name, lines)
        case RoleChange.REMOVE:
            await _execute(connection, REMOVE, column, object_name, lines)
        case RoleChange.REPLACE:
            # By role, also where no ids follow: an empty column takes away all of them.
            cleared = _arrays(named, 2)
            await connection.execute(CLEAR.format(column=column), object_name, *cleared)
            await _execute(connection, ADD, column, object_name, lines)
        case _:
            assert_never(change)


async def _execute(
    connection: Connection,
    statement: str,
    column: str,
    object_name: str,
    lines: Sequence[tuple[str, str, int]],
) -> None:
    sql = statement.format(column=column)
    await connection.execute(sql, object_name, *_arrays(lines, 3))


async def forget_roles(
    connection: Connection,
    objects: Sequence[str],
    record_ids: Sequence[str],
) -> None:
    """Remove the roles of records that are deleted."""
    await connection.execute(FORGET, objects, record_ids)


async def _columns(
    connection: Connection,
    object_name: str,
    ids: Sequence[str],
) -> dict[str, dict[str, str]]:
    """Return record id → ``{role}.users`` or ``{role}.groups`` → ids with commas, as the audit trail shows them."""
    found: dict[str, dict[str, str]] = {}
    for row in await connection.fetch(STORED, object_name, ids):
        columns = found.setdefault(row["record_id"], {})
        for holder in Holder:
            if row[holder]:
                text = ",".join(map(str, row[holder]))
                columns[f"{row['role']}.{holder}"] = text
    return found


def _arrays(lines: Iterable[tuple[object, ...]], width: int) -> list[list[object]]:
    """Return the columns of lines that have ``width`` values each; empty columns without lines."""
    columns: list[list[object]] = [[] for _ in range(width)]
    for line in lines:
        for column, value in zip(columns, line, strict=True):
            column.append(value)
    return columns
