"""The load job: each file read batch by batch, each batch written and noted in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault
from shared.vault.jobs.job_model import JobContext, JobResult, JobStatus, TaskState
from shared.vault.loader.load_logs import TaskLog
from shared.vault.loader.load_writing import write
from shared.vault.loader.request import LoadTask
from shared.vault.loader.sheet import LOG_COLUMNS, Batch, SheetReader
from shared.vault.records.rows import MAX_ROWS, RowResult
from shared.vault.storage.database import also_in_unit_of_work

if TYPE_CHECKING:
    from shared.vault.files.file_store import Item
    from shared.vault.storage.database import Connection

LOAD = "loader_load"


@dataclass(slots=True)
class Progress:
    """How far one task has come."""

    rows: int = 0
    failure: int = 0
    begun: bool = False
    read: bool = False
    done: bool = False
    faulty: bool = False  # the file could not be read to its end

    @property
    def counts(self) -> dict[str, int]:
        """The task's counts as the API shows them."""
        return {
            "total": self.rows,
            "success": self.rows - self.failure,
            "failure": self.failure,
        }

    @property
    def state(self) -> TaskState:
        """The task's state."""
        if not self.done:
            return TaskState.RUNNING
        return (
            TaskState.ERRORS_ENCOUNTERED
            if self.failure or self.faulty
            else TaskState.SUCCESS
        )


async def load(context: JobContext) -> JobResult:
    """Load the files of all tasks, in the order that the tasks give."""
    stored: Sequence[Mapping[str, object]] = context.parameters["tasks"]  # type: ignore[assignment]
    tasks = sorted(
        (LoadTask.from_json(task) for task in stored),
        key=lambda task: (task.order, int(task.task_id)),
    )
    saved: Mapping[str, Any] = context.checkpoint.get("tasks", {})  # type: ignore[assignment]
    progress = {task.task_id: Progress(**saved.get(task.task_id, {})) for task in tasks}
    for task in sorted(tasks, key=lambda task: int(task.task_id)):
        if not progress[task.task_id].begun:
            await context.progress(task.task_id, {}, state=TaskState.QUEUED)
    for task in tasks:
        if not progress[task.task_id].done:
            await _TaskRun(context, task, progress).run()
    failed = any(each.state is not TaskState.SUCCESS for each in progress.values())
    status = JobStatus.ERRORS_ENCOUNTERED if failed else JobStatus.SUCCESS
    return JobResult(
        status, {"tasks": {task_id: each.counts for task_id, each in progress.items()}}
    )


class _TaskRun:
    """One task of a load, taken up where the run before has left it."""

    def __init__(
        self, context: JobContext, task: LoadTask, progress: dict[str, Progress]
    ) -> None:
        self._context = context
        self._task = task
        self._all = progress
        self._progress = progress[task.task_id]
        self._log = TaskLog(context.vault.database, context.job_id, task)
        self._header: list[str] = []

    async def run(self) -> None:
        if not self._progress.read:
            try:
                await self._read()
            except VaultFault as fault:
                await self._note_fault(fault)
        await self._publish()

    async def _read(self) -> None:
        vault = self._context.vault
        item = await vault.files.find(self._task.key)
        if item is None or version_of(item) != self._task.version:
            raise VaultFault(
                ErrorType.INVALID_DATA,
                "The file has been changed or removed since the job was submitted",
            )
        reader = SheetReader(vault.files.get(item.key), MAX_ROWS)
        self._header = await reader.read_header()
        if not self._progress.begun:
            async with vault.database.transaction() as connection:
                await self._begin(connection)
        await reader.skip(self._progress.rows)
        async for batch in reader.batches():
            self._context.raise_if_stopped()
            await self._write(batch)
        self._progress.read = True

    async def _begin(self, connection: Connection) -> None:
        await self._log.begin(connection, self._header)
        self._progress.begun = True
        await self._save(connection)

    async def _write(self, batch: Batch) -> None:
        """Write a batch and note it, both or neither; a batch that is refused as a whole is noted alone."""
        names = [None if name in LOG_COLUMNS else name for name in self._header]
        rows = [
            {n: c for n, c in zip(names, cells, strict=True) if n is not None}
            for cells in batch.rows
        ]
        before = asdict(self._progress)

        async def note(connection: Connection, outcome: object) -> None:
            # A unit of work that is run again has noted nothing yet.
            self._all[self._task.task_id] = self._progress = Progress(**before)
            await self._note(connection, batch, _results(outcome))

        vault = self._context.vault
        try:
            caller = self._context.caller
            filled = await vault.attachment_fields.with_files(
                caller, self._task.object_name, rows
            )
            with also_in_unit_of_work(note):
                await write(vault.records, caller, self._task, filled)
        except VaultFault as fault:
            refused = [RowResult(errors=(fault.error,)) for _ in rows]
            async with vault.database.transaction() as connection:
                await note(connection, refused)

    async def _note(
        self, connection: Connection, batch: Batch, results: Sequence[RowResult]
    ) -> None:
        self._progress.failure += await self._log.add(
            connection, self._header, batch, results
        )
        self._progress.rows += len(results)
        await self._save(connection)

    async def _note_fault(self, fault: VaultFault) -> None:
        async with self._context.vault.database.transaction() as connection:
            if not self._progress.begun:
                await self._begin(connection)
            await self._log.refuse_rest(connection, self._header, fault.error.message)
            self._progress.read = self._progress.faulty = True
            await self._save(connection)

    async def _publish(self) -> None:
        """Turn the logs into files, and the task's state into its last."""
        await self._log.publish(self._context.vault.files)
        async with self._context.vault.database.transaction() as connection:
            await self._log.clear(connection)
            self._progress.done = True
            await self._save(connection)

    async def _save(self, connection: Connection) -> None:
        context, progress = self._context, self._progress
        await context.progress(
            self._task.task_id,
            progress.counts,
            state=progress.state,
            connection=connection,
        )
        saved = {task_id: asdict(each) for task_id, each in self._all.items()}
        await context.save({"tasks": saved}, connection=connection)


def version_of(item: Item) -> str:
    """What tells a file from one that has taken its place."""
    return f"{item.size}:{item.modified.isoformat() if item.modified else ''}"


def _results(outcome: object) -> list[RowResult]:
    """Return the results of a unit of work of the records.

    :raises TypeError: when it is another unit of work.
    """
    if not isinstance(outcome, list):
        message = "a unit of work of the records yields results of rows"
        raise TypeError(message)
    return outcome
