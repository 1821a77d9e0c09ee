"""Merges records: moves references to a duplicate and its attachments to the main record, and deletes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import on_behalf_of
from shared.vault.access.permissions import Operation, may
from shared.vault.bulk.tree_jobs import parts
from shared.vault.components.schema import quote, table
from shared.vault.errors import VaultFault
from shared.vault.files.attachment_table import move
from shared.vault.jobs.job_model import (
    JobContext,
    JobResult,
    JobStatus,
    JobType,
    ended_state,
    error_json,
)
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.records.rows import REDIRECTING, RowResult

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.records.record_service import RecordService
    from shared.vault.storage.database import Connection, Database

MERGE = "record_merge"
TASK = "1"
MAX_SETS = 10
DUPLICATE, MAIN = "duplicate_record_id", "main_record_id"

MergeSet = Mapping[str, object]


class MergeStatus(StrEnum):
    """Statuses of a merge and of its sets, as the API names them."""

    IN_PROGRESS = "IN_PROGRESS"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"


def merge_sets(rows: Sequence[Mapping[str, object]]) -> list[dict[str, str]]:
    """Return the sets of a merge call.

    :raises VaultFault: INVALID_DATA when there are too many or they contradict each
        other, PARAMETER_REQUIRED when an id is missing.
    """
    if not 0 < len(rows) <= MAX_SETS:
        raise VaultFault(ErrorType.INVALID_DATA, f"A merge takes 1 to {MAX_SETS} sets")
    sets = []
    for number, row in enumerate(rows, 1):
        duplicate = _record_id(row, DUPLICATE, number)
        main = _record_id(row, MAIN, number)
        sets.append({DUPLICATE: duplicate, MAIN: main})
    duplicates = {each[DUPLICATE] for each in sets}
    merged_twice = len(duplicates) < len(sets)
    merged_into_duplicate = any(each[MAIN] in duplicates for each in sets)
    if merged_twice or merged_into_duplicate:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            "A duplicate record stands in one merge set only, and is no main record",
        )
    return sets


def _record_id(row: Mapping[str, object], name: str, number: int) -> str:
    value = row.get(name)
    # PostgreSQL takes no NUL character in a text.
    if not isinstance(value, str) or not value or "\x00" in value:
        raise VaultFault(
            ErrorType.PARAMETER_REQUIRED,
            f"Missing required parameter [{name}] in row {number}",
        )
    return value


class MergeJobs:
    """Carries out the merges that are submitted."""

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        records: RecordService,
    ) -> None:
        self._database = database
        self._components = components
        self._records = records

    def job_types(self) -> Mapping[str, JobType]:
        """Return the job types of this part, with their handlers."""
        return {MERGE: JobType(self.merge)}

    async def merge(self, context: JobContext) -> JobResult:
        """Merge the sets one after the other, each in a transaction of its own."""
        sets: Sequence[Mapping[str, str]] = context.parameters["merge_sets"]  # type: ignore[assignment]
        done: list[MergeSet] = list(context.checkpoint.get("merge_sets", ()))  # type: ignore[call-overload]
        for each in sets[len(done) :]:
            context.raise_if_stopped()
            done = await self._merge_set(context, each, done)
        failed = any(each["status"] == MergeStatus.FAILURE for each in done)
        status = JobStatus.ERRORS_ENCOUNTERED if failed else JobStatus.SUCCESS
        results = {"object": context.parameters["object"], "merge_sets": done}
        return JobResult(status, results)

    async def _merge_set(
        self,
        context: JobContext,
        pair: Mapping[str, str],
        done: Sequence[MergeSet],
    ) -> list[MergeSet]:
        """Merge one set; return the sets done so far, including this one with its status."""
        merged = [*done, {**pair, "status": MergeStatus.SUCCESS.value}]

        async def work(connection: Connection) -> list[RowResult]:
            # The status with the merge: a set is merged once, however often the job is run.
            await self._merge(context, connection, pair[DUPLICATE], pair[MAIN])
            await _save(context, connection, merged)
            return []

        try:
            await self._records.carry_out(work)
        except VaultFault as fault:
            error = error_json(fault.error)
            refused = [
                *done,
                {**pair, "status": MergeStatus.FAILURE.value, "error": error},
            ]
            async with self._database.transaction() as connection:
                await _save(context, connection, refused)
            return refused
        return merged

    async def _merge(
        self,
        context: JobContext,
        connection: Connection,
        duplicate: str,
        main: str,
    ) -> None:
        """Move the references to the duplicate and its attachments to the main record; then delete the duplicate.

        :raises VaultFault: when a record is missing, or a write is refused.
        """
        name = str(context.parameters["object"])
        target = self._records.target(
            context.caller,
            name,
            [{}],
            Operation.EDIT,
            Operation.DELETE,
        )
        await _lock(connection, name, duplicate, main)
        for child, reference in _references(self._components.registry, name):
            await self._redirect(
                context, connection, (child, reference), duplicate, main
            )
        await move(connection, name, duplicate, main)
        deleted = await self._records.delete_in(
            connection,
            context.caller,
            target,
            [duplicate],
        )
        _raise_first(deleted, name)

    async def _redirect(
        self,
        context: JobContext,
        connection: Connection,
        reference: tuple[VaultObject, Field],
        duplicate: str,
        main: str,
    ) -> None:
        """Set a reference field of every record that names the duplicate to the main record."""
        child, field = reference
        # Who may merge need not be allowed to edit the records that refer to the duplicate:
        # keeping references whole is the Vault's own work.
        caller = on_behalf_of(context.caller)
        # The duplicate may refer to itself, and is deleted anyway.
        sql = f"SELECT id FROM {table(child.name)} WHERE {quote(field.name)} = $1 AND id <> $2 ORDER BY id"
        ids = [row["id"] for row in await connection.fetch(sql, duplicate, duplicate)]
        for part in parts(ids):
            changes = {field.name: main}
            rows = await self._records.change_in(
                connection,
                caller,
                child,
                part,
                {},
                changes,
                mode=REDIRECTING,
            )
            named = may(context.caller, child.name, Operation.READ)
            _raise_first(rows, child.name, named=named)


async def _save(
    context: JobContext,
    connection: Connection,
    done: Sequence[MergeSet],
) -> None:
    failed = sum(each["status"] == MergeStatus.FAILURE for each in done)
    state = ended_state(failed=failed > 0)
    counts = {"success": len(done) - failed, "failure": failed}
    await context.progress(TASK, counts, state=state, connection=connection)
    await context.save({"merge_sets": done}, connection=connection)


async def _lock(
    connection: Connection,
    object_name: str,
    duplicate: str,
    main: str,
) -> None:
    """Lock both records, in the order of their ids so that two merges cannot block each other.

    :raises VaultFault: INVALID_DATA when one of them does not exist.
    """
    sql = f"SELECT id FROM {table(object_name)} WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE"
    rows = await connection.fetch(sql, [duplicate, main])
    found = {row["id"] for row in rows}
    for parameter, record_id in ((DUPLICATE, duplicate), (MAIN, main)):
        if record_id not in found:
            message = f"[{parameter}] names no record of [{object_name}]"
            raise VaultFault(ErrorType.INVALID_DATA, message)


def _references(
    registry: Registry,
    object_name: str,
) -> Iterator[tuple[VaultObject, Field]]:
    """Yield the reference fields of all objects that refer to this one, each with its object."""
    for other in registry.objects.values():
        for field in other.fields.values():
            if field.type is FieldType.OBJECT and field.object == object_name:
                yield other, field


def _raise_first(
    rows: Sequence[RowResult],
    object_name: str,
    *,
    named: bool = True,
) -> None:
    """Raise the first error of the rows, without the record's id unless it is ``named``.

    :raises VaultFault: when a row has one.
    """
    for row in rows:
        for error in row.errors:
            record = f" {row.id or row.id_param_value}" if named else ""
            message = f"[{object_name}]{record}: {error.message}"
            raise VaultFault(error.type, message)
