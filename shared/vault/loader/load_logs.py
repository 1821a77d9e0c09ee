"""Success and failure logs of a load: a line for every row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.vault.jobs.job_logs import JobLog
from shared.vault.loader.request import Action
from shared.vault.loader.sheet import LOG_COLUMNS, Batch, lines
from shared.vault.records.rows import RowResult

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
    """The logs of one task while it runs."""

    def __init__(self, database: Database, job_id: int, task: LoadTask) -> None:
        self._task = task
        self._success = JobLog(database, job_id, task.task_id, SUCCESS_LOG)
        self._failure = JobLog(database, job_id, task.task_id, FAILURE_LOG)

    async def begin(self, connection: Connection, header: Sequence[str]) -> None:
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
        """Write what became of each row of a batch, and return how many failed."""
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
        self, connection: Connection, header: Sequence[str], reason: str
    ) -> None:
        """Write that the rest of the file could not be read."""
        line = ("FAILURE", f"INVALID_DATA|{reason}", *("" for _ in _columns(header)))
        await self._failure.append(connection, lines([line]))

    async def publish(self, files: FileStore) -> None:
        """Store both logs as files."""
        await self._success.publish(files)
        await self._failure.publish(files)

    async def clear(self, connection: Connection) -> None:
        """Remove the lines, once they are files."""
        await self._success.clear(connection)
        await self._failure.clear(connection)

    def _success_line(
        self, row: dict[str, str], result: RowResult, number: int
    ) -> Sequence[object]:
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


def _failure_line(row: dict[str, str], result: RowResult) -> Sequence[object]:
    errors = "\n".join(f"{error.type}|{error.message}" for error in result.errors)
    return ("FAILURE", errors, *(row[name] for name in _columns(row)))


def _columns(header: Sequence[str] | dict[str, str]) -> list[str]:
    return [name for name in header if name not in LOG_COLUMNS]
