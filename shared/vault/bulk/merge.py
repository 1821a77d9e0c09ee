"""Merging records: what refers to a duplicate, and its attachments, go over to the main record, and it goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import on_behalf_of
from shared.vault.access.permissions import Operation
from shared.vault.bulk.tree_jobs import parts
from shared.vault.components.schema import quote, table
from shared.vault.errors import VaultFault
from shared.vault.files.attachment_table import move
from shared.vault.jobs.job_model import JobContext, JobResult, JobStatus, TaskState
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.records.rows import RowResult

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.storage.database import Connection

MERGE = "record_merge"
TASK = "1"
MAX_SETS = 10
DUPLICATE, MAIN = "duplicate_record_id", "main_record_id"
SUCCESS, FAILURE = "SUCCESS", "FAILURE"

MergeSet = Mapping[str, object]


def merge_sets(rows: Sequence[Mapping[str, object]]) -> list[dict[str, str]]:
    """The sets of a merge call; raises VaultFault when they contradict each other."""
    if not 0 < len(rows) <= MAX_SETS:
        raise VaultFault(ErrorType.INVALID_DATA, f"A merge takes 1 to {MAX_SETS} sets")
    sets = []
    for number, row in enumerate(rows, 1):
        for name in (DUPLICATE, MAIN):
            if (
                not isinstance(row.get(name), str)
                or not row[name]
                or "\x00" in str(row[name])
            ):
                raise VaultFault(
                    ErrorType.PARAMETER_REQUIRED,
                    f"Missing required parameter [{name}] in row {number}",
                )
        sets.append({DUPLICATE: str(row[DUPLICATE]), MAIN: str(row[MAIN])})
    duplicates = {each[DUPLICATE] for each in sets}
    if len(duplicates) < len(sets) or any(each[MAIN] in duplicates for each in sets):
        raise VaultFault(
            ErrorType.INVALID_DATA,
            "A duplicate record stands in one merge set only, and is no main record",
        )
    return sets


async def merge(context: JobContext) -> JobResult:
    """Merge the sets one after the other, each in a transaction of its own."""
    sets: Sequence[Mapping[str, str]] = context.parameters["merge_sets"]  # type: ignore[assignment]
    done: list[MergeSet] = list(context.checkpoint.get("merge_sets", ()))  # type: ignore[call-overload]
    for each in sets[len(done) :]:
        context.raise_if_stopped()
        done = await _merge_set(context, each, done)
    failed = any(each["status"] == FAILURE for each in done)
    status = JobStatus.ERRORS_ENCOUNTERED if failed else JobStatus.SUCCESS
    return JobResult(
        status, {"object": context.parameters["object"], "merge_sets": done}
    )


async def _merge_set(
    context: JobContext, pair: Mapping[str, str], done: Sequence[MergeSet]
) -> list[MergeSet]:
    async def work(connection: Connection) -> list[RowResult]:
        await _merge(context, connection, pair[DUPLICATE], pair[MAIN])
        await _save(context, connection, [*done, {**pair, "status": SUCCESS}])
        return []

    try:
        await context.vault.records.carry_out(work)
    except VaultFault as fault:
        error = {"type": fault.error.type, "message": fault.error.message}
        after = [*done, {**pair, "status": FAILURE, "error": error}]
        async with context.vault.database.transaction() as connection:
            await _save(context, connection, after)
        return after
    return [*done, {**pair, "status": SUCCESS}]


async def _save(
    context: JobContext, connection: Connection, done: Sequence[MergeSet]
) -> None:
    failed = sum(each["status"] == FAILURE for each in done)
    state = TaskState.ERRORS_ENCOUNTERED if failed else TaskState.SUCCESS
    counts = {"success": len(done) - failed, "failure": failed}
    await context.progress(TASK, counts, state=state, connection=connection)
    await context.save({"merge_sets": done}, connection=connection)


async def _merge(
    context: JobContext, connection: Connection, duplicate: str, main: str
) -> None:
    """Give the main record what refers to the duplicate, and its attachments, then delete it; raises VaultFault."""
    records, registry = context.vault.records, context.vault.components.registry
    name = str(context.parameters["object"])
    target = records.target(
        context.caller, name, [{}], Operation.EDIT, Operation.DELETE
    )
    sql = f"SELECT id FROM {table(name)} WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE"
    found = {row["id"] for row in await connection.fetch(sql, [duplicate, main])}
    for parameter, record_id in ((DUPLICATE, duplicate), (MAIN, main)):
        if record_id not in found:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"[{parameter}] names no record of [{name}]"
            )
    # The references are the Vault's to keep whole, whoever may edit the records that hold them.
    caller: Caller = on_behalf_of(context.caller)
    for child, reference in _references(registry, name):
        sql = f"SELECT id FROM {table(child.name)} WHERE {quote(reference.name)} = $1 AND id <> $2 ORDER BY id"
        ids = [row["id"] for row in await connection.fetch(sql, duplicate, duplicate)]
        for part in parts(ids):
            rows = await records.change_in(
                connection, caller, child, part, {}, {reference.name: main}
            )
            _raise_first(rows, child.name)
    await move(connection, name, duplicate, main)
    _raise_first(
        await records.delete_in(connection, context.caller, target, [duplicate]), name
    )


def _references(
    registry: Registry, object_name: str
) -> Iterator[tuple[VaultObject, Field]]:
    for other in registry.objects.values():
        for field in other.fields.values():
            if field.type is FieldType.OBJECT and field.object == object_name:
                yield other, field


def _raise_first(rows: Sequence[RowResult], object_name: str) -> None:
    for row in rows:
        for error in row.errors:
            raise VaultFault(
                error.type,
                f"[{object_name}] {row.id or row.id_param_value}: {error.message}",
            )
