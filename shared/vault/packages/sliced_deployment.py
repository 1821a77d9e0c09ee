"""Deploys a package with many rows in many short transactions, each of which saves the progress."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from shared.vault.configuration.component_locks import repeated_while_busy
from shared.vault.errors import VaultFault
from shared.vault.jobs.job_logs import JobLog
from shared.vault.jobs.job_model import TaskState
from shared.vault.packages.deployment import (
    DeploymentFailed,
    conclude_rows,
    fail,
    write_rows,
)
from shared.vault.packages.deployment_plan import stages
from shared.vault.packages.package_model import DataStep
from shared.vault.packages.package_reports import DATA_LOG_HEADER, data_log_lines
from shared.vault.records.rows import MAX_ROWS, RowResult, row_results
from shared.vault.storage.database import OneTransaction, also_in_unit_of_work

if TYPE_CHECKING:
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.jobs.job_model import JobContext
    from shared.vault.packages.deployment import Deployment, StepOutcome
    from shared.vault.packages.package_model import Step
    from shared.vault.records.record_service import RecordService
    from shared.vault.storage.database import Connection, Database

Rows = list[dict[str, object]]


def rows_log(database: Database, job_id: int) -> JobLog:
    """Return the log of a deployment's rows while its job runs."""
    return JobLog(database, job_id, "rows", "data")


class SlicedDeployment:
    """One run of a deployment in slices; its job may have had earlier runs.

    Consecutive components are one transaction; so are 500 rows of a data step. Each saves the checkpoint ``stage`` (the
    number of completed stages) and ``outcomes`` (of each step, by its identity), so that the next run continues after
    the last committed transaction.
    """

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        records: RecordService,
        context: JobContext,
        deployment: Deployment,
    ) -> None:
        self._database = database
        self._components = components
        self._records = records
        self._context = context
        self._deployment = deployment
        self._log = rows_log(database, context.job_id)
        self._stage = 0

    async def carry_out(self) -> None:
        """Deploy the steps that are left.

        :raises DeploymentFailed: at the first step that is refused; what was committed before it stays.
        :raises JobStopped: the job is asked to stop.
        """
        self._deployment.refuse_known()
        if self._context.checkpoint:
            self._restore(self._context.checkpoint)
        else:
            await self._begin()
        for stage in stages(self._deployment.package.steps)[self._stage :]:
            self._context.raise_if_stopped()
            step = stage[0]
            if isinstance(step, DataStep):
                await self._save(step)
            else:
                await self._execute(stage)

    def _restore(self, saved: Mapping[str, Any]) -> None:
        self._stage = saved["stage"]
        for outcome in self._deployment.outcomes:
            found = saved["outcomes"].get(outcome.step.identity)
            if found is not None:
                outcome.restore(found)

    async def _begin(self) -> None:
        """Start the log, and list the data steps as tasks of the job."""
        async with self._database.transaction() as connection:
            await self._log.append(connection, DATA_LOG_HEADER)
            for step in self._deployment.package.steps:
                if isinstance(step, DataStep):
                    await self._report(connection, step, TaskState.QUEUED)
            await self._note(connection, self._stage)

    async def _execute(self, steps: Sequence[Step]) -> None:
        """Deploy consecutive components in one transaction."""
        try:
            await repeated_while_busy(lambda: self._execute_together(steps))
        except DeploymentFailed:
            self._deployment.undone(steps)
            raise
        # The rows that follow may be of these components.
        await self._components.load()
        await self._database.forget_statements()

    async def _execute_together(self, steps: Sequence[Step]) -> None:
        """Deploy components in one transaction.

        :raises TablesBusy: others use a table of these components; nothing was done.
        """
        self._deployment.begin(steps)
        stage = self._stage + 1
        async with self._database.schema_transaction() as connection:
            components = await self._components.within(OneTransaction(connection))
            caller = self._context.caller
            await self._deployment.execute(caller, components, steps)
            await self._note(connection, stage)
        self._stage = stage

    async def _save(self, step: DataStep) -> None:
        """Write the rows of a data step that are left, slice by slice.

        :raises DeploymentFailed: when rows were refused; the others are saved.
        """
        outcome = self._deployment.outcome(step)
        left = step.rows(outcome.done)

        def following() -> Rows:
            return list(islice(left, MAX_ROWS))

        # Unpacked and parsed in a thread: what an earlier run has saved is passed over first, which can take seconds.
        while rows := await asyncio.to_thread(following):
            self._context.raise_if_stopped()
            await self._save_slice(step, outcome, rows)
        conclude_rows(outcome, step)
        stage = self._stage + 1
        async with self._database.transaction() as connection:
            await self._report(connection, step, TaskState.SUCCESS)
            await self._note(connection, stage)
        self._stage = stage

    async def _save_slice(
        self,
        step: DataStep,
        outcome: StepOutcome,
        rows: Rows,
    ) -> None:
        """Write up to 500 rows in one transaction with their outcomes and the progress of the deployment.

        :raises DeploymentFailed: the rows were refused as a whole, and none of them is saved.
        """
        before = outcome.to_json()

        async def note(connection: Connection, results: object) -> None:
            # A unit of work may be repeated, and only the last one is committed: counted from where the slice began.
            outcome.restore(before)
            await self._note_rows(connection, step, outcome, row_results(results))

        try:
            with also_in_unit_of_work(note):
                await write_rows(self._context.caller, self._records, step, rows)
        except VaultFault as fault:
            outcome.restore(before)
            fail(outcome, f"From record {outcome.done + 1} on: {fault.error.message}")

    async def _note_rows(
        self,
        connection: Connection,
        step: DataStep,
        outcome: StepOutcome,
        results: Sequence[RowResult],
    ) -> None:
        lines = data_log_lines(step, results, outcome.done + 1, saved=True)
        outcome.add(results)
        await self._log.append(connection, lines)
        await self._report(connection, step, TaskState.RUNNING)
        await self._note(connection, self._stage)

    async def _report(
        self,
        connection: Connection,
        step: DataStep,
        state: TaskState,
    ) -> None:
        """Store the numbers of written and refused rows of a step."""
        outcome = self._deployment.outcome(step)
        counts = {
            "total": step.count,
            "success": outcome.done - outcome.failed,
            "failure": outcome.failed,
        }
        await self._context.progress(
            step.identity,
            counts,
            state=state,
            connection=connection,
        )

    async def _note(self, connection: Connection, stage: int) -> None:
        """Save in a transaction the checkpoint for the next run."""
        outcomes = {
            outcome.step.identity: outcome.to_json()
            for outcome in self._deployment.outcomes
            if outcome.lines or outcome.done
        }
        checkpoint = {"stage": stage, "outcomes": outcomes}
        await self._context.save(checkpoint, connection=connection)
