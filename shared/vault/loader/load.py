"""Runs load jobs: reads each file batch by batch, and writes and logs each batch in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault
from shared.vault.jobs.job_model import (
    JobContext,
    JobResult,
    JobStatus,
    JobType,
    TaskState,
    ended_state,
)
from shared.vault.loader.load_writing import TaskLog, write
from shared.vault.loader.request import OBJECTS, LoadTask
from shared.vault.loader.sheet import LOG_COLUMNS, Batch, SheetReader
from shared.vault.records.rows import MAX_ROWS, RowResult, row_results
from shared.vault.storage.database import also_in_unit_of_work

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.attachments.file_fields import AttachmentFields
    from shared.vault.files.file_store import FileStore, Item
    from shared.vault.records.record_service import RecordService
    from shared.vault.storage.database import Addition, Connection, Database

LOAD = "loader_load"
TIMEOUT = 12 * 3600.0  # seconds of one run; the next run goes on where it ended


@dataclass(slots=True)
class Progress:
    """The progress of one task."""

    rows: int = 0
    failure: int = 0
    begun: bool = False
    read: bool = False
    done: bool = False
    faulty: bool = False  # the file could not be read to its end

    @property
    def counts(self) -> dict[str, int]:
        """Return the task's counts in the format of the API."""
        return {
            "total": self.rows,
            "success": self.rows - self.failure,
            "failure": self.failure,
        }

    @property
    def state(self) -> TaskState:
        """Return the task's state."""
        if not self.done:
            return TaskState.RUNNING
        return ended_state(failed=self.failure > 0 or self.faulty)


class DocumentLoader(Protocol):
    """Writes rows of documents, and of their parts; ``kind`` is one of ``request.LOADED``."""

    def in_one_unit(self, kind: str, action: str) -> bool:
        """Return whether the rows of a call are written in one transaction."""

    async def load(
        self,
        caller: Caller,
        kind: str,
        action: str,
        rows: Sequence[Mapping[str, object]],
        id_param: str | None,
        *,
        migration: bool = False,
    ) -> list[RowResult]:
        """Write up to 500 rows, and return the result of each.

        :raises VaultFault: when the rows are refused as a whole.
        """


class LoadJobs:
    """Carries out the loads that the loader submits."""

    def __init__(
        self,
        database: Database,
        files: FileStore,
        records: RecordService,
        attachment_fields: AttachmentFields,
        documents: DocumentLoader,
    ) -> None:
        self.database = database
        self.files = files
        self.records = records
        self.attachment_fields = attachment_fields
        self.documents = documents

    def job_types(self) -> Mapping[str, JobType]:
        """Return the job types of this part, with their handlers."""
        return {LOAD: JobType(self.load, timeout=TIMEOUT)}

    async def load(self, context: JobContext) -> JobResult:
        """Load the files of all tasks in the order that the tasks define."""
        tasks = _tasks(context)
        saved: Mapping[str, Any] = context.checkpoint.get("tasks", {})  # type: ignore[assignment]
        progress = {
            task.task_id: Progress(**saved.get(task.task_id, {})) for task in tasks
        }
        await _queue(context, tasks, progress)
        for task in tasks:
            if not progress[task.task_id].done:
                await _TaskRun(
                    self,
                    context,
                    task,
                    progress,
                ).run()
        clean = all(each.state.succeeded for each in progress.values())
        status = JobStatus.SUCCESS if clean else JobStatus.ERRORS_ENCOUNTERED
        counts = {task_id: each.counts for task_id, each in progress.items()}
        return JobResult(status, {"tasks": counts})


def _tasks(context: JobContext) -> list[LoadTask]:
    """Return the job's tasks in the order in which they are run."""
    stored: Sequence[Mapping[str, object]] = context.parameters["tasks"]  # type: ignore[assignment]
    tasks = [LoadTask.from_json(task) for task in stored]
    return sorted(tasks, key=lambda task: (task.order, int(task.task_id)))


async def _queue(
    context: JobContext,
    tasks: Sequence[LoadTask],
    progress: Mapping[str, Progress],
) -> None:
    """Report as queued each task that has not begun; by id, since the API lists tasks in the order of their reports."""
    for task in sorted(tasks, key=lambda task: int(task.task_id)):
        if not progress[task.task_id].begun:
            await context.progress(task.task_id, {}, state=TaskState.QUEUED)


