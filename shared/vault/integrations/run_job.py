"""The job of a run: sends the message, looks at what connectors report, and moves the time on when nothing failed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import SYSTEM
from shared.vault.errors import VaultFault
from shared.vault.integrations import run_table as table
from shared.vault.integrations.integration_triggers import LAST_RUN, OBJECT, is_active
from shared.vault.integrations.run_model import JOB_TYPE, RUN_EVENT, Run
from shared.vault.integrations.run_requests import schedule_next
from shared.vault.jobs.job_model import (
    JobContext,
    JobResult,
    JobStatus,
    JobType,
    Parked,
    TaskState,
)
from shared.vault.queues.outbox import announce

if TYPE_CHECKING:
    from shared.spark.envelope import JsonValue
    from shared.vault.components.registry import Registry
    from shared.vault.model.component_model import Queue
    from shared.vault.records.rows import RowResult
    from shared.vault.storage.database import Connection

LOOK_SECONDS = (
    5.0  # between looks at a run; the last report of a stage makes it look at once
)

INTEGRATION = f"""
SELECT i.integration_api_name__sys AS name, i.{LAST_RUN} AS last_run, c.api_name__sys AS connection,
    c.remote_vault_id__sys AS remote_vault
FROM records.{OBJECT} i JOIN records.connection__sys c ON c.id = i.connection__sys WHERE i.id = $1
"""
LOCK_TIME = f"SELECT {LAST_RUN} FROM records.{OBJECT} WHERE id = $1 FOR NO KEY UPDATE"
CREATED = "SELECT date_trunc('milliseconds', created_date) FROM platform.job WHERE job_id = $1"


@dataclass(frozen=True, slots=True)
class Order:
    """What a run is about: the integration, the queue for its messages, and the Vault to be read."""

    integration: str
    queue: Queue
    source_vault: int
    last_run: datetime | None


async def run_integration(context: JobContext) -> JobResult | Parked:
    """Begin the run, or look at how far it has come; raises VaultFault when the integration cannot run."""
    integration = str(context.parameters["integration"])
    if not context.checkpoint:
        return await _begin(context, integration)
    vault = context.vault
    patience = timedelta(minutes=vault.settings.run_patience_minutes)
    async with vault.database.transaction() as connection:
        await table.under_way(connection, context.job_id)
        run = await table.read_run(connection, integration, context.job_id, patience)
        if run is None:
            raise VaultFault(
                ErrorType.INVALID_DATA, "The integration of this run is gone"
            )
        await _show(context, connection, run)
        if run.error is None and run.stage_done and run.more_stages:
            order = await _order(connection, vault.components.registry, integration)
            await table.next_stage(connection, context.job_id)
            await _send(context, connection, order)
            return Parked(LOOK_SECONDS)
    if run.error is not None:
        return _errors(run, run.error)
    if run.stage_done:
        return await _finish(context, integration, run)
    if run.stalled:
        return _errors(
            run,
            f"No connector has reported for {vault.settings.run_patience_minutes} minutes",
        )
    return Parked(LOOK_SECONDS)


async def _begin(context: JobContext, integration: str) -> Parked:
    vault = context.vault
    # Before anything can go wrong: what keeps this run from beginning may be mended by the next.
    await vault.database.unit_of_work(
        lambda own: schedule_next(own, SYSTEM, integration)
    )
    async with vault.database.transaction() as connection:
        order = await _order(connection, vault.components.registry, integration)
        since = order.last_run or await connection.fetchval(CREATED, context.job_id)
        await table.begin(connection, context.job_id, order.last_run, since)
        await _send(context, connection, order)
        await context.save({"begun": True}, connection=connection)
    return Parked(LOOK_SECONDS)


async def _order(connection: Connection, registry: Registry, integration: str) -> Order:
    row = await connection.fetchrow(INTEGRATION, integration)
    if row is None or not await is_active(connection, row["name"]):
        raise VaultFault(
            ErrorType.OPERATION_NOT_ALLOWED,
            "The integration or its connection is not active",
        )
    remote = row["remote_vault"] or ""
    if not remote.isdecimal():
        raise VaultFault(
            ErrorType.OPERATION_NOT_ALLOWED, "The connection has no Remote Vault ID"
        )
    queue = inbound_queue(registry, row["connection"])
    if queue is None:
        text = f"No active inbound queue has the connection [{row['connection']}]"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, text)
    return Order(row["name"], queue, int(remote), row["last_run"])


def inbound_queue(registry: Registry, connection_name: str) -> Queue | None:
    """The active inbound queue on which a connection's messages arrive."""
    for queue in registry.queues.values():
        if queue.type == "inbound" and queue.active:
            for connection in queue.connections:
                if connection.active and connection.connection_name == connection_name:
                    return queue
    return None


async def _send(context: JobContext, connection: Connection, order: Order) -> None:
    """Put the message on the Vault's own queue that makes a connector read the next stage."""
    attributes: dict[str, JsonValue] = {
        "event": RUN_EVENT,
        "integration": order.integration,
        "run": context.job_id,
        "source_vault_id": order.source_vault,
    }
    await announce(connection, order.queue, attributes)


async def _show(context: JobContext, connection: Connection, run: Run) -> None:
    for point, counts in run.by_point.items():
        ended = TaskState.ERRORS_ENCOUNTERED if counts.failed else TaskState.SUCCESS
        state = ended if run.stage_done else TaskState.RUNNING
        await context.progress(
            point, counts.as_json(), state=state, connection=connection
        )


async def _finish(context: JobContext, integration: str, run: Run) -> JobResult:
    counts = run.counts
    if counts.failed:
        return _errors(
            run,
            f"{counts.failed} of {counts.read} records failed; see User Exception Messages",
        )
    if run.source_time is not None:
        await _move_on(context, integration, run.found_time, run.source_time)
    return JobResult(JobStatus.SUCCESS, {"counts": counts.as_json()})


async def _move_on(
    context: JobContext, integration: str, found: datetime | None, to: datetime
) -> None:
    """Move Last Successful Run Time forward, unless somebody has set it since the run began."""
    vault = context.vault

    async def work(connection: Connection) -> list[RowResult]:
        stored: datetime | None = await connection.fetchval(LOCK_TIME, integration)
        if stored != found or (stored is not None and stored >= to):
            return []
        target = vault.components.registry.objects[OBJECT]
        return await vault.records.change_in(
            connection, SYSTEM, target, [integration], {}, {LAST_RUN: to}
        )

    await vault.records.carry_out(work)


def _errors(run: Run, text: str) -> JobResult:
    error = {"type": ErrorType.INVALID_DATA, "message": text}
    return JobResult(
        JobStatus.ERRORS_ENCOUNTERED, {"counts": run.counts.as_json(), "error": error}
    )


JOBS = {JOB_TYPE: JobType(run_integration)}
