"""Cascade delete and deep copy: jobs that do all of a record's tree, or nothing of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from shared.vault.access.permissions import Operation, require
from shared.vault.bulk.trees import parent_fields, tree_of
from shared.vault.errors import ApiError, VaultFault
from shared.vault.jobs.job_logs import JobLog
from shared.vault.jobs.job_model import JobContext, JobResult, JobStatus, TaskState
from shared.vault.records.new_records import copied_fields, stored_values
from shared.vault.records.rows import MAX_ROWS, Refused, ResolvedRow, RowResult

if TYPE_CHECKING:
    from shared.vault.bulk.trees import Level
    from shared.vault.model.component_model import VaultObject
    from shared.vault.storage.database import Connection

CASCADE_DELETE = "cascade_delete"
DEEP_COPY = "deep_copy"
TASK = "1"
SUCCESS, FAILURE = "success", "failure"
DELETE_HEADER = ("Source Object", "Record Id")
COPY_HEADER = ("line number", "vobject", "sourceRecordId", "errors")

Lines = Sequence[Sequence[object]]


class TreeRefused(Exception):
    """A record of the tree was refused: nothing is done."""

    def __init__(self, error: ApiError, lines: Lines) -> None:
        super().__init__()
        self.error, self.lines = error, lines


async def cascade_delete(context: JobContext) -> JobResult:
    """Delete a record and all below it, the lowest first."""
    object_name, record_id = (
        str(context.parameters["object"]),
        str(context.parameters["id"]),
    )

    async def work(connection: Connection) -> Lines:
        registry = context.vault.components.registry
        levels = await tree_of(connection, registry, object_name, record_id)
        gone: list[tuple[str, str]] = []
        for level in reversed(levels):
            for name, ids in level.records.items():
                require(context.caller, name, Operation.DELETE)
                for part in parts(ids):
                    await _delete(context, connection, registry.objects[name], part)
                gone += [(name, each) for each in ids]
        return gone

    return await _run(context, DELETE_HEADER, work, (object_name, record_id))


async def _delete(
    context: JobContext, connection: Connection, target: VaultObject, ids: Sequence[str]
) -> None:
    rows = await context.vault.records.delete_in(
        connection, context.caller, target, ids
    )
    refused = [row for row in rows if row.errors]
    if refused:
        raise TreeRefused(
            refused[0].errors[0],
            [(target.name, row.id or row.id_param_value) for row in refused],
        )


async def deep_copy(context: JobContext) -> JobResult:
    """Copy a record and all below it, the highest first; the first with the caller's values over its own."""
    object_name, record_id = (
        str(context.parameters["object"]),
        str(context.parameters["id"]),
    )

    async def work(connection: Connection) -> Lines:
        levels = await tree_of(
            connection, context.vault.components.registry, object_name, record_id
        )
        copy = _Copy(context, connection)
        for level in levels:
            await copy.add(level)
        return [
            (n, name, source, "") for n, (name, source) in enumerate(copy.copies, 1)
        ]

    return await _run(context, COPY_HEADER, work, (1, object_name, record_id))


