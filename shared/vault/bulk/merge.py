"""Carries out merges of records: jobs of up to ten sets, each of a duplicate and its main record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation
from shared.vault.bulk.record_merge import DUPLICATE, MAIN, RecordMerge
from shared.vault.errors import VaultFault
from shared.vault.jobs.job_model import (
    JobContext,
    JobResult,
    JobStatus,
    JobType,
    ended_state,
    error_json,
)

if TYPE_CHECKING:
    from shared.vault.bulk.record_merge import MergeHandler
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.rows import RowResult
    from shared.vault.storage.database import Connection, Database

MERGE = "record_merge"
TASK = "1"
MAX_SETS = 10

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
            "A duplicate record may be in one merge set only, and not as a main record",
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
        handlers: Mapping[str, MergeHandler],
    ) -> None:
        """Create the merge jobs; ``handlers`` are by the name of the object whose merges they complete."""
        self._database = database
        self._components = components
        self._records = records
        self._handlers = handlers

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
        """Merge two records, and run the merge handler of their object.

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
        merge = await RecordMerge.begin(
            connection,
            context.caller,
            self._components.registry,
            self._records,
            target,
            (duplicate, main),
        )
        await merge.carry_out()
        handler = self._handlers.get(name)
        if handler is not None:
            await handler(merge)


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
