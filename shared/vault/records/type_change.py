"""Changing the object type of records: what the new type does not have is emptied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation
from shared.vault.components.platform import PLATFORM_FIELD_TYPES
from shared.vault.errors import VaultFault
from shared.vault.records.record_service import fail_unnamed
from shared.vault.records.row_reader import TYPE_NAME_KEY
from shared.vault.records.rows import TYPE_CHANGE, Row

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.model.component_model import VaultObject
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.rows import RowResult
    from shared.vault.storage.database import Connection

TYPE_KEYS = ("object_type__v", TYPE_NAME_KEY)


async def change_types(
    records: RecordService,
    components: ComponentService,
    caller: Caller,
    object_name: str,
    rows: Sequence[Mapping[str, object]],
) -> list[RowResult]:
    """Give each record, named by ``id``, the object type of its row, by id or by name; results in input order."""

    async def work(connection: Connection) -> list[Row]:
        target = records.target(caller, object_name, rows, Operation.EDIT)
        if not target.allow_types:
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED, f"[{object_name}] has no object types"
            )
        key = target.fields["id"]
        read = records.reader(target).read(rows, key)
        for row, source in zip(read, rows, strict=True):
            for name in source.keys() - {"id", *TYPE_KEYS}:
                row.fail(
                    ErrorType.ATTRIBUTE_NOT_SUPPORTED,
                    f"A change of type takes no field [{name[:100]}]",
                )
            if not row.errors and "object_type__v" not in row.values:
                row.fail(
                    ErrorType.PARAMETER_REQUIRED,
                    "Missing required parameter [object_type__v]",
                )
            _empty_others(row, target, components.registry)
        batch = records.batch(connection, caller, target, TYPE_CHANGE)
        stored = await batch.lock(read, key)
        fail_unnamed(read, stored, key)
        await batch.update(
            [row for row in read if not row.errors], stored, warn_unchanged=True
        )
        return read

    return await records.carry_out(work)


def _empty_others(row: Row, target: VaultObject, registry: Registry) -> None:
    chosen = registry.object_type(str(row.values.get("object_type__v")))
    if chosen is None or not chosen.fields:
        return  # a type that declares no fields has all of them
    for name in (
        target.fields.keys() - chosen.fields.keys() - PLATFORM_FIELD_TYPES.keys()
    ):
        row.values[name] = None
