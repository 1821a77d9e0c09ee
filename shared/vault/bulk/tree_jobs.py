"""Deletes or copies a record with all records below it: all of them, or none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from shared.protocol.csv_cells import exact_csv_text
from shared.vault.access.permissions import Operation, require
from shared.vault.bulk.trees import parent_fields, tree_of
from shared.vault.errors import ApiError, VaultFault
from shared.vault.jobs.job_logs import JobLog
from shared.vault.jobs.job_model import (
    JobContext,
    JobResult,
    JobStatus,
    JobType,
    ended_state,
    error_json,
)
from shared.vault.records.new_records import copied_fields, stored_values
from shared.vault.records.rows import MAX_ROWS, Outcome, Refused, ResolvedRow, RowResult

if TYPE_CHECKING:
    from shared.vault.bulk.trees import Level
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.files.file_store import FileStore
    from shared.vault.model.component_model import Field, VaultObject
    from shared.vault.records.record_service import RecordService
    from shared.vault.storage.database import Connection, Database

CASCADE_DELETE = "cascade_delete"
DEEP_COPY = "deep_copy"
TASK = "1"
DELETE_HEADER = ("Source Object", "Record Id")
DELETE_FAILURE_HEADER = (*DELETE_HEADER, "errors")
COPY_HEADER = ("line number", "vobject", "sourceRecordId", "errors")
DEFAULT_NAME_LENGTH = 128  # characters, of a name field that says no length

Lines = Sequence[Sequence[object]]
Work = Callable[["Connection"], Awaitable[Lines]]
Headers = Mapping["TreeLog", Sequence[str]]


class TreeLog(StrEnum):
    """The files that a cascade delete or a deep copy makes."""

    SUCCESS = "success"
    FAILURE = "failure"


DELETE_HEADERS: Headers = {
    TreeLog.SUCCESS: DELETE_HEADER,
    TreeLog.FAILURE: DELETE_FAILURE_HEADER,
}
COPY_HEADERS: Headers = dict.fromkeys(TreeLog, COPY_HEADER)


class TreeRefused(Exception):
    """Raised when a record of the tree was refused; ``lines`` are written to the failure log."""

    def __init__(self, error: ApiError, lines: Lines) -> None:
        super().__init__()
        self.error = error
        self.lines = lines


class TreeJobs:
    """Carries out the cascade deletes and deep copies that are submitted."""

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        records: RecordService,
        files: FileStore,
    ) -> None:
        self._database = database
        self._components = components
        self._records = records
        self._files = files

    def job_types(self) -> Mapping[str, JobType]:
        """Return the job types of this part, with their handlers."""
        return {
            CASCADE_DELETE: JobType(self.cascade_delete),
            DEEP_COPY: JobType(self.deep_copy),
        }

    async def cascade_delete(self, context: JobContext) -> JobResult:
        """Delete a record and all records below it, from the lowest level up."""
        object_name = str(context.parameters["object"])
        record_id = str(context.parameters["id"])

        async def work(connection: Connection) -> Lines:
            registry = self._components.registry
            levels = await tree_of(connection, registry, object_name, record_id)
            deleted: list[tuple[str, str]] = []
            # Children first: a record that others refer to may have to stay.
            for level in reversed(levels):
                for name, ids in level.records.items():
                    require(context.caller, name, Operation.DELETE)
                    await self._delete(context, connection, registry.objects[name], ids)
                    deleted += [(name, each) for each in ids]
            return deleted

        def refusal(error: ApiError) -> Sequence[object]:
            return (object_name, record_id, _text(error))

        return await self._run(context, DELETE_HEADERS, work, refusal)

    async def _delete(
        self,
        context: JobContext,
        connection: Connection,
        target: VaultObject,
        ids: Sequence[str],
    ) -> None:
        """Delete records of one object.

        :raises TreeRefused: when one of them cannot be deleted.
        """
        for part in parts(ids):
            rows = await self._records.delete_in(
                connection,
                context.caller,
                target,
                part,
            )
            refused = [row for row in rows if row.errors]
            if refused:
                lines = [
                    (target.name, row.id or row.id_param_value, _text(row.errors[0]))
                    for row in refused
                ]
                raise TreeRefused(refused[0].errors[0], lines)

    async def deep_copy(self, context: JobContext) -> JobResult:
        """Copy a record and all records below it, level by level; the caller's values replace those of the record."""
        object_name = str(context.parameters["object"])
        record_id = str(context.parameters["id"])

        async def work(connection: Connection) -> Lines:
            registry = self._components.registry
            levels = await tree_of(connection, registry, object_name, record_id)
            copy = _Copy(context, connection, registry, self._records)
            for level in levels:
                await copy.add(level)
            return [
                (number, name, source, "")
                for number, (name, source) in enumerate(copy.copies, 1)
            ]

        def refusal(error: ApiError) -> Sequence[object]:
            return (1, object_name, record_id, _text(error))

        return await self._run(context, COPY_HEADERS, work, refusal)

    async def _run(
        self,
        context: JobContext,
        headers: Headers,
        work: Work,
        refusal: Callable[[ApiError], Sequence[object]],
    ) -> JobResult:
        """Run ``work`` and log it in one transaction, or log why it was refused; then store the logs as files.

        ``refusal`` returns the line of the failure log for a tree that was refused as a whole.
        """
        # A checkpoint says that an earlier run has done this, and only the files may be missing.
        if not context.checkpoint:
            await self._work(context, headers, work, refusal)
        for log in TreeLog:
            await self._log(context, log).publish(self._files)
        results = {"object": context.parameters["object"]}
        error = context.checkpoint.get("error")
        if error:
            results["error"] = error
            return JobResult(JobStatus.ERRORS_ENCOUNTERED, results)
        return JobResult(JobStatus.SUCCESS, results)

    async def _work(
        self,
        context: JobContext,
        headers: Headers,
        work: Work,
        refusal: Callable[[ApiError], Sequence[object]],
    ) -> None:
        async def logged(connection: Connection) -> list[RowResult]:
            try:
                lines = await work(connection)
            except VaultFault as fault:
                raise TreeRefused(fault.error, [refusal(fault.error)]) from fault
            await self._save(context, connection, headers, {TreeLog.SUCCESS: lines})
            return []

        try:
            await self._records.carry_out(logged)
        except TreeRefused as refused:
            # The work is rolled back with its log: the refusal is logged in a transaction of its own.
            lines = {TreeLog.FAILURE: refused.lines}
            async with self._database.transaction() as connection:
                await self._save(context, connection, headers, lines, refused.error)

    async def _save(
        self,
        context: JobContext,
        connection: Connection,
        headers: Headers,
        lines: Mapping[TreeLog, Lines],
        error: ApiError | None = None,
    ) -> None:
        counts = {log.value: len(lines.get(log, ())) for log in TreeLog}
        for log in TreeLog:
            text = exact_csv_text([headers[log], *lines.get(log, ())])
            await self._log(context, log).append(connection, text)
        state = ended_state(failed=error is not None)
        await context.progress(TASK, counts, state=state, connection=connection)
        checkpoint: dict[str, object] = {"done": True}
        if error:
            checkpoint["error"] = error_json(error)
        await context.save(checkpoint, connection=connection)

    def _log(self, context: JobContext, log: TreeLog) -> JobLog:
        return JobLog(self._database, context.job_id, TASK, log)


