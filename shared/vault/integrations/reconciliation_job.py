"""Carries out reconciliations: sends the message of the first slice, follows the reports, and records the result."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import SYSTEM
from shared.vault.errors import ApiError, VaultFault
from shared.vault.integrations import reconciliation_table as table
from shared.vault.integrations.reconciliation_gauges import announce_end
from shared.vault.integrations.reconciliation_messages import announce_slice
from shared.vault.integrations.reconciliation_model import (
    JOB_TYPE,
    Phase,
    Reconciliation,
    Scope,
    findings,
)
from shared.vault.integrations.reconciliation_requests import schedule_next
from shared.vault.integrations.run_job import LOOK_SECONDS
from shared.vault.jobs.job_model import (
    JobContext,
    JobResult,
    JobStatus,
    JobType,
    Parked,
    TaskState,
    error_json,
)

if TYPE_CHECKING:
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.integrations.reconciliation_records import ReconciliationRecords
    from shared.vault.storage.database import Connection, Database


class ReconciliationJobs:
    """Starts reconciliations, checks their progress, and ends them.

    ``patience_minutes`` is how long a reconciliation may be without a connector's report.
    """

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        records: ReconciliationRecords,
        patience_minutes: float,
    ) -> None:
        self._database = database
        self._components = components
        self._records = records
        self._patience_minutes = patience_minutes

    def job_types(self) -> Mapping[str, JobType]:
        """Return the job types of this part, with their handlers."""
        return {JOB_TYPE: JobType(self.run)}

    async def run(self, context: JobContext) -> JobResult | Parked:
        """Start the reconciliation, or check its progress.

        :raises VaultFault: OPERATION_NOT_ALLOWED when no message of the connection can be sent.
        """
        if not context.checkpoint:
            return await self._begin(context)
        async with self._database.transaction() as connection:
            # Locked: a report that is stored now is seen, and a later one finds what this look leaves.
            await table.lock_unfinished(connection, context.job_id)
            stored = await self._read(connection, context.job_id)
        if stored.error is not None:
            return _failed(stored, stored.error)
        if stored.phase is Phase.DONE:
            return await self._finish(context)
        await context.progress("compare", stored.total)
        if stored.stalled:
            minutes = self._patience_minutes
            return _failed(stored, f"No connector has reported for {minutes} minutes")
        return Parked(LOOK_SECONDS)

    async def _begin(self, context: JobContext) -> Parked:
        scope = Scope.of(context.parameters)
        # First, and in a transaction of its own: one that cannot begin must not end the schedule.
        await self._database.unit_of_work(
            lambda connection: schedule_next(connection, SYSTEM, scope.connection),
        )
        async with self._database.transaction() as connection:
            await table.begin(connection, context.job_id)
            stored = await self._read(connection, context.job_id)
            await announce_slice(connection, self._components.registry, stored)
            await context.save({"begun": True}, connection=connection)
        return Parked(LOOK_SECONDS)

    async def _finish(self, context: JobContext) -> JobResult:
        """Store the result and its records in one transaction, and remove old results."""

        async def work(connection: Connection) -> Reconciliation:
            stored = await self._read(connection, context.job_id)
            # A process may have ended between this transaction and the end of the job.
            if context.checkpoint.get("recorded"):
                return stored
            await table.conclude(connection, context.job_id)
            stored = await self._read(connection, context.job_id)
            await self._records.record(connection, stored)
            await table.clear(connection, context.job_id)
            await announce_end(connection)
            await context.save({"begun": True, "recorded": True}, connection=connection)
            return stored

        stored = await self._records.carry_out(work)
        await self._records.remove_old(stored)
        counts = stored.total
        await context.progress("compare", counts, state=TaskState.SUCCESS)
        # Findings are what it was asked for; only what could not be compared is an error.
        results = {"counts": counts, "findings": findings(counts)}
        return JobResult(JobStatus.SUCCESS, results)

    async def _read(self, connection: Connection, job_id: int) -> Reconciliation:
        patience = timedelta(minutes=self._patience_minutes)
        stored = await table.read(connection, job_id, patience)
        if stored is None:
            message = "The reconciliation was deleted"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        return stored


def _failed(stored: Reconciliation, text: str) -> JobResult:
    """Return the result of a reconciliation that ended before everything was compared."""
    error = error_json(ApiError(ErrorType.INVALID_DATA, text))
    results = {"counts": stored.total, "error": error}
    return JobResult(JobStatus.ERRORS_ENCOUNTERED, results)
