"""What a job is: its statuses, its parts, what its handler is given and what it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.storage.database import Connection


class JobStatus(StrEnum):
    """Statuses of a job, as the API names them."""

    SCHEDULED = "SCHEDULED"
    QUEUED = "QUEUED"
    QUEUEING = "QUEUEING"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    ERRORS_ENCOUNTERED = "ERRORS_ENCOUNTERED"
    FAILED_TO_RUN = "FAILED_TO_RUN"
    CANCELLED = "CANCELLED"
    TIMEOUT = "TIMEOUT"
    COMPLETED_DUE_TO_INACTIVITY = "COMPLETED_DUE_TO_INACTIVITY"
    MISSED_SCHEDULE = "MISSED_SCHEDULE"


UNFINISHED = frozenset(
    {JobStatus.SCHEDULED, JobStatus.QUEUED, JobStatus.QUEUEING, JobStatus.RUNNING}
)
FINISHED = frozenset(JobStatus) - UNFINISHED


class TaskState(StrEnum):
    """States of a job's task."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    ERRORS_ENCOUNTERED = "ERRORS_ENCOUNTERED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Job:
    """One job as it is stored."""

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


@dataclass(frozen=True, slots=True)
class JobTask:
    """One part of a job, with counts such as ``{"success": 500, "failure": 2}``."""

    task_id: str
    state: TaskState
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a handler answers: how the job ended, and what ``JobService.results`` will tell of it (JSON values)."""

    status: JobStatus = JobStatus.SUCCESS
    results: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parked:
    """What a handler answers whose work goes on elsewhere.

    The job stays RUNNING without a process, and is run again after ``seconds``, or as soon as it is woken.
    """

    seconds: float


class JobStopped(Exception):
    """Raised by a handler that was told to stop: the job is cancelled, or goes back to the queue."""


class LeaseLost(JobStopped):
    """Another process has taken the job over; what this one would still write is refused."""


@dataclass(slots=True)
class JobContext:
    """One run of a job.

    A run may be the second of its job: ``checkpoint`` is what the runs before have saved, ``{}`` at first. A handler
    that changes anything saves its checkpoint in the same transaction (``save`` with ``connection``, or
    ``shared.vault.storage.database.also_in_unit_of_work``), so that no part is done twice.
    """

    job_id: int
    caller: Caller
    parameters: Mapping[str, object]
    checkpoint: Mapping[str, object]
    run: JobRun

    def should_stop(self) -> bool:
        """Whether to end soon: the job was cancelled, or this process is shutting down."""
        return self.run.stopping

    def raise_if_stopped(self) -> None:
        """End here when told to stop; what was saved stays.

        :raises JobStopped:
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
        """Set a task's counts and state; the task is added when it is new.

        :raises LeaseLost: when another process runs the job now.
        """
        await self.run.table.save_task(
            self.run.lease, self.job_id, JobTask(task_id, state, counts), connection
        )

    async def save(
        self, checkpoint: Mapping[str, object], *, connection: Connection | None = None
    ) -> None:
        """Replace the checkpoint (JSON values), in the transaction of ``connection`` when one is given.

        :raises LeaseLost: when another process runs the job now.
        """
        await self.run.table.save_checkpoint(
            self.run.lease, self.job_id, checkpoint, connection
        )
        self.checkpoint = checkpoint


class RunStore(Protocol):
    """Stores what a run reports of itself, as long as its lease is valid."""

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
        """Store the checkpoint that the next run of the job begins with.

        :raises LeaseLost: when another process runs the job now.
        """


class JobRun(Protocol):
    """What a run's context needs of the worker that made it."""

    @property
    def table(self) -> RunStore:
        """Where the run stores its tasks and its checkpoint."""

    @property
    def lease(self) -> str:
        """The token under which this run may write."""

    @property
    def stopping(self) -> bool:
        """Whether the handler is to end."""


JobHandler = Callable[[JobContext], Awaitable[JobResult | Parked]]


@dataclass(frozen=True, slots=True)
class JobType:
    """How jobs of one type are run; ``timeout`` (seconds) bounds one run, after it the job ends as TIMEOUT."""

    handler: JobHandler
    timeout: float = 3600.0


@dataclass(frozen=True, slots=True)
class JobPage:
    """Jobs of a list, and how many there are in all."""

    jobs: Sequence[Job]
    total: int


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs of a list: by status (none: all of the list's), and by date, both ends included."""

    statuses: frozenset[JobStatus]
    start: datetime | None = None
    end: datetime | None = None