class _Copy:
    """One deep copy; ``copies`` maps each record copied so far, by object and id, to its copy."""

    def __init__(
        self,
        context: JobContext,
        connection: Connection,
        registry: Registry,
        records: RecordService,
    ) -> None:
        self._context = context
        self._connection = connection
        self._registry = registry
        self._records = records
        self.copies: dict[tuple[str, str], str] = {}

    async def add(self, level: Level) -> None:
        """Copy the records of a level, whose parents are copied.

        :raises VaultFault: INSUFFICIENT_ACCESS
        :raises TreeRefused: when a copy was refused.
        """
        for name, ids in level.records.items():
            for operation in (Operation.READ, Operation.CREATE):
                require(self._context.caller, name, operation)
            for part in parts(ids):
                await self._add(self._registry.objects[name], part)

    async def _add(self, target: VaultObject, ids: Sequence[str]) -> None:
        rows = await self._rows(target, ids)
        batch = self._records.batch(self._connection, self._context.caller, target)
        fields = self._context.parameters.get("fields")
        # The first record is the one that the call names, and the fields are of its copy.
        if fields and not self.copies:
            caller = self._context.caller
            reader = self._records.reader(target, caller=caller)
            (replaced,) = reader.read([fields])  # type: ignore[list-item]  # stored JSON
            (resolved,) = await batch.resolve([replaced])
            rows[0].values |= resolved.values
            rows[0].errors += resolved.errors
        outcomes = await self._records.insert(batch, rows)
        self._raise_refused(target, rows, outcomes)
        for copy in outcomes:
            self.copies[target.name, str(copy.id_param_value)] = str(copy.id)

    async def _rows(self, target: VaultObject, ids: Sequence[str]) -> list[ResolvedRow]:
        """Return the rows of the copies, with the values of the records that they copy."""
        fields, name = copied_fields(target), target.fields["name__v"]
        renamed = name.unique and not name.system_managed_name
        read = [*fields, name] if renamed else fields
        stored = await stored_values(self._connection, target, ids, read)
        rows = []
        for index, source in enumerate(ids):
            if source not in stored:
                continue
            values = stored[source]
            self._refer_to_copies(target, values)
            if renamed:
                values["name__v"] = self._copy_name(name, str(values["name__v"]))
            rows.append(ResolvedRow(index=index, values=values, key=source))
        return rows

    def _copy_name(self, field: Field, name: str) -> str:
        """Return a name of the allowed length that no other record has."""
        # A record may be copied many times: the job's id tells the copies apart.
        suffix = f" (copy {self._context.job_id})"
        length = (field.max_length or DEFAULT_NAME_LENGTH) - len(suffix)
        return name[:length] + suffix

    def _refer_to_copies(self, target: VaultObject, values: dict[str, object]) -> None:
        """Replace the references of a copied child to its parents by references to their copies."""
        parents = {field.object for field in target.fields.values() if field.object}
        for parent in parents:
            for child, reference in parent_fields(self._registry, parent):
                original = str(values.get(reference.name))
                copied = self.copies.get((parent, original))
                if child.name == target.name and copied is not None:
                    values[reference.name] = copied

    def _raise_refused(
        self,
        target: VaultObject,
        rows: Sequence[ResolvedRow],
        outcomes: Sequence[Outcome],
    ) -> None:
        refused: list[Refused] = []
        lines = []
        for row, outcome in zip(rows, outcomes, strict=True):
            if not isinstance(outcome, Refused):
                continue
            refused.append(outcome)
            number = len(self.copies) + row.index + 1
            error = _text(outcome.errors[0])
            lines.append((number, target.name, outcome.id_param_value, error))
        if refused:
            raise TreeRefused(refused[0].errors[0], lines)


def parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield ids in parts of at most the size of one batch."""
    for start in range(0, len(ids), MAX_ROWS):
        yield ids[start : start + MAX_ROWS]


def _text(error: ApiError) -> str:
    return f"{error.type}|{error.message}"
