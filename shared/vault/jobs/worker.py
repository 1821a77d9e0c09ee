"""Claims due jobs, runs them under a lease, and returns jobs that it cannot finish to the queue."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

import asyncpg
import structlog

from shared.protocol.error_types import ErrorType
from shared.runtime.retry_policies import JOB, VAULT_LOOP
from shared.runtime.waiting import state_log, wait_for
from shared.spark.broker_errors import BrokerUnavailable
from shared.vault.errors import ApiError, VaultFault
from shared.vault.jobs.job_model import (
    CallerOf,
    JobContext,
    JobResult,
    JobStatus,
    JobStopped,
    JobType,
    Parked,
    error_json,
)
from shared.vault.storage.database import OUTAGES, RETRYABLE
from shared.vault.storage.fair_slots import in_job

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from shared.vault.access.caller import Caller
    from shared.vault.jobs.job_table import ClaimedJob, JobTable
    from shared.vault.storage.database import Connection

log = structlog.get_logger(__name__)


# Faults that the job did not cause: the same run may succeed later.
PASSING = (
    *OUTAGES,
    *RETRYABLE,
    asyncpg.InterfaceError,
    asyncpg.LockNotAvailableError,
    BrokerUnavailable,
)


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """Bounds of one process's worker; times in seconds."""

    concurrency: int = 2
    lease: float = 30.0  # a process that renews nothing for so long has lost its jobs
    poll: float = 2.0  # no notification says that a job becomes due, or a lease ends
    max_attempts: int = JOB.attempts
    grace: float = 8.0  # for handlers to notice that the process ends


@dataclass(slots=True, eq=False)
class Run:
    """One run of a job in this process."""

    claimed: ClaimedJob
    table: JobTable
    stopping: bool = False
    cancelled: bool = False
    lost: bool = False
    task: asyncio.Task[None] | None = None

    @property
    def lease(self) -> str:
        """Return the token under which this run may write."""
        return self.claimed.lease

    def stop(self, *, cancelled: bool = False) -> None:
        """Ask the handler to stop; a cancelled job stays cancelled."""
        self.stopping = True
        self.cancelled = self.cancelled or cancelled

    def abandon(self) -> None:
        """Cancel the handler at once, since another process may already run the job."""
        self.lost = self.stopping = True
        if self.task is not None:
            self.task.cancel()


