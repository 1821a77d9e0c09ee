"""Runs integrations: sends a run's messages, follows its reports, and advances the integration's time on success."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.protocol.whole_numbers import whole_number
from shared.spark.envelope import RunEvent
from shared.vault.access.caller import SYSTEM
from shared.vault.errors import ApiError, VaultFault
from shared.vault.integrations import run_table as table
from shared.vault.integrations.integration_triggers import LAST_RUN, OBJECT, is_active
from shared.vault.integrations.run_model import JOB_TYPE, Run
from shared.vault.integrations.run_requests import schedule_next
from shared.vault.jobs.job_model import (
    JobContext,
    JobResult,
    JobStatus,
    JobType,
    Parked,
    TaskState,
    ended_state,
    error_json,
)
from shared.vault.model.component_model import Queue
from shared.vault.queues.outbox import announce

if TYPE_CHECKING:
    from shared.spark.envelope import JsonValue
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.rows import RowResult
    from shared.vault.storage.database import Connection, Database

# Between looks at a run; the last report of a stage wakes its job at once.
LOOK_SECONDS = 5.0

INTEGRATION = f"""
SELECT i.integration_api_name__sys AS name, i.{LAST_RUN} AS last_run, c.api_name__sys AS connection,
    c.remote_vault_id__sys AS remote_vault
FROM records.{OBJECT} i JOIN records.connection__sys c ON c.id = i.connection__sys WHERE i.id = $1
"""
# NO KEY: other rows may refer to the integration while it is locked.
LOCK_TIME = f"SELECT {LAST_RUN} FROM records.{OBJECT} WHERE id = $1 FOR NO KEY UPDATE"


@dataclass(frozen=True, slots=True)
class Order:
    """The integration of a run, with the queue for its messages and the Vault to be read.

    ``last_run`` is its Last Successful Run Time; None when everything is to be read.
    """

    integration: str
    queue: Queue
    source_vault: int
    last_run: datetime | None


class IntegrationRunJobs:
    """Carries out runs: sends their messages, follows their reports, and ends them.

    ``patience_minutes`` is how long a run may be without a report.
    """

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        records: RecordService,
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
        """Begin the run, or check its progress.

        :raises VaultFault: OPERATION_NOT_ALLOWED when the integration cannot run,
            INVALID_DATA when it was deleted.
        """
        integration = str(context.parameters["integration"])
        if not context.checkpoint:
            return await self._begin(context, integration)
        patience = timedelta(minutes=self._patience_minutes)
        async with self._database.transaction() as connection:
            # Locks the run: a report that is stored now is seen, and a later one finds it as it is left.
            await table.lock_unfinished(connection, context.job_id)
            run = await table.read_run(
                connection,
                integration,
                context.job_id,
                patience,
            )
            if run is None:
                raise VaultFault(
                    ErrorType.INVALID_DATA,
                    "The integration of this run was deleted",
                )
            await _report_progress(context, connection, run)
            if run.error is None and run.stage_done and run.more_stages:
                await self._next_stage(context, connection, integration)
                return Parked(LOOK_SECONDS)
        if run.error is not None:
            return _errors(run, run.error)
        if run.stage_done:
            return await self._finish(integration, run)
        if run.stalled:
            minutes = self._patience_minutes
            return _errors(run, f"No connector has reported for {minutes} minutes")
        return Parked(LOOK_SECONDS)

    async def _begin(self, context: JobContext, integration: str) -> Parked:
        # First, and in a transaction of its own: a run that cannot begin must not end the
        # schedule, for the next one may find the fault corrected.
        await self._database.unit_of_work(
            lambda connection: schedule_next(connection, SYSTEM, integration),
        )
        async with self._database.transaction() as connection:
            order = await self._order(connection, integration)
            await table.begin(connection, integration, context.job_id, order.last_run)
            await _send(context, connection, order)
            await context.save({"begun": True}, connection=connection)
        return Parked(LOOK_SECONDS)

    async def _next_stage(
        self,
        context: JobContext,
        connection: Connection,
        integration: str,
    ) -> None:
        order = await self._order(connection, integration)
        await table.next_stage(connection, context.job_id)
        await _send(context, connection, order)

    async def _order(self, connection: Connection, integration: str) -> Order:
        """Return the order for a run of an integration (record id).

        :raises VaultFault: OPERATION_NOT_ALLOWED when the integration cannot run.
        """
        row = await connection.fetchrow(INTEGRATION, integration)
        if row is None or not await is_active(connection, row["name"]):
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED,
                "The integration or its connection is not active",
            )
        remote = whole_number(row["remote_vault"] or "")
        if remote is None:
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED,
                "The connection has no Remote Vault ID",
            )
        queue = inbound_queue(self._components.registry, row["connection"])
        if queue is None:
            text = f"No active inbound queue has the connection [{row['connection']}]"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, text)
        return Order(row["name"], queue, remote, row["last_run"])

    async def _finish(self, integration: str, run: Run) -> JobResult:
        counts = run.counts
        if counts.failed:
            return _errors(
                run,
                f"{counts.failed} of {counts.read} records failed; see User Exception Messages",
            )
        if run.moves_to is not None:
            await self._advance_run_time(integration, run.found_time, run.moves_to)
        return JobResult(JobStatus.SUCCESS, {"counts": counts.to_json()})

    async def _advance_run_time(
        self,
        integration: str,
        found: datetime | None,
        to: datetime,
    ) -> None:
        """Advance Last Successful Run Time from ``found``, unless a user has changed it meanwhile."""

        async def work(connection: Connection) -> list[RowResult]:
            stored: datetime | None = await connection.fetchval(LOCK_TIME, integration)
            # Somebody who set the time back wants those changes to be read again.
            if stored != found or (stored is not None and stored >= to):
                return []
            target = self._components.registry.objects[OBJECT]
            return await self._records.change_in(
                connection,
                SYSTEM,
                target,
                [integration],
                {},
                {LAST_RUN: to},
            )

        await self._records.carry_out(work)


def inbound_queue(registry: Registry, connection_name: str) -> Queue | None:
    """Return the active inbound queue on which a connection's messages arrive."""
    for queue in registry.queues.values():
        if not queue.type.takes_deliveries or not queue.active:
            continue
        connected = {each.connection_name for each in queue.connections if each.active}
        if connection_name in connected:
            return queue
    return None


async def _send(context: JobContext, connection: Connection, order: Order) -> None:
    """Queue the message that makes a connector read the next stage."""
    attributes: dict[str, JsonValue] = {
        "event": RunEvent.REQUEST,
        "integration": order.integration,
        "run": context.job_id,
        "source_vault_id": order.source_vault,
    }
    await announce(connection, order.queue, attributes)


async def _report_progress(
    context: JobContext,
    connection: Connection,
    run: Run,
) -> None:
    """Store the counts of each point as a task of the job."""
    for point, counts in run.by_point.items():
        ended = ended_state(failed=counts.failed > 0)
        state = ended if run.stage_done else TaskState.RUNNING
        await context.progress(
            point,
            counts.to_json(),
            state=state,
            connection=connection,
        )


def _errors(run: Run, text: str) -> JobResult:
    """Return the result of a run that ended with an error."""
    error = error_json(ApiError(ErrorType.INVALID_DATA, text))
    results = {"counts": run.counts.to_json(), "error": error}
    return JobResult(JobStatus.ERRORS_ENCOUNTERED, results)
