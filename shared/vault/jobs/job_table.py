"""Stores jobs and their tasks: submits, claims, renews, ends and lists them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import orjson

from shared.vault.jobs import job_statements as statements
from shared.vault.jobs.job_model import (
    FINISHED,
    UNFINISHED,
    Job,
    JobFilter,
    JobPage,
    JobResult,
    JobStatus,
    JobTask,
    LeaseLost,
    TaskState,
)

if TYPE_CHECKING:
    from shared.vault.storage.database import Connection, Database

JOB = "job"
"""The notification channel that wakes workers."""

# PostgreSQL delivers it when the transaction commits, and not at all when it rolls back.
NOTIFY = "SELECT pg_notify($1, '')"
JOB_BY_ID = f"SELECT {statements.COLUMNS} FROM platform.job WHERE job_id = $1"
COUNT_TASKS = "SELECT count(*) FROM platform.job_task WHERE job_id = $1"
PAGE_OF_TASKS = f"{statements.TASKS} ORDER BY t.position LIMIT $3 OFFSET $4"
STATES_OF_TASKS = f"""
SELECT state, count(*) AS number FROM ({statements.TASKS}) AS tasks GROUP BY state ORDER BY state
"""
SAVE_CHECKPOINT = "UPDATE platform.job SET checkpoint = $2 WHERE job_id = $1"
# Tasks and logs are deleted with their job, by their foreign keys.
REMOVE = "DELETE FROM platform.job WHERE job_id = ANY($1::integer[])"


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to store; without ``run_at`` it is due now.

    ``delegate_user_id`` is the delegate who submits it in the user's name.
    """

    job_type: str
    title: str
    parameters: Mapping[str, object]
    user_id: int
    run_at: datetime | None
    singleton_key: str | None
    delegate_user_id: int | None


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that this process runs now, and the lease under which it may write."""

    job: Job
    lease: str
    attempts: int
    checkpoint: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class JobList:
    """A list of jobs: their statuses, the date column that is filtered, and the order."""

    statuses: frozenset[JobStatus]
    dated_by: str
    order: str


HISTORIES = JobList(
    statuses=FINISHED,
    dated_by="run_end_date",
    order="run_end_date DESC, job_id DESC",
)
MONITORS = JobList(
    statuses=UNFINISHED,
    dated_by="created_date",
    order="run_at ASC, job_id ASC",
)


async def insert_job(connection: Connection, job: NewJob) -> int:
    """Store a job inside a transaction, wake the workers when it commits, and return the job's id."""
    job_id: int = await connection.fetchval(
        statements.INSERT,
        job.job_type,
        job.title,
        _json(job.parameters),
        job.user_id,
        job.run_at,
        job.singleton_key,
        job.delegate_user_id,
    )
    await connection.execute(NOTIFY, JOB)
    return job_id


async def wake_job(connection: Connection, job_id: int) -> None:
    """Wake a parked job, so that it runs again when the transaction commits."""
    await connection.execute(statements.WAKE, job_id)
    await connection.execute(NOTIFY, JOB)


