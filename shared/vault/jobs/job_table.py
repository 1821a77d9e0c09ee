"""The tables of jobs and their tasks: what is stored, claimed, renewed, finished and listed."""

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


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be stored."""

    job_type: str
    title: str
    parameters: Mapping[str, object]
    user_id: int
    run_at: datetime | None
    singleton_key: str | None


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that this process is to run now, and the lease under which it may write."""

    job: Job
    lease: str
    attempts: int
    checkpoint: Mapping[str, object]


async def insert_job(connection: Connection, job: NewJob) -> int:
    """Store a job inside a transaction, and wake the workers when it commits."""
    parameters = _json(job.parameters)
    arguments = (
        job.job_type,
        job.title,
        parameters,
        job.user_id,
        job.run_at,
        job.singleton_key,
    )
    job_id: int = await connection.fetchval(statements.INSERT, *arguments)
    await connection.execute("SELECT pg_notify($1, '')", JOB)
    return job_id


async def wake_job(connection: Connection, job_id: int) -> None:
    """Have a parked job run again when the transaction commits."""
    await connection.execute(statements.WAKE, job_id)
    await connection.execute("SELECT pg_notify($1, '')", JOB)


class JobTable:
    """The jobs of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(self, connection: Connection, job: NewJob) -> int:
        """As ``insert_job``."""
        return await insert_job(connection, job)

    async def job(self, job_id: int) -> Job | None:
        """One job, or None."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(
                f"SELECT {statements.COLUMNS} FROM platform.job WHERE job_id = $1",
                job_id,
            )
        return None if row is None else _job(row)

    async def note_poll(self, job_id: int, interval: timedelta) -> bool:
        """Count a status request; whether the last one is at least ``interval`` ago."""
        async with self._database.connection() as connection:
            return (
                await connection.fetchval(statements.NOTE_POLL, job_id, interval)
                is not None
            )

    async def tasks(
        self, job_id: int, *, limit: int, offset: int
    ) -> tuple[Sequence[JobTask], int]:
        """A page of a job's tasks, and their number."""
        async with self._database.connection() as connection:
            sql = f"{statements.TASKS} ORDER BY t.position LIMIT $3 OFFSET $4"
            rows = await connection.fetch(sql, job_id, sorted(FINISHED), limit, offset)
            total: int = await connection.fetchval(
                "SELECT count(*) FROM platform.job_task WHERE job_id = $1", job_id
            )
        found = [
            JobTask(
                row["task_id"], TaskState(row["state"]), orjson.loads(row["counts"])
            )
            for row in rows
        ]
        return found, total

    async def task_states(self, job_id: int) -> Mapping[TaskState, int]:
        """How many of a job's tasks are in each state."""
        sql = f"SELECT state, count(*) AS number FROM ({statements.TASKS}) AS tasks GROUP BY state ORDER BY state"
        async with self._database.connection() as connection:
            rows = await connection.fetch(sql, job_id, sorted(FINISHED))
        return {TaskState(row["state"]): row["number"] for row in rows}

    async def listed(
        self,
        wanted: JobFilter,
        among: Collection[JobStatus],
        owner: int | None,
        *,
        limit: int,
        offset: int,
    ) -> JobPage:
        """A page of the jobs that have a status of ``among``; only those of ``owner`` when one is given."""
        statuses = sorted((wanted.statuses or frozenset(among)) & frozenset(among))
        dated, order = (
            ("run_end_date", "DESC")
            if JobStatus.SUCCESS in among
            else ("created_date", "ASC")
        )
        condition = (
            f"status = ANY($1::text[]) AND ($2::bigint IS NULL OR created_by = $2)"
            f" AND ($3::timestamptz IS NULL OR {dated} >= $3) AND ($4::timestamptz IS NULL OR {dated} <= $4)"
        )
        parameters = (statuses, owner, wanted.start, wanted.end)
        ordered = f"ORDER BY {'run_end_date' if order == 'DESC' else 'run_at'} {order}, job_id {order}"
        async with self._database.connection() as connection:
            total: int = await connection.fetchval(
                f"SELECT count(*) FROM platform.job WHERE {condition}", *parameters
            )
            sql = f"SELECT {statements.COLUMNS} FROM platform.job WHERE {condition} {ordered} LIMIT $5 OFFSET $6"
            rows = await connection.fetch(sql, *parameters, limit, offset)
        return JobPage([_job(row) for row in rows], total)

    async def start_now(self, job_id: int, user_id: int) -> bool:
        """Make a waiting job due; whether it was waiting."""
        return await self._change_and_wake(statements.START_NOW, job_id, user_id)

    async def cancel(self, job_id: int, user_id: int) -> bool:
        """Cancel a waiting job, ask a running one to stop; whether it was either."""
        return await self._change_and_wake(statements.CANCEL, job_id, user_id)

    async def _change_and_wake(self, sql: str, job_id: int, user_id: int) -> bool:
        async with self._database.transaction() as connection:
            changed = await connection.fetchval(sql, job_id, user_id)
            await connection.execute("SELECT pg_notify($1, '')", JOB)
        return changed is not None

    async def claim(
        self, job_types: Collection[str], lease_time: timedelta
    ) -> ClaimedJob | None:
        """The next job to run, now leased to the caller; None when none is due."""
        lease = str(uuid4())
        try:
            async with self._database.connection() as connection:
                row = await connection.fetchrow(
                    statements.CLAIM, lease, lease_time, list(job_types)
                )
        except asyncpg.UniqueViolationError:
            return (
                None  # another process has begun a job of the same key in this moment
            )
        if row is None:
            return None
        return ClaimedJob(
            _job(row), lease, row["attempts"], orjson.loads(row["checkpoint"])
        )

    async def renew(
        self, leases: Collection[str], lease_time: timedelta
    ) -> Mapping[str, bool]:
        """Prolong leases; those still held, each with whether its job is to be cancelled."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(statements.RENEW, list(leases), lease_time)
        return {str(row["lease"]): row["cancel_requested"] for row in rows}

    async def give_up(self, max_attempts: int) -> Sequence[int]:
        """End the jobs that have lost their process too often, or were to be cancelled; their ids."""
        async with self._database.connection() as connection:
            return [
                row["job_id"]
                for row in await connection.fetch(statements.GIVE_UP, max_attempts)
            ]

    async def finish(self, claimed: ClaimedJob, result: JobResult) -> bool:
        """End a job; False when the lease is another's by now."""
        async with self._database.connection() as connection:
            arguments = (
                claimed.job.job_id,
                claimed.lease,
                result.status.value,
                _json(result.results),
            )
            return await connection.fetchval(statements.FINISH, *arguments) is not None

    async def park(self, claimed: ClaimedJob, pause: timedelta) -> bool:
        """Leave a job running without a process for ``pause``; False when the lease is another's by now."""
        async with self._database.connection() as connection:
            return (
                await connection.fetchval(
                    statements.PARK, claimed.job.job_id, claimed.lease, pause
                )
                is not None
            )

    async def release(
        self, claimed: ClaimedJob, pause: timedelta = timedelta(), *, counted: bool
    ) -> bool:
        """Put a job back into the queue, to be run after ``pause``; ``counted`` when the attempt was one."""
        async with self._database.transaction() as connection:
            released = await connection.fetchval(
                statements.RELEASE, claimed.job.job_id, claimed.lease, pause, counted
            )
            await connection.execute("SELECT pg_notify($1, '')", JOB)
        return released is not None

    async def save_task(
        self, lease: str, job_id: int, task: JobTask, connection: Connection | None
    ) -> None:
        """Store a task's state; raises LeaseLost."""
        async with self._held(lease, job_id, connection) as held:
            await held.execute(
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
        """Store a checkpoint; raises LeaseLost."""
        async with self._held(lease, job_id, connection) as held:
            await held.execute(
                "UPDATE platform.job SET checkpoint = $2 WHERE job_id = $1",
                job_id,
                _json(checkpoint),
            )

    @asynccontextmanager
    async def _held(
        self, lease: str, job_id: int, connection: Connection | None
    ) -> AsyncIterator[Connection]:
        """A transaction in which the job cannot be taken over; raises LeaseLost when it has been."""
        if connection is None:
            async with (
                self._database.transaction() as own,
                self._held(lease, job_id, own) as held,
            ):
                yield held
            return
        if await connection.fetchrow(statements.HELD, job_id, lease) is None:
            raise LeaseLost
        yield connection

    async def expired(self, older_than: timedelta) -> Sequence[int]:
        """Up to a hundred jobs that ended longer ago."""
        async with self._database.connection() as connection:
            return [
                row["job_id"]
                for row in await connection.fetch(statements.EXPIRED, older_than)
            ]

    async def remove(self, job_ids: Sequence[int]) -> None:
        """Forget jobs."""
        async with self._database.connection() as connection:
            await connection.execute(
                "DELETE FROM platform.job WHERE job_id = ANY($1::integer[])",
                list(job_ids),
            )


def _json(value: Mapping[str, object] | Mapping[str, int]) -> str:
    return orjson.dumps(value).decode()


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
    )
