"""The one place where a load meets the records: a batch of rows written as its task says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

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

OPERATIONS = {
    Action.CREATE: (Operation.CREATE,),
    Action.UPDATE: (Operation.EDIT,),
    Action.UPSERT: (Operation.CREATE, Operation.EDIT),
    Action.DELETE: (Operation.DELETE,),
}


def require_writable(registry: Registry, caller: Caller, task: LoadTask) -> None:
    """Refuse a task that no row of could be written.

    :raises VaultFault: INVALID_DATA, INSUFFICIENT_ACCESS, OPERATION_NOT_ALLOWED.
    """
    target = registry.objects.get(task.object_name)
    if target is None or not target.active:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"Task {task.task_id}: there is no object [{task.object_name}]",
        )
    for operation in OPERATIONS[task.action]:
        require(caller, task.object_name, operation)
    if task.id_param is not None and task.id_param not in target.fields:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"Task {task.task_id}: invalid value for parameter [idparam]",
        )
    if task.migration_mode or task.no_triggers:
        authorize(caller, Grant.RECORD_MIGRATION)


async def write(
    records: RecordService,
    caller: Caller,
    task: LoadTask,
    rows: Sequence[Mapping[str, object]],
) -> list[RowResult]:
    """Write up to 500 rows in one unit of work; raises VaultFault when the call as a whole is refused."""
    mode = WriteMode(migration=task.migration_mode, no_triggers=task.no_triggers)
    match task.action:
        case Action.CREATE:
            return await records.create(caller, task.object_name, rows, mode=mode)
        case Action.UPDATE:
            return await records.update(
                caller, task.object_name, rows, task.id_param, mode=mode
            )
        case Action.UPSERT:
            return await records.upsert(
                caller, task.object_name, rows, task.id_param or "id", mode=mode
            )
        case Action.DELETE:
            return await records.delete(
                caller, task.object_name, rows, task.id_param, mode=mode
            )
