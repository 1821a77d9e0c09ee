"""Carries out the role calls of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, require
from shared.vault.errors import VaultFault
from shared.vault.records.record_roles import roles_of, split_roles

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.records.record_service import RecordService, Source
    from shared.vault.records.rows import Row, RowResult
    from shared.vault.storage.database import Connection, Database
from shared.vault.records.record_roles import STORED, store_roles, wanted_roles


class RoleService:
    """The role calls of the API."""

    def __init__(
        self, database: Database, components: ComponentService, records: RecordService
    ) -> None:
        self._database = database
        self._components = components
        self._records = records

    async def assigned(
        self, caller: Caller, object_name: str, record_id: str
    ) -> dict[str, dict[str, list[int] | None]]:
        """The roles of a record that users or groups have, by name; raises VaultFault."""
        registry = self._components.registry
        if object_name not in registry.objects:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"There is no object [{object_name[:100]}]"
            )
        require(caller, object_name, Operation.READ)
        await self._records.state_of(
            registry.objects[object_name], record_id
        )  # it has to exist
        async with self._database.connection() as connection:
            rows = await connection.fetch(STORED, object_name, [record_id])
        return {
            row["role"]: {"users": row["users"], "groups": row["groups"]}
            for row in rows
        }

    async def change(
        self, caller: Caller, object_name: str, rows: Source, *, remove: bool
    ) -> list[RowResult]:
        """Add the users and groups of each row's ``{role}.users`` and ``{role}.groups``, or remove them."""

        async def work(connection: Connection) -> list[Row]:
            target = self._records.target(caller, object_name, rows, Operation.EDIT)
            plain, columns = split_roles(rows, roles_of(self._components.registry))
            ids = [str(row.get("id") or "") for row in plain]
            read = await self._records.change_in(
                connection, caller, target, ids, {}, {}
            )
            for row, fields, given in zip(read, plain, columns, strict=True):
                if fields.keys() - {"id"}:
                    row.fail(
                        ErrorType.ATTRIBUTE_NOT_SUPPORTED,
                        "A row takes id, {role}.users and {role}.groups",
                    )
                elif not given:
                    row.fail(
                        ErrorType.PARAMETER_REQUIRED,
                        "The row names no users and no groups of a role",
                    )
            registry = self._components.registry
            wanted = await wanted_roles(connection, read, columns)
            await store_roles(
                connection,
                registry,
                caller,
                object_name,
                wanted,
                add=not remove,
                clear=remove,
            )
            return read

        return await self._records.carry_out(work)