class _TaskRun:
    """One running task of a load."""

    def __init__(
        self,
        services: LoadJobs,
        context: JobContext,
        task: LoadTask,
        progress: dict[str, Progress],
    ) -> None:
        self._services = services
        self._context = context
        self._task = task
        self._all = progress
        self._progress = progress[task.task_id]
        self._log = TaskLog(services.database, context.job_id, task)
        self._header: list[str] = []

    async def run(self) -> None:
        """Load the task's file from where the last run ended, and store its logs."""
        if not self._progress.read:
            try:
                await self._read()
            except VaultFault as fault:
                await self._log_fault(fault)
        await self._publish()

    async def _read(self) -> None:
        files = self._services.files
        item = await files.find(self._task.key)
        if item is None or version_of(item) != self._task.version:
            raise VaultFault(
                ErrorType.INVALID_DATA,
                "The file has been changed or removed since the job was submitted",
            )
        reader = SheetReader(files.get(item.key), MAX_ROWS)
        # A fault or a stop leaves the file in the middle, and open.
        try:
            await self._load_rows(reader)
        finally:
            await reader.close()
        self._progress.read = True

    async def _load_rows(self, reader: SheetReader) -> None:
        refusal: VaultFault | None = None
        try:
            self._header = await reader.read_header()
        except VaultFault as fault:
            # Its rows are read all the same: each is a failed one, and has its line in the log.
            refusal = fault
        if not self._progress.begun:
            async with self._services.database.transaction() as connection:
                await self._begin(connection)
        await reader.skip(self._progress.rows)
        async for batch in reader.batches():
            self._context.raise_if_stopped()
            await self._write(batch)
        if refusal is not None and not self._progress.rows:
            raise refusal

    async def _begin(self, connection: Connection) -> None:
        await self._log.begin(connection, self._header)
        self._progress.begun = True
        await self._save(connection)

    async def _write(self, batch: Batch) -> None:
        """Write a batch and its log in one transaction; of a batch that is refused as a whole, write only the log."""
        before = asdict(self._progress)

        async def log(
            connection: Connection,
            outcome: object,
        ) -> None:
            # The records may run a unit of work several times, and only the last one is
            # committed: its progress is counted from where the batch began.
            self._all[self._task.task_id] = self._progress = Progress(**before)
            results = _with_faults(batch, row_results(outcome))
            await self._log_results(connection, batch, results)

        rows = self._rows(batch)
        if not rows:
            await self._log_alone(log, [])
            return
        caller = self._context.caller
        services = self._services
        if self._task.kind != OBJECTS:
            await self._write_documents(rows, log)
            return
        try:
            filled = await services.attachment_fields.with_files(
                caller,
                self._task.object_name,
                rows,
            )
            with also_in_unit_of_work(log):
                await write(
                    services.records,
                    caller,
                    self._task,
                    filled,
                )
        except VaultFault as fault:
            refused = [RowResult(errors=(fault.error,)) for _ in rows]
            await self._log_alone(log, refused)

    async def _write_documents(
        self, rows: Sequence[Mapping[str, object]], log: Addition
    ) -> None:
        """Write rows about documents and log their results; in one transaction, if all rows are written in one."""
        task, documents = self._task, self._services.documents
        named = (self._context.caller, task.kind, task.action)
        migration = task.migration_mode
        try:
            if documents.in_one_unit(task.kind, task.action):
                with also_in_unit_of_work(log):
                    await documents.load(
                        *named, rows, task.id_param, migration=migration
                    )
                return
            # Rows that are written one by one are logged afterwards: a run that is cut off between writes them again.
            results = await documents.load(
                *named, rows, task.id_param, migration=migration
            )
        except VaultFault as fault:
            results = [RowResult(errors=(fault.error,)) for _ in rows]
        await self._log_alone(log, results)

    async def _log_alone(
        self,
        log: Addition,
        results: Sequence[RowResult],
    ) -> None:
        """Log results in a transaction that writes no row."""
        async with self._services.database.transaction() as connection:
            await log(connection, results)

    def _rows(self, batch: Batch) -> list[dict[str, str]]:
        """Return the loadable rows of a batch by column name, without the columns that a failure log adds."""
        rows = []
        for place, cells in enumerate(batch.rows):
            if place in batch.faults:
                continue
            named = zip(self._header, cells, strict=True)
            rows.append({name: c for name, c in named if name not in LOG_COLUMNS})
        return rows

    async def _log_results(
        self,
        connection: Connection,
        batch: Batch,
        results: Sequence[RowResult],
    ) -> None:
        failed = await self._log.add(
            connection,
            self._header,
            batch,
            results,
        )
        self._progress.failure += failed
        self._progress.rows += len(results)
        await self._save(connection)

    async def _log_fault(self, fault: VaultFault) -> None:
        async with self._services.database.transaction() as connection:
            if not self._progress.begun:
                await self._begin(connection)
            await self._log.refuse_rest(connection, self._header, fault.error.message)
            self._progress.read = self._progress.faulty = True
            await self._save(connection)

    async def _publish(self) -> None:
        """Store the logs as files, and the task's last state."""
        # Stored before they are cleared: a run that is cut off between stores them again.
        await self._log.publish(self._services.files)
        async with self._services.database.transaction() as connection:
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
    """Return a text that changes when a file is replaced by another."""
    modified = item.modified.isoformat() if item.modified else ""
    return f"{item.size}:{modified}"


def _with_faults(batch: Batch, results: Sequence[RowResult]) -> list[RowResult]:
    """Return a result for each row of a batch: ``results``, with those of faulty rows in between."""
    left = iter(results)
    return [
        RowResult(errors=(batch.faults[place],))
        if place in batch.faults
        else next(left)
        for place in range(len(batch.rows))
    ]
