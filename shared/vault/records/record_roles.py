"""Roles on records: which users and groups are given them by hand; kept, returned and audited."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.audit import audit_entries as entries
from shared.vault.records.field_values import InvalidValue

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.records.rows import Row
    from shared.vault.storage.database import Connection


USERS, GROUPS = "users", "groups"


STANDARD_ROLES = frozenset({"owner__v", "editor__v", "viewer__v"})


MAX_ASSIGNED = 1000  # users or groups in one column of a row


Assignments = Mapping[tuple[str, str], frozenset[int]]
"""Ids of users or groups by role and kind (``users``, ``groups``)."""


def roles_of(registry: Registry) -> frozenset[str]:
    """The roles there are on records: the standard ones, and the active Applicationrole components."""
    declared = {
        component.name
        for component in registry.components.values()
        if component.type == "Applicationrole" and component.flag("active", True)
    }
    return STANDARD_ROLES | declared


def split_roles(
    rows: Sequence[Mapping[str, object]], roles: Collection[str]
) -> tuple[list[dict[str, object]], list[dict[tuple[str, str], object]]]:
    """The rows without their role columns, and these by role and kind, as they came."""
    fields: list[dict[str, object]] = []
    columns: list[dict[tuple[str, str], object]] = []
    for row in rows:
        own: dict[str, object] = {}
        given: dict[tuple[str, str], object] = {}
        for name, value in row.items():
            role, _, kind = name.rpartition(".")
            if kind in (USERS, GROUPS) and role in roles:
                given[role, kind] = value
            else:
                own[name] = value
        fields.append(own)
        columns.append(given)
    return fields, columns


def read_assignments(columns: Mapping[tuple[str, str], object]) -> Assignments:
    """The ids in a row's role columns: a list, or text with commas between; none for an empty one.

    :raises InvalidValue: when they are anything else, or too many.
    """
    return {
        (role, kind): _ids(value, f"{role}.{kind}")
        for (role, kind), value in columns.items()
    }


def _ids(value: object, column: str) -> frozenset[int]:
    items: Iterable[object] = (
        value
        if isinstance(value, list)
        else str("" if value is None else value).split(",")
    )
    texts = [text for item in items if (text := str(item).strip())]
    if len(texts) > MAX_ASSIGNED or not all(
        text.isascii() and text.isdigit() and len(text) <= 18 for text in texts
    ):
        raise InvalidValue(
            f"[{column}] takes ids separated by commas, at most {MAX_ASSIGNED}"
        )
    return frozenset(map(int, texts))


Assigned = dict[str, dict[str, list[int] | None]]
"""By role, the ids of its users and groups."""

STORED = """
SELECT record_id, role, array_agg(user_id ORDER BY user_id) FILTER (WHERE user_id IS NOT NULL) AS users,
    array_agg(group_id ORDER BY group_id) FILTER (WHERE group_id IS NOT NULL) AS groups
FROM platform.record_role WHERE object = $1 AND record_id = ANY($2::text[]) GROUP BY record_id, role ORDER BY role
"""
UNKNOWN = {
    USERS: "SELECT unnest($1::bigint[]) EXCEPT SELECT user_id FROM platform.credential",
    GROUPS: "SELECT unnest($1::bigint[]) EXCEPT SELECT id FROM platform.user_group",
}
COLUMN = {USERS: "user_id", GROUPS: "group_id"}


async def wanted_roles(
    connection: Connection,
    rows: Sequence[Row],
    columns: Sequence[Mapping[tuple[str, str], object]],
) -> list[tuple[Row, Assignments]]:
    """What the rows without errors assign; a row that names who is not there gets an error."""
    wanted: list[tuple[Row, Assignments]] = []
    for row, given in zip(rows, columns, strict=True):
        try:
            if given and not row.errors:
                wanted.append((row, read_assignments(given)))
        except InvalidValue as fault:
            row.errors.append(fault.error)
    for kind, sql in UNKNOWN.items():
        named = {
            each
            for _, roles in wanted
            for (_, of), ids in roles.items()
            if of == kind
            for each in ids
        }
        unknown = (
            {record[0] for record in await connection.fetch(sql, list(named))}
            if named
            else set()
        )
        for row, roles in wanted:
            if any(of == kind and ids & unknown for (_, of), ids in roles.items()):
                row.fail(
                    ErrorType.INVALID_DATA, f"A role names {kind} that do not exist"
                )
    return [(row, roles) for row, roles in wanted if not row.errors]


async def store_roles(
    connection: Connection,
    registry: Registry,
    caller: Caller,
    object_name: str,
    wanted: Sequence[tuple[Row, Assignments]],
    *,
    add: bool,
    clear: bool,
) -> None:
    """Change roles of records: add the ids, take them away, or with both put them in place of what there was."""
    if not wanted:
        return
    ids = [str(row.id) for row, _ in wanted]
    before = await _columns(connection, object_name, ids)
    for kind, column in COLUMN.items():
        lines = [
            (str(row.id), role, list(given))
            for row, roles in wanted
            for (role, of), given in roles.items()
            if of == kind
        ]
        if clear:
            all_of_them = (
                "true"
                if add
                else f"r.{column} = ANY(string_to_array(u.ids, ',')::bigint[])"
            )
            await connection.execute(
                f"DELETE FROM platform.record_role r USING unnest($2::text[], $3::text[], $4::text[])"
                f" AS u(record_id, role, ids) WHERE r.object = $1 AND r.record_id = u.record_id AND r.role = u.role"
                f" AND r.{column} IS NOT NULL AND {all_of_them}",
                object_name,
                *_arrays(
                    (record_id, role, ",".join(map(str, given)))
                    for record_id, role, given in lines
                ),
            )
        if add:
            await connection.execute(
                f"INSERT INTO platform.record_role (object, record_id, role, {column})"
                f" SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[]) ON CONFLICT DO NOTHING",
                object_name,
                *_arrays(
                    (record_id, role, each)
                    for record_id, role, given in lines
                    for each in given
                ),
            )
    after = await _columns(connection, object_name, ids)
    names = {
        name for columns in (*before.values(), *after.values()) for name in columns
    }
    changes = [
        (
            {"id": i, **before.get(i, {})},
            {name: after.get(i, {}).get(name) for name in names},
        )
        for i in dict.fromkeys(ids)
    ]
    await entries.edited(connection, registry, caller, object_name, changes)


async def forget_roles(
    connection: Connection, objects: Sequence[str], record_ids: Sequence[str]
) -> None:
    """Remove the roles of records that are deleted."""
    await connection.execute(
        "DELETE FROM platform.record_role r USING unnest($1::text[], $2::text[]) AS u(object, record_id)"
        " WHERE r.object = u.object AND r.record_id = u.record_id",
        objects,
        record_ids,
    )


async def _columns(
    connection: Connection, object_name: str, ids: Sequence[str]
) -> dict[str, dict[str, str]]:
    """By record, the role columns as the audit trail tells them: ``{role}.users`` → ids with commas."""
    found: dict[str, dict[str, str]] = {}
    for row in await connection.fetch(STORED, object_name, ids):
        for kind in COLUMN:
            if row[kind]:
                found.setdefault(row["record_id"], {})[f"{row['role']}.{kind}"] = (
                    ",".join(map(str, row[kind]))
                )
    return found


def _arrays(lines: Iterable[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*lines, strict=True)] or [[], [], []]
