"""Roles on records: which users and groups are given them by hand; kept, returned and audited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from shared.vault.audit import entries
from shared.vault.errors import ErrorType, VaultFault
from shared.vault.records.role_rows import GROUPS, USERS, Assignments, read_assignments, roles_of, split_roles
from shared.vault.records.values import InvalidValue
from shared.vault.security.permissions import Operation, require

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry
    from shared.vault.records.results import RowResult
    from shared.vault.records.rows import Row
    from shared.vault.records.service import RecordService, Source
    from shared.vault.security.caller import Caller
    from shared.vault.storage.components import ComponentService
    from shared.vault.storage.database import Connection, Database

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


class RoleService:
    """The role calls of the API."""

    def __init__(self, database: Database, components: ComponentService, records: RecordService) -> None:
        self._database = database
        self._components = components
        self._records = records

    async def assigned(
        self, caller: Caller, object_name: str, record_id: str
    ) -> dict[str, dict[str, list[int] | None]]:
        """The roles of a record that users or groups have, by name; raises VaultFault."""
        registry = self._components.registry
        if object_name not in registry.objects:
            raise VaultFault(ErrorType.INVALID_DATA, f"There is no object [{object_name[:100]}]")
        require(caller, object_name, Operation.READ)
        await self._records.state_of(registry.objects[object_name], record_id)  # it has to exist
        async with self._database.connection() as connection:
            rows = await connection.fetch(STORED, object_name, [record_id])
        return {row["role"]: {"users": row["users"], "groups": row["groups"]} for row in rows}

    async def change(self, caller: Caller, object_name: str, rows: Source, *, remove: bool) -> list[RowResult]:
        """Add the users and groups of each row's ``{role}.users`` and ``{role}.groups``, or remove them."""

        async def work(connection: Connection) -> list[Row]:
            target = self._records.target(caller, object_name, rows, Operation.EDIT)
            plain, columns = split_roles(rows, roles_of(self._components.registry))
            ids = [str(row.get("id") or "") for row in plain]
            read = await self._records.change_in(connection, caller, target, ids, {}, {})
            for row, fields, given in zip(read, plain, columns, strict=True):
                if fields.keys() - {"id"}:
                    row.fail(ErrorType.ATTRIBUTE_NOT_SUPPORTED, "A row takes id, {role}.users and {role}.groups")
                elif not given:
                    row.fail(ErrorType.PARAMETER_REQUIRED, "The row names no users and no groups of a role")
            registry = self._components.registry
            wanted = await wanted_roles(connection, read, columns)
            await store_roles(connection, registry, caller, object_name, wanted, add=not remove, clear=remove)
            return read

        return await self._records.carry_out(work)


async def wanted_roles(
    connection: Connection, rows: Sequence[Row], columns: Sequence[Mapping[tuple[str, str], object]]
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
        named = {each for _, roles in wanted for (_, of), ids in roles.items() if of == kind for each in ids}
        unknown = {record[0] for record in await connection.fetch(sql, list(named))} if named else set()
        for row, roles in wanted:
            if any(of == kind and ids & unknown for (_, of), ids in roles.items()):
                row.fail(ErrorType.INVALID_DATA, f"A role names {kind} that do not exist")
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
            all_of_them = "true" if add else f"r.{column} = ANY(string_to_array(u.ids, ',')::bigint[])"
            await connection.execute(
                f"DELETE FROM platform.record_role r USING unnest($2::text[], $3::text[], $4::text[])"
                f" AS u(record_id, role, ids) WHERE r.object = $1 AND r.record_id = u.record_id AND r.role = u.role"
                f" AND r.{column} IS NOT NULL AND {all_of_them}",
                object_name,
                *_arrays((record_id, role, ",".join(map(str, given))) for record_id, role, given in lines),
            )
        if add:
            await connection.execute(
                f"INSERT INTO platform.record_role (object, record_id, role, {column})"
                f" SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[]) ON CONFLICT DO NOTHING",
                object_name,
                *_arrays((record_id, role, each) for record_id, role, given in lines for each in given),
            )
    after = await _columns(connection, object_name, ids)
    names = {name for columns in (*before.values(), *after.values()) for name in columns}
    changes = [
        ({"id": i, **before.get(i, {})}, {name: after.get(i, {}).get(name) for name in names})
        for i in dict.fromkeys(ids)
    ]
    await entries.edited(connection, registry, caller, object_name, changes)


async def forget_roles(connection: Connection, objects: Sequence[str], record_ids: Sequence[str]) -> None:
    """Remove the roles of records that are deleted."""
    await connection.execute(
        "DELETE FROM platform.record_role r USING unnest($1::text[], $2::text[]) AS u(object, record_id)"
        " WHERE r.object = u.object AND r.record_id = u.record_id",
        objects,
        record_ids,
    )


async def _columns(connection: Connection, object_name: str, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """By record, the role columns as the audit trail tells them: ``{role}.users`` → ids with commas."""
    found: dict[str, dict[str, str]] = {}
    for row in await connection.fetch(STORED, object_name, ids):
        for kind in COLUMN:
            if row[kind]:
                found.setdefault(row["record_id"], {})[f"{row['role']}.{kind}"] = ",".join(map(str, row[kind]))
    return found


def _arrays(lines: Iterable[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*lines, strict=True)] or [[], [], []]