class JobWorker:
    """Runs the jobs of one Vault, in any number of processes.

    ``caller_of`` returns the caller for the ids of a user and of their delegate, and raises VaultFault when there is
    no such caller any more: each job runs with the rights of the session that submitted it, as they are now.
    """

    def __init__(
        self,
        table: JobTable,
        types: Mapping[str, JobType],
        caller_of: CallerOf,
        options: WorkerOptions | None = None,
    ) -> None:
        self._table = table
        self._types = types
        self._caller_of = caller_of
        self._options = options or WorkerOptions()
        self._lease = timedelta(seconds=self._options.lease)
        self._runs: set[Run] = set()
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._renewed = time.monotonic()

    def wake(self) -> None:
        """Look for due jobs at once, without waiting for the next poll."""
        self._wake.set()

    async def start(self) -> None:
        """Start running jobs, until ``stop``."""
        self._loop = asyncio.create_task(self._work(), name="jobs")

    async def stop(self) -> None:
        """Claim no more jobs, wait a moment for running ones, and return the others to the queue."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        tasks = [run.task for run in self._runs if run.task is not None]
        for run in self._runs:
            run.stop()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._options.grace)
            for task in late:
                # A handler that is cut off here is repeated from its last checkpoint.
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self) -> None:
        pauses = VAULT_LOOP.pauses()
        # Three looks within a lease: two may fail before it is lost.
        interval = min(self._options.poll, self._options.lease / 3)
        while True:
            self._wake.clear()
            try:
                await self._renew()
                await self._table.give_up(self._options.max_attempts)
                await self._take()
            except PASSING as error:
                state_log.failed("postgresql (jobs)", error)
                self._abandon_if_silent()
                await asyncio.sleep(next(pauses))
                continue
            if state_log.is_down("postgresql (jobs)"):
                state_log.succeeded("postgresql (jobs)")
                pauses = VAULT_LOOP.pauses()
            try:
                async with asyncio.timeout(interval):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _take(self) -> None:
        """Claim and begin due jobs, as many as this process may run at once."""
        while len(self._runs) < self._options.concurrency:
            claimed = await self._table.claim(self._types, self._lease)
            if claimed is None:
                return
            run = Run(claimed, self._table)
            self._runs.add(run)
            name = f"job {claimed.job.job_id}"
            run.task = asyncio.create_task(self._run(run), name=name)

    async def _renew(self) -> None:
        """Renew the leases of running jobs, and stop the runs that have lost theirs or are cancelled."""
        # Read before the query: the leases are valid from some moment after this one.
        begun = time.monotonic()
        runs = {run.lease: run for run in self._runs}
        valid = await self._table.renew(runs, self._lease) if runs else {}
        for lease, run in runs.items():
            # A run that ended during the query has no lease any more.
            if lease not in valid and run in self._runs:
                run.abandon()
            elif valid.get(lease):
                run.stop(cancelled=True)
        self._renewed = begun

    def _abandon_if_silent(self) -> None:
        """Stop the runs whose leases could not be renewed in time: other processes may run their jobs."""
        if time.monotonic() - self._renewed > self._options.lease:
            for run in self._runs:
                run.abandon()

    async def _run(self, run: Run) -> None:
        job = run.claimed.job
        log.info(
            "job.started",
            job_id=job.job_id,
            job_type=job.job_type,
            attempt=run.claimed.attempts,
        )
        try:
            outcome = await self._outcome(run)
            if not run.lost:
                await self._settle(run, outcome)
        finally:
            self._runs.discard(run)
            self.wake()

    async def _outcome(self, run: Run) -> JobResult | Parked | timedelta:
        """Run the handler; return the job's result, its ``Parked``, or the pause before the next attempt."""
        try:
            return await self._handled(run)
        except (JobStopped, asyncio.CancelledError):
            return JobResult(JobStatus.CANCELLED) if run.cancelled else timedelta()
        except VaultFault as fault:
            return failed(fault.error)
        except PASSING as error:
            log.warning(
                "job.delayed",
                job_id=run.claimed.job.job_id,
                reason=type(error).__name__,
            )
            return self._later(run)
        except Exception as error:
            log.exception("job.failed", job_id=run.claimed.job.job_id, exc_info=error)
            # Operators have the log; callers are not shown the internals that its text names.
            message = "An unexpected error occurred"
            return failed(ApiError(ErrorType.UNEXPECTED_ERROR, message))

    def _later(self, run: Run) -> JobResult | timedelta:
        """Return the pause before the next attempt, twice the last one; after the last attempt, a failure."""
        attempts = run.claimed.attempts
        if attempts < self._options.max_attempts:
            seconds = JOB.pause_before(attempts + 1)
            return timedelta(seconds=seconds)
        message = "The database or the broker could not be reached"
        return failed(ApiError(ErrorType.UNEXPECTED_ERROR, message))

    async def _handled(self, run: Run) -> JobResult | Parked:
        job = run.claimed.job
        job_type = self._types[job.job_type]

        async def caller_now(connection: Connection | None = None) -> Caller:
            who = (job.created_by, job.delegate_user_id)
            return await self._caller_of(*who, connection)

        context = JobContext(
            job.job_id,
            await caller_now(),
            job.parameters,
            run.claimed.checkpoint,
            run,
            caller_now,
        )
        bound = asyncio.timeout(job_type.timeout)
        try:
            async with bound:
                with in_job():
                    return await job_type.handler(context)
        except TimeoutError:
            if bound.expired():
                return JobResult(JobStatus.TIMEOUT)
            # A TimeoutError of the handler's own is a fault like others.
            raise

    async def _settle(self, run: Run, outcome: JobResult | Parked | timedelta) -> None:
        """Store the outcome of a run; try again while the database is away, for as long as the lease lasts."""
        job = run.claimed.job
        try:
            await wait_for(
                "postgresql (jobs)",
                lambda: self._store(run.claimed, outcome),
                retry_on=PASSING,
                give_up_after=self._options.lease,
            )
        except PASSING as error:
            # The lease ends by itself, and another process repeats the run.
            reason = type(error).__name__
            log.warning("job.not_settled", job_id=job.job_id, reason=reason)
            return
        match outcome:
            case JobResult():
                status = outcome.status
            case timedelta():
                status = JobStatus.QUEUED
            case Parked():
                return
            case _:
                assert_never(outcome)
        log.info("job.ended", job_id=job.job_id, job_type=job.job_type, status=status)

    def _store(
        self,
        claimed: ClaimedJob,
        outcome: JobResult | Parked | timedelta,
    ) -> Awaitable[bool]:
        match outcome:
            case JobResult():
                return self._table.finish(claimed, outcome)
            case Parked():
                pause = timedelta(seconds=outcome.seconds)
                return self._table.park(claimed, pause)
            case timedelta():
                # Without a pause the handler was asked to stop: no attempt has failed.
                return self._table.release(claimed, outcome, counted=bool(outcome))
            case _:
                assert_never(outcome)


def failed(error: ApiError) -> JobResult:
    """Return the result of a job that ended with this error."""
    results = {"error": error_json(error)}
    return JobResult(JobStatus.ERRORS_ENCOUNTERED, results)
