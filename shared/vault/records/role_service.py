"""Carries out the role calls of the API: reads the roles of a record, and adds and removes users and groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, require
from shared.vault.errors import ApiError, VaultFault
from shared.vault.records.record_roles import (
    STORED,
    Assignments,
    RoleChange,
    RoleColumns,
    read_roles,
    roles_of,
    split_roles,
    store_roles,
)

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.model.component_model import VaultObject
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.record_writes import Source
    from shared.vault.records.rows import RowResult
    from shared.vault.storage.database import Connection, Database


class RoleService:
    """Carries out the role calls of the API."""

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        records: RecordService,
    ) -> None:
        self._database = database
        self._components = components
        self._records = records

    async def assigned(
        self,
        caller: Caller,
        object_name: str,
        record_id: str,
    ) -> dict[str, dict[str, list[int] | None]]:
        """Return the roles of a record that users or groups have: role → ``users`` and ``groups`` → ids.

        :raises VaultFault: INSUFFICIENT_ACCESS, and INVALID_DATA for an unknown object or record.
        """
        registry = self._components.registry
        if object_name not in registry.objects:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"There is no object [{object_name[:100]}]"
            )
        require(caller, object_name, Operation.READ)
        # A record without roles has no row there: this is what finds out that it does not exist.
        await self._records.state_of(registry.objects[object_name], record_id)
        async with self._database.connection() as connection:
            rows = await connection.fetch(STORED, object_name, [record_id])
        roles: dict[str, dict[str, list[int] | None]] = {}
        for row in rows:
            roles[row["role"]] = {"users": row["users"], "groups": row["groups"]}
        return roles

    async def change(
        self,
        caller: Caller,
        object_name: str,
        rows: Source,
        *,
        remove: bool,
    ) -> list[RowResult]:
        """Add the users and groups of each row's ``{role}.users`` and ``{role}.groups``, or remove them.

        :raises VaultFault: INSUFFICIENT_ACCESS, and INVALID_DATA or PARAMETER_REQUIRED for a call as a whole.
        """
        change = RoleChange.REMOVE if remove else RoleChange.ADD

        async def work(connection: Connection) -> list[RowResult]:
            target = self._records.target(caller, object_name, rows, Operation.EDIT)
            return await self._change_in(connection, caller, target, rows, change)

        return await self._records.carry_out(work, object_name)

    async def _change_in(
        self,
        connection: Connection,
        caller: Caller,
        target: VaultObject,
        rows: Source,
        change: RoleChange,
    ) -> list[RowResult]:
        registry = self._components.registry
        plain, columns = split_roles(rows, roles_of(registry))
        # A row without an id names no record, and fails like one that names an unknown one.
        ids = [str(row.get("id") or "") for row in plain]
        # Changes nothing, but locks the records and finds out which of them exist.
        locked = await self._records.change_in(connection, caller, target, ids, {}, {})
        checked: list[RowResult] = []
        wanted: list[RoleColumns] = []
        for result, fields, assigned in zip(locked, plain, columns, strict=True):
            row = _checked(result, fields, assigned)
            checked.append(row)
            # A refused row assigns nothing, and whom it names is not looked up.
            wanted.append(assigned if row.ok else {})
        roles = await read_roles(connection, wanted)
        results: list[RowResult] = []
        assignments: list[tuple[str, Assignments]] = []
        for row, read in zip(checked, roles, strict=True):
            result = _with_errors(row, *read.errors)
            results.append(result)
            if result.ok:
                assignments.append((str(result.id), read.assignments))
        await store_roles(
            connection, registry, caller, target.name, assignments, change
        )
        return results


def _checked(
    result: RowResult,
    fields: Mapping[str, object],
    columns: RoleColumns,
) -> RowResult:
    """Return the result of locking a row's record; refuse a row that has other fields, or no roles."""
    if fields.keys() - {"id"}:
        message = "A row takes id, {role}.users and {role}.groups"
        error = ApiError(ErrorType.ATTRIBUTE_NOT_SUPPORTED, message)
        return _with_errors(result, error)
    if not columns:
        message = "The row names no users and no groups of a role"
        error = ApiError(ErrorType.PARAMETER_REQUIRED, message)
        return _with_errors(result, error)
    return result


def _with_errors(result: RowResult, *errors: ApiError) -> RowResult:
    if not errors:
        return result
    together = (*result.errors, *errors)
    return replace(result, errors=together)