class JobTable:
    """Reads and writes the jobs of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def job(self, job_id: int) -> Job | None:
        """Return the job with this id, or None."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(JOB_BY_ID, job_id)
        if row is None:
            return None
        return _job(row)

    async def count_poll(self, job_id: int, interval: timedelta) -> bool:
        """Count a status request; return False when the last one is less than ``interval`` ago."""
        # One statement checks and counts, so that of two requests at once one is refused.
        async with self._database.connection() as connection:
            counted = await connection.fetchval(
                statements.COUNT_POLL,
                job_id,
                interval,
            )
        return counted is not None

    async def tasks(
        self,
        job_id: int,
        *,
        limit: int,
        offset: int,
    ) -> tuple[Sequence[JobTask], int]:
        """Return a page of a job's tasks, and the number of all."""
        finished = sorted(FINISHED)
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                PAGE_OF_TASKS,
                job_id,
                finished,
                limit,
                offset,
            )
            total: int = await connection.fetchval(COUNT_TASKS, job_id)
        return [_task(row) for row in rows], total

    async def task_states(self, job_id: int) -> Mapping[TaskState, int]:
        """Return the number of a job's tasks in each state."""
        finished = sorted(FINISHED)
        async with self._database.connection() as connection:
            rows = await connection.fetch(STATES_OF_TASKS, job_id, finished)
        return {TaskState(row["state"]): row["number"] for row in rows}

    async def listed(
        self,
        jobs: JobList,
        wanted: JobFilter,
        owner: int | None,
        *,
        limit: int,
        offset: int,
    ) -> JobPage:
        """Return a page of a list; with ``owner`` (a user id), only that user's jobs."""
        statuses = jobs.statuses
        if wanted.statuses:
            statuses &= wanted.statuses
        # Only names of this module become part of the SQL; values are parameters.
        dated = jobs.dated_by
        condition = (
            f"status = ANY($1::text[]) AND ($2::bigint IS NULL OR created_by = $2)"
            f" AND ($3::timestamptz IS NULL OR {dated} >= $3) AND ($4::timestamptz IS NULL OR {dated} <= $4)"
        )
        count = f"SELECT count(*) FROM platform.job WHERE {condition}"
        page = (
            f"SELECT {statements.COLUMNS} FROM platform.job WHERE {condition}"
            f" ORDER BY {jobs.order} LIMIT $5 OFFSET $6"
        )
        parameters = (sorted(statuses), owner, wanted.start, wanted.end)
        async with self._database.connection() as connection:
            total: int = await connection.fetchval(count, *parameters)
            rows = await connection.fetch(page, *parameters, limit, offset)
        return JobPage([_job(row) for row in rows], total)

    async def start_now(self, job_id: int, user_id: int) -> bool:
        """Make a waiting job due; return whether it was waiting."""
        return await self._change_and_wake(statements.START_NOW, job_id, user_id)

    async def cancel(self, job_id: int, user_id: int) -> bool:
        """Cancel a waiting job, or ask a running one to stop; return False when the job has ended."""
        return await self._change_and_wake(statements.CANCEL, job_id, user_id)

    async def _change_and_wake(self, sql: str, job_id: int, user_id: int) -> bool:
        async with self._database.transaction() as connection:
            changed = await connection.fetchval(sql, job_id, user_id)
            # A cancelled job that runs stops when its worker renews the lease, which a notification hastens.
            await connection.execute(NOTIFY, JOB)
        return changed is not None

    async def claim(
        self,
        job_types: Collection[str],
        lease_time: timedelta,
    ) -> ClaimedJob | None:
        """Lease the next job of these types to the caller; return None when none is due."""
        lease = str(uuid4())
        try:
            async with self._database.connection() as connection:
                row = await connection.fetchrow(
                    statements.CLAIM,
                    lease,
                    lease_time,
                    list(job_types),
                )
        except asyncpg.UniqueViolationError:
            # Another process has just claimed a job of the same key.
            return None
        if row is None:
            return None
        checkpoint = orjson.loads(row["checkpoint"])
        return ClaimedJob(_job(row), lease, row["attempts"], checkpoint)

    async def renew(
        self,
        leases: Collection[str],
        lease_time: timedelta,
    ) -> Mapping[str, bool]:
        """Prolong leases; return the valid leases, each with True if its job is to be cancelled."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(statements.RENEW, list(leases), lease_time)
        return {str(row["lease"]): row["cancel_requested"] for row in rows}

    async def give_up(self, max_attempts: int) -> Sequence[int]:
        """End jobs whose leases have expired after too many attempts, or that are to be cancelled; return their ids."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(statements.GIVE_UP, max_attempts)
        return [row["job_id"] for row in rows]

    async def finish(self, claimed: ClaimedJob, result: JobResult) -> bool:
        """End a job; return False when another process has its lease."""
        async with self._database.connection() as connection:
            finished = await connection.fetchval(
                statements.FINISH,
                claimed.job.job_id,
                claimed.lease,
                result.status.value,
                _json(result.results),
            )
        return finished is not None

    async def park(self, claimed: ClaimedJob, pause: timedelta) -> bool:
        """Leave a job RUNNING without a process for ``pause``; return False when another process has its lease."""
        async with self._database.connection() as connection:
            parked = await connection.fetchval(
                statements.PARK,
                claimed.job.job_id,
                claimed.lease,
                pause,
            )
        return parked is not None

    async def release(
        self,
        claimed: ClaimedJob,
        pause: timedelta = timedelta(),
        *,
        counted: bool,
    ) -> bool:
        """Return a job to the queue, due after ``pause``; return False when another process has its lease.

        ``counted`` says whether this run counts as one of its attempts.
        """
        async with self._database.transaction() as connection:
            released = await connection.fetchval(
                statements.RELEASE,
                claimed.job.job_id,
                claimed.lease,
                pause,
                counted,
            )
            # Another process may be free for it.
            await connection.execute(NOTIFY, JOB)
        return released is not None

    async def save_task(
        self,
        lease: str,
        job_id: int,
        task: JobTask,
        connection: Connection | None,
    ) -> None:
        """Store a task's counts and state, in the transaction of ``connection`` where there is one.

        :raises LeaseLost: when another process runs the job now.
        """
        async with self._leased(lease, job_id, connection) as leased:
            await leased.execute(
                statements.SAVE_TASK,
                job_id,
                task.task_id,
                task.state.value,
                _json(task.counts),
            )

    async def save_checkpoint(
        self,
        lease: str,
        job_id: int,
        checkpoint: Mapping[str, object],
        connection: Connection | None,
    ) -> None:
        """Store a checkpoint, in the transaction of ``connection`` where there is one.

        :raises LeaseLost: when another process runs the job now.
        """
        saved = _json(checkpoint)
        async with self._leased(lease, job_id, connection) as leased:
            await leased.execute(SAVE_CHECKPOINT, job_id, saved)

    @asynccontextmanager
    async def _leased(
        self,
        lease: str,
        job_id: int,
        connection: Connection | None,
    ) -> AsyncIterator[Connection]:
        """Yield a connection in a transaction that keeps other processes from claiming the job.

        Without ``connection``, the transaction is a new one.

        :raises LeaseLost: when another process has claimed the job.
        """
        if connection is None:
            async with (
                self._database.transaction() as own,
                self._leased(lease, job_id, own) as leased,
            ):
                yield leased
            return
        # Raised inside the caller's transaction: with the report its other changes are undone.
        if await connection.fetchrow(statements.LEASED, job_id, lease) is None:
            raise LeaseLost
        yield connection

    async def expired(self, older_than: timedelta) -> Sequence[int]:
        """Return the ids of up to a hundred jobs that ended longer ago than ``older_than``."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(statements.EXPIRED, older_than)
        return [row["job_id"] for row in rows]

    async def remove(self, job_ids: Sequence[int]) -> None:
        """Delete jobs with their tasks and logs."""
        async with self._database.connection() as connection:
            await connection.execute(REMOVE, list(job_ids))


def _json(value: Mapping[str, object] | Mapping[str, int]) -> str:
    return orjson.dumps(value).decode()


def _task(row: asyncpg.Record) -> JobTask:
    counts = orjson.loads(row["counts"])
    return JobTask(row["task_id"], TaskState(row["state"]), counts)


def _job(row: asyncpg.Record) -> Job:
    return Job(
        job_id=row["job_id"],
        job_type=row["job_type"],
        title=row["title"],
        status=JobStatus(row["status"]),
        parameters=orjson.loads(row["parameters"]),
        created_by=row["created_by"],
        created_date=row["created_date"],
        modified_by=row["modified_by"],
        modified_date=row["modified_date"],
        run_at=row["run_at"],
        run_start_date=row["run_start_date"],
        run_end_date=row["run_end_date"],
        results=orjson.loads(row["results"]),
        delegate_user_id=row["delegate_user_id"],
    )
