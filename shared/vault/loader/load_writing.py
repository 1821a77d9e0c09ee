"""Writes the batches of a load to the records, by the action of their task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, assert_never

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, Operation, authorize, require
from shared.vault.errors import VaultFault, bounded_errors
from shared.vault.jobs.job_logs import JobLog
from shared.vault.loader.request import OBJECTS, Action, LoadTask
from shared.vault.loader.sheet import LOG_COLUMNS, Batch, lines
from shared.vault.model.field_types import DOCUMENTS
from shared.vault.records.rows import RowResult, WriteMode

if TYPE_CHECKING:
    from shared.vault.files.file_store import FileStore
    from shared.vault.loader.request import LoadTask
    from shared.vault.storage.database import Connection, Database


SUCCESS_LOG = "successlog"
FAILURE_LOG = "failurelog"
RESULTS = "results"

SUCCESS_HEADER = (
    "responseStatus",
    "id",
    "name__v",
    "external_id__v",
    "errors",
    "rowId",
    "event",
    "id_param_value",
)


class TaskLog:
    """The logs of one running task."""

    def __init__(
        self,
        database: Database,
        job_id: int,
        task: LoadTask,
    ) -> None:
        self._task = task
        self._success = JobLog(
            database,
            job_id,
            task.task_id,
            SUCCESS_LOG,
        )
        self._failure = JobLog(
            database,
            job_id,
            task.task_id,
            FAILURE_LOG,
        )

    async def begin(
        self,
        connection: Connection,
        header: Sequence[str],
    ) -> None:
        """Write the header lines."""
        await self._success.append(connection, lines([SUCCESS_HEADER]))
        await self._failure.append(
            connection, lines([(*LOG_COLUMNS, *_columns(header))])
        )

    async def add(
        self,
        connection: Connection,
        header: Sequence[str],
        batch: Batch,
        results: Sequence[RowResult],
    ) -> int:
        """Write the result of each row of a batch, and return the number of failed rows."""
        succeeded, failed = [], []
        for number, (cells, result) in enumerate(
            zip(batch.rows, results, strict=True), batch.first
        ):
            row = dict(zip(header, cells, strict=True))
            if result.ok:
                succeeded.append(self._success_line(row, result, number))
            else:
                failed.append(_failure_line(row, result))
        await self._success.append(connection, lines(succeeded))
        await self._failure.append(connection, lines(failed))
        return len(failed)

    async def refuse_rest(
        self,
        connection: Connection,
        header: Sequence[str],
        reason: str,
    ) -> None:
        """Write that the rest of the file could not be read."""
        line = ("FAILURE", f"INVALID_DATA|{reason}", *("" for _ in _columns(header)))
        await self._failure.append(connection, lines([line]))

    async def publish(self, files: FileStore) -> None:
        """Store both logs as files."""
        await self._success.publish(files)
        await self._failure.publish(files)

    async def clear(self, connection: Connection) -> None:
        """Remove the lines once they are stored as files."""
        await self._success.clear(connection)
        await self._failure.clear(connection)

    def _success_line(
        self,
        row: dict[str, str],
        result: RowResult,
        number: int,
    ) -> Sequence[object]:
        # Without a key field rows are named by their ids, which rows to be created do not have.
        by_id = self._task.id_param is None and self._task.action is not Action.CREATE
        return (
            "WARNING" if result.warning else "SUCCESS",
            result.id or (result.id_param_value if by_id else None),
            row.get("name__v"),
            row.get("external_id__v"),
            None,
            number,
            result.event,
            None if by_id else result.id_param_value,
        )


def _failure_line(
    row: dict[str, str],
    result: RowResult,
) -> Sequence[object]:
    errors = "\n".join(
        f"{error.type}|{error.message}" for error in bounded_errors(result.errors)
    )
    return ("FAILURE", errors, *(row[name] for name in _columns(row)))


def _columns(header: Sequence[str] | dict[str, str]) -> list[str]:
    # A failure log that is loaded again has the columns of the log already.
    return [name for name in header if name not in LOG_COLUMNS]


if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.rows import RowResult


def operations(action: Action) -> tuple[Operation, ...]:
    """Return the operations on the object that a load requires of its caller."""
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


def document_operations(task: LoadTask) -> tuple[Operation, ...]:
    """Return the operations that a load of documents, or of parts of documents, requires of its caller."""
    # A document's roles, relationships and renditions are changes of it, and so is a new version.
    of_document = task.kind in ("documents__v", "document_versions__v")
    if of_document and task.action is Action.DELETE:
        return (Operation.DELETE,)
    if task.kind == "documents__v":
        return operations(task.action)
    return (Operation.EDIT,)


def require_writable(
    registry: Registry,
    caller: Caller,
    task: LoadTask,
) -> None:
    """Refuse a task of which no row could be written.

    :raises VaultFault: INVALID_DATA, INSUFFICIENT_ACCESS, OPERATION_NOT_ALLOWED.
    """
    if task.kind != OBJECTS:
        for operation in document_operations(task):
            require(caller, DOCUMENTS, operation)
        if task.migration_mode:
            authorize(caller, Grant.DOCUMENT_MIGRATION)
        return
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
    """Write up to 500 rows in one transaction; return the result of each.

    :raises VaultFault: when the rows are refused as a whole.
    """
    name, key = task.object_name, task.id_param
    # An upsert always names its rows by a field; without one by their ids.
    mode = WriteMode(migration=task.migration_mode, no_triggers=task.no_triggers)
    match task.action:
        case Action.CREATE:
            return await records.create(
                caller,
                name,
                rows,
                mode=mode,
            )
        case Action.UPDATE:
            return await records.update(
                caller,
                name,
                rows,
                key,
                mode=mode,
            )
        case Action.UPSERT:
            return await records.upsert(
                caller,
                name,
                rows,
                key or "id",
                mode=mode,
                repeats=True,
            )
        case Action.DELETE:
            return await records.delete(
                caller,
                name,
                rows,
                key,
                mode=mode,
            )
        case _:
            assert_never(task.action)
