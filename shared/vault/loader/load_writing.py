"""Writes the batches of a load to the records, as their task asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, assert_never

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, Operation, authorize, require
from shared.vault.errors import VaultFault
from shared.vault.loader.request import Action, LoadTask
from shared.vault.records.rows import WriteMode

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.rows import RowResult


def operations(action: Action) -> tuple[Operation, ...]:
    """Return what a caller must be allowed to do with the object of a load."""
    match action:
        case Action.CREATE:
            return (Operation.CREATE,)
        case Action.UPDATE:
            return (Operation.EDIT,)
        case Action.UPSERT:
            return (Operation.CREATE, Operation.EDIT)
        case Action.DELETE:
            return (Operation.DELETE,)
        case _:
            assert_never(action)


def require_writable(registry: Registry, caller: Caller, task: LoadTask) -> None:
    """Refuse a task of which no row could be written.

    :raises VaultFault: INVALID_DATA, INSUFFICIENT_ACCESS, OPERATION_NOT_ALLOWED.
    """
    target = registry.objects.get(task.object_name)
    if target is None or not target.active:
        message = f"Task {task.task_id}: there is no object [{task.object_name}]"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    for operation in operations(task.action):
        require(caller, task.object_name, operation)
    if task.id_param is not None and task.id_param not in target.fields:
        message = f"Task {task.task_id}: invalid value for parameter [idparam]"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    # Both leave out rules that otherwise protect the data of the Vault.
    if task.migration_mode or task.no_triggers:
        authorize(caller, Grant.RECORD_MIGRATION)


async def write(
    records: RecordService,
    caller: Caller,
    task: LoadTask,
    rows: Sequence[Mapping[str, object]],
) -> list[RowResult]:
    """Write up to 500 rows in one unit of work; return the result of each.

    :raises VaultFault: when the rows are refused as a whole.
    """
    name, key = task.object_name, task.id_param
    # An upsert always names its rows by a field; without one by their ids.
    mode = WriteMode(migration=task.migration_mode, no_triggers=task.no_triggers)
    match task.action:
        case Action.CREATE:
            return await records.create(caller, name, rows, mode=mode)
        case Action.UPDATE:
            return await records.update(caller, name, rows, key, mode=mode)
        case Action.UPSERT:
            return await records.upsert(caller, name, rows, key or "id", mode=mode)
        case Action.DELETE:
            return await records.delete(caller, name, rows, key, mode=mode)
        case _:
            assert_never(task.action)
