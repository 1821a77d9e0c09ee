"""Defines jobs, their tasks and states, and the contract between a job's handler and its worker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, assert_never

from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.errors import ApiError
    from shared.vault.storage.database import Connection


class JobStatus(StrEnum):
    """Statuses of a job, as the API names them."""

    SCHEDULED = "SCHEDULED"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    ERRORS_ENCOUNTERED = "ERRORS_ENCOUNTERED"
    CANCELLED = "CANCELLED"
    TIMEOUT = "TIMEOUT"
    # The API has these too, and clients may filter by them; no job gets them here.
    QUEUEING = "QUEUEING"
    FAILED_TO_RUN = "FAILED_TO_RUN"
    COMPLETED_DUE_TO_INACTIVITY = "COMPLETED_DUE_TO_INACTIVITY"
    MISSED_SCHEDULE = "MISSED_SCHEDULE"

    @property
    def finished(self) -> bool:
        """Return whether a job with this status has ended."""
        match self:
            case (
                JobStatus.SCHEDULED
                | JobStatus.QUEUED
                | JobStatus.QUEUEING
                | JobStatus.RUNNING
            ):
                return False
            case (
                JobStatus.SUCCESS
                | JobStatus.ERRORS_ENCOUNTERED
                | JobStatus.FAILED_TO_RUN
                | JobStatus.CANCELLED
                | JobStatus.TIMEOUT
                | JobStatus.COMPLETED_DUE_TO_INACTIVITY
                | JobStatus.MISSED_SCHEDULE
            ):
                return True
            case _:
                assert_never(self)


FINISHED = frozenset(status for status in JobStatus if status.finished)
UNFINISHED = frozenset(JobStatus) - FINISHED


class TaskState(StrEnum):
    """States of a job's task."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    ERRORS_ENCOUNTERED = "ERRORS_ENCOUNTERED"
    CANCELLED = "CANCELLED"

    @property
    def succeeded(self) -> bool:
        """Return whether a task in this state has ended without an error."""
        match self:
            case TaskState.SUCCESS:
                return True
            case (
                TaskState.QUEUED
                | TaskState.RUNNING
                | TaskState.ERRORS_ENCOUNTERED
                | TaskState.CANCELLED
            ):
                return False
            case _:
                assert_never(self)


def ended_state(*, failed: bool) -> TaskState:
    """Return the state of an ended task, by whether any part has failed."""
    return TaskState.ERRORS_ENCOUNTERED if failed else TaskState.SUCCESS


@dataclass(frozen=True, slots=True)
class Job:
    """One stored job."""

    job_id: int
    job_type: str
    title: str
    status: JobStatus
    parameters: Mapping[str, object]
    created_by: int
    created_date: datetime
    modified_by: int
    modified_date: datetime
    run_at: datetime
    run_start_date: datetime | None
    run_end_date: datetime | None
    results: Mapping[str, object]
    delegate_user_id: int | None = None


@dataclass(frozen=True, slots=True)
class JobTask:
    """One part of a job, with counts such as ``{"success": 500, "failure": 2}``."""

    task_id: str
    state: TaskState
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class JobResult:
    """Returned by a handler when the job has ended: its status, and its results (JSON values)."""

    status: JobStatus = JobStatus.SUCCESS
    results: Mapping[str, object] = field(default_factory=dict)


def error_json(error: ApiError) -> dict[str, str]:
    """Return an error as checkpoints and results store it."""
    return {"type": error.type.value, "message": error.message}


@dataclass(frozen=True, slots=True)
class Parked:
    """Returned by a handler when the work continues elsewhere.

    The job stays RUNNING without a process, and is run again after ``seconds``, or as
    soon as it is woken.
    """

    seconds: float


class JobStopped(Exception):
    """Raised in a handler that is asked to stop: the job is cancelled, or returns to the queue."""


class LeaseLost(JobStopped):
    """Raised when another process has taken over the job: this process may no longer write."""


