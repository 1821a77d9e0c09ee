"""Changes the object type of records, and empties the fields that the new type does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation
from shared.vault.errors import VaultFault
from shared.vault.records.row_reader import TYPE, TYPE_NAME_KEY
from shared.vault.records.row_rules import fail_unnamed
from shared.vault.records.rows import TYPE_CHANGE, ResolvedRow
from shared.vault.records.type_fields import lacking_fields

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.model.component_model import VaultObject
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.rows import ReadRow, RowResult
    from shared.vault.storage.database import Connection

TYPE_KEYS = (TYPE, TYPE_NAME_KEY)


async def change_types(
    records: RecordService,
    components: ComponentService,
    caller: Caller,
    object_name: str,
    rows: Sequence[Mapping[str, object]],
) -> list[RowResult]:
    """Change the object type of records; return results in input order.

    Each row has the ``id`` of a record, and the id or the name of its new type.

    :raises VaultFault: OPERATION_NOT_ALLOWED for an object without types; and as ``RecordService.target`` does.
    """

    async def work(connection: Connection) -> list[RowResult]:
        target = records.target(caller, object_name, rows, Operation.EDIT)
        if not target.allow_types:
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED, f"[{object_name}] has no object types"
            )
        key = target.fields["id"]
        read = records.reader(target).read(rows, key)
        for row, source in zip(read, rows, strict=True):
            _check(row, source)
        # Nothing in these rows refers to a record: they are resolved as they are.
        typed = [_emptied(row, target, components.registry) for row in read]
        batch = records.batch(connection, caller, target, TYPE_CHANGE)
        stored = await batch.lock(typed, key)
        fail_unnamed(typed, stored, key)
        return [*await batch.update(typed, stored, warn_unchanged=True)]

    return await records.carry_out(work, object_name)


def _check(row: ReadRow, source: Mapping[str, object]) -> None:
    """Fail a row that has other fields than its id and object type, or no type."""
    for name in source.keys() - {"id", *TYPE_KEYS}:
        row.fail(
            ErrorType.ATTRIBUTE_NOT_SUPPORTED,
            f"A change of type takes no field [{name[:100]}]",
        )
    if not row.errors and TYPE not in row.values:
        row.fail(ErrorType.PARAMETER_REQUIRED, f"Missing required parameter [{TYPE}]")


def _emptied(
    row: ReadRow,
    target: VaultObject,
    registry: Registry,
) -> ResolvedRow:
    """Return the row with the fields that its object type does not have set to null."""
    values = dict(row.values)
    chosen = registry.object_type(str(values.get(TYPE)))
    if chosen is not None:
        values |= dict.fromkeys(lacking_fields(target, chosen))
    return ResolvedRow(
        index=row.index,
        key=row.key,
        values=values,
        errors=list(row.errors),
    )