class _Copy:
    """One deep copy; ``copies`` maps each record copied so far, by object and id, to its copy."""

    def __init__(self, context: JobContext, connection: Connection) -> None:
        self._context = context
        self._connection = connection
        self._registry = context.vault.components.registry
        self.copies: dict[tuple[str, str], str] = {}

    async def add(self, level: Level) -> None:
        for name, ids in level.records.items():
            for operation in (Operation.READ, Operation.CREATE):
                require(self._context.caller, name, operation)
            for part in parts(ids):
                await self._add(self._registry.objects[name], part)

    async def _add(self, target: VaultObject, ids: Sequence[str]) -> None:
        fields, name = copied_fields(target), target.fields["name__v"]
        renamed = name.unique and not name.system_managed_name
        found = await stored_values(
            self._connection, target, ids, [*fields, name] if renamed else fields
        )
        rows = [
            self._row(target, index, found[each], each)
            for index, each in enumerate(ids)
            if each in found
        ]
        if renamed:
            suffix = f" (copy {self._context.job_id})"
            for row in rows:
                row.values["name__v"] = (
                    str(row.values["name__v"])[: (name.max_length or 128) - len(suffix)]
                    + suffix
                )
        first = not self.copies
        records = self._context.vault.records
        batch = records.batch(self._connection, self._context.caller, target)
        if first and (given := self._context.parameters.get("fields")):
            read = records.reader(target).read([given])  # type: ignore[list-item]  # stored JSON
            (over,) = await batch.resolve(read)
            rows[0].values |= over.values
            rows[0].errors += over.errors
        outcomes = await records.insert(batch, rows)
        refused = [each for each in outcomes if isinstance(each, Refused)]
        if refused:
            lines = [
                (
                    len(self.copies) + row.index + 1,
                    target.name,
                    outcome.key,
                    _text(outcome.errors[0]),
                )
                for row, outcome in zip(rows, outcomes, strict=True)
                if isinstance(outcome, Refused)
            ]
            raise TreeRefused(refused[0].errors[0], lines)
        self.copies |= {(target.name, str(each.key)): str(each.id) for each in outcomes}

    def _row(
        self, target: VaultObject, index: int, values: dict[str, object], source: str
    ) -> ResolvedRow:
        for parent in {f.object or "" for f in target.fields.values() if f.object}:
            for child, reference in parent_fields(self._registry, parent):
                copied = self.copies.get((parent, str(values.get(reference.name))))
                if child.name == target.name and copied is not None:
                    values[reference.name] = copied
        return ResolvedRow(index=index, values=values, key=source)


async def _run(
    context: JobContext,
    header: Sequence[str],
    work: Callable[[Connection], Awaitable[Lines]],
    first: Sequence[object],
) -> JobResult:
    """Do the work and note its lines in one transaction, or note why not; then make files of them."""
    if not context.checkpoint:

        async def noted(connection: Connection) -> list[RowResult]:
            try:
                lines = await work(connection)
            except VaultFault as fault:
                error = [] if header is DELETE_HEADER else [_text(fault.error)]
                raise TreeRefused(fault.error, [[*first, *error]]) from fault
            await _note(context, connection, header, {SUCCESS: lines})
            return []

        try:
            await context.vault.records.carry_out(noted)
        except TreeRefused as refusal:
            async with context.vault.database.transaction() as connection:
                await _note(
                    context, connection, header, {FAILURE: refusal.lines}, refusal.error
                )
    for log in (SUCCESS, FAILURE):
        await JobLog(context.vault.database, context.job_id, TASK, log).publish(
            context.vault.files
        )
    error = context.checkpoint.get("error")
    results = {
        "object": context.parameters["object"],
        **({"error": error} if error else {}),
    }
    return JobResult(
        JobStatus.ERRORS_ENCOUNTERED if error else JobStatus.SUCCESS, results
    )


async def _note(
    context: JobContext,
    connection: Connection,
    header: Sequence[str],
    outcome: dict[str, Lines],
    error: ApiError | None = None,
) -> None:
    for log in (SUCCESS, FAILURE):
        text = sheet([header, *outcome.get(log, ())])
        await JobLog(context.vault.database, context.job_id, TASK, log).append(
            connection, text
        )
    counts = {log: len(outcome.get(log, ())) for log in (SUCCESS, FAILURE)}
    state = TaskState.ERRORS_ENCOUNTERED if error else TaskState.SUCCESS
    await context.progress(TASK, counts, state=state, connection=connection)
    told = {"error": {"type": error.type, "message": error.message}} if error else {}
    await context.save({"done": True, **told}, connection=connection)


def sheet(lines: Lines) -> str:
    """Lines as CSV."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(lines)
    return text.getvalue()


def parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Ids in parts that one batch takes."""
    return iter(ids[start : start + MAX_ROWS] for start in range(0, len(ids), MAX_ROWS))


def _text(error: ApiError) -> str:
    return f"{error.type}|{error.message}"