@dataclass(slots=True)
class JobContext:
    """One run of a job.

    A job may have had earlier runs: ``checkpoint`` is the last one that these saved, ``{}`` at first. A handler that
    changes anything saves its checkpoint in the same transaction (``save`` with ``connection``, or
    ``also_in_unit_of_work`` of the database), so that no part is done twice.
    """

    job_id: int
    caller: Caller
    parameters: Mapping[str, object]
    checkpoint: Mapping[str, object]
    run: JobRun
    # Without it the caller stays who it was.
    caller_now: CallerNow | None = None

    def should_stop(self) -> bool:
        """Return whether the handler should stop soon: the job was cancelled, or this process is shutting down."""
        return self.run.stopping

    def raise_if_stopped(self) -> None:
        """Stop the handler if it is asked to; saved checkpoints stay.

        :raises JobStopped: when the job was cancelled, or this process is shutting down.
        """
        if self.run.stopping:
            raise JobStopped

    async def progress(
        self,
        task_id: str,
        counts: Mapping[str, int],
        *,
        state: TaskState = TaskState.RUNNING,
        connection: Connection | None = None,
    ) -> None:
        """Store a task's counts and state; the task is added when it is new.

        :raises LeaseLost: when another process runs the job now.
        """
        await self._confirm(connection)
        task = JobTask(task_id, state, counts)
        await self.run.table.save_task(self.run.lease, self.job_id, task, connection)

    async def save(
        self, checkpoint: Mapping[str, object], *, connection: Connection | None = None
    ) -> None:
        """Replace the checkpoint (JSON values), in the transaction of ``connection`` if there is one.

        :raises LeaseLost: when another process runs the job now.
        """
        await self._confirm(connection)
        await self.run.table.save_checkpoint(
            self.run.lease, self.job_id, checkpoint, connection
        )
        # After the write: without a lease the last stored checkpoint stays.
        self.checkpoint = checkpoint

    async def _confirm(self, connection: Connection | None) -> None:
        """Check that the caller still has the rights with which the run began.

        In the transaction of a part of the job, the error undoes that part. The next run begins with the caller's
        rights at that time, or ends with the reason why the caller has none.

        :raises JobStopped: when the caller's rights have changed or are gone.
        """
        if self.caller_now is None:
            return
        try:
            now = await self.caller_now(connection)
        except VaultFault:
            raise JobStopped from None
        # By value: each version of the components makes profiles of its own.
        before, after = self.caller.profile, now.profile
        if (before.name, before.sets) != (after.name, after.sets):
            raise JobStopped


# A protocol, because the table that implements it stands above this module.
class RunStore(Protocol):
    """Stores the reports of a run, as long as its lease is valid."""

    async def save_task(
        self,
        lease: str,
        job_id: int,
        task: JobTask,
        connection: Connection | None,
    ) -> None:
        """Store a task's counts and state.

        :raises LeaseLost: when another process runs the job now.
        """

    async def save_checkpoint(
        self,
        lease: str,
        job_id: int,
        checkpoint: Mapping[str, object],
        connection: Connection | None,
    ) -> None:
        """Store the checkpoint with which the next run of the job begins.

        :raises LeaseLost: when another process runs the job now.
        """


class JobRun(Protocol):
    """The part of a worker's run that the job's context uses."""

    @property
    def table(self) -> RunStore:
        """Return the store of the run's tasks and checkpoint."""

    @property
    def lease(self) -> str:
        """Return the token under which this run may write."""

    @property
    def stopping(self) -> bool:
        """Return whether the handler was asked to stop."""


CallerNow = Callable[["Connection | None"], Awaitable["Caller"]]
"""Returns the caller of a job as they are now, by a transaction's own connection; raises VaultFault without one."""
CallerOf = Callable[[int, int | None, "Connection | None"], Awaitable["Caller"]]
JobHandler = Callable[[JobContext], Awaitable[JobResult | Parked]]


@dataclass(frozen=True, slots=True)
class JobType:
    """A type of job with its handler; ``timeout`` (seconds) bounds one run, and ends the job as TIMEOUT."""

    handler: JobHandler
    timeout: float = 3600.0  # a handler that hangs would occupy its worker for ever


@dataclass(frozen=True, slots=True)
class JobPage:
    """A page of jobs, and the length of the whole list."""

    jobs: Sequence[Job]
    total: int


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Selects jobs of a list by status (an empty set means all) and by date, both ends included."""

    statuses: frozenset[JobStatus]
    start: datetime | None = None
    end: datetime | None = None
