"""Submits, shows, starts and cancels jobs for their callers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, authorize_own, granted
from shared.vault.errors import VaultFault
from shared.vault.jobs.job_model import (
    Job,
    JobFilter,
    JobPage,
    JobTask,
    TaskState,
)
from shared.vault.jobs.job_table import (
    HISTORIES,
    MONITORS,
    JobTable,
    NewJob,
    insert_job,
)

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.storage.database import Connection, Database

MAX_TITLE = 200  # characters
MAX_ID = 2**31 - 1  # of the column, an integer of PostgreSQL


class JobService:
    """Submits, shows and cancels jobs; callers see their own jobs, and with ``Grant.MANAGE_JOBS`` all jobs."""

    def __init__(self, database: Database, *, poll_seconds: float = 10.0) -> None:
        self.table = JobTable(database)
        self._database = database
        self._poll = timedelta(seconds=poll_seconds)

    async def submit(
        self,
        caller: Caller,
        job_type: str,
        title: str,
        parameters: Mapping[str, object],
        *,
        run_at: datetime | None = None,
        singleton_key: str | None = None,
        connection: Connection | None = None,
    ) -> int:
        """Queue a job that runs with the rights of the caller, who may be a delegate, and return its id.

        It runs as soon as a process is free, but not before ``run_at``, nor before the transaction of ``connection``
        commits. ``parameters`` are JSON values. Of the jobs with one ``singleton_key``, at most one waits and at most
        one runs: a waiting one is brought forward to ``run_at``, and its id is returned.
        """
        job = NewJob(
            job_type,
            title[:MAX_TITLE],
            parameters,
            caller.user_id,
            run_at,
            singleton_key,
            caller.delegate_user_id,
        )
        if connection is not None:
            return await insert_job(connection, job)
        return await self._database.unit_of_work(lambda own: insert_job(own, job))

    async def job(self, caller: Caller, job_id: int) -> Job:
        """Return a job.

        :raises VaultFault: INVALID_DATA when there is no job with this id,
            INSUFFICIENT_ACCESS when it is another user's.
        """
        # The database refuses a number that its column cannot have.
        found = await self.table.job(job_id) if 0 < job_id <= MAX_ID else None
        if found is None:
            message = f"The job [{job_id}] does not exist"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        authorize_own(caller, found.created_by, Grant.MANAGE_JOBS)
        return found

    async def poll(self, caller: Caller, job_id: int) -> Job:
        """Return a job to a caller who waits for it.

        :raises VaultFault: INVALID_DATA, INSUFFICIENT_ACCESS; API_LIMIT_EXCEEDED when the
            last request is too short a time ago.
        """
        found = await self.job(caller, job_id)
        # After the check of access: nobody delays the requests of another.
        if not await self.table.count_poll(job_id, self._poll):
            seconds = f"{self._poll.total_seconds():g}"
            message = f"The status of a job can be requested once in {seconds} seconds"
            raise VaultFault(ErrorType.API_LIMIT_EXCEEDED, message)
        return found

    async def job_of_type(self, caller: Caller, job_id: int, job_type: str) -> Job:
        """Return a job of this type.

        :raises VaultFault: INVALID_DATA for another type or an unknown job, INSUFFICIENT_ACCESS.
        """
        found = await self.job(caller, job_id)
        if found.job_type != job_type:
            message = f"The job [{job_id}] has no such results"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        return found

    async def finished_job(self, caller: Caller, job_id: int, job_type: str) -> Job:
        """Return a job of this type that has ended.

        :raises VaultFault: INVALID_DATA for another type or an unknown job,
            INSUFFICIENT_ACCESS, OPERATION_NOT_ALLOWED while it has not ended.
        """
        found = await self.job_of_type(caller, job_id, job_type)
        if not found.status.finished:
            message = f"The job [{job_id}] has not finished"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
        return found

    async def tasks(
        self,
        caller: Caller,
        job_id: int,
        *,
        limit: int,
        offset: int,
    ) -> tuple[Sequence[JobTask], int]:
        """Return a page of a job's tasks in the order of their first reports, and the number of all its tasks.

        :raises VaultFault: INVALID_DATA, INSUFFICIENT_ACCESS.
        """
        await self.job(caller, job_id)
        return await self.table.tasks(job_id, limit=limit, offset=offset)

    async def task_states(self, job_id: int) -> Mapping[TaskState, int]:
        """Return the number of a job's tasks in each state; the caller's access has been checked before."""
        return await self.table.task_states(job_id)

    async def histories(
        self,
        caller: Caller,
        wanted: JobFilter,
        *,
        limit: int,
        offset: int,
    ) -> JobPage:
        """Return ended jobs, the latest first; the filter's dates are end dates."""
        return await self.table.listed(
            HISTORIES,
            wanted,
            self._owner(caller),
            limit=limit,
            offset=offset,
        )

    async def monitors(
        self,
        caller: Caller,
        wanted: JobFilter,
        *,
        limit: int,
        offset: int,
    ) -> JobPage:
        """Return unfinished jobs, the next to run first; the filter's dates are creation dates."""
        return await self.table.listed(
            MONITORS,
            wanted,
            self._owner(caller),
            limit=limit,
            offset=offset,
        )

    async def start_now(self, caller: Caller, job_id: int) -> None:
        """Run a waiting job at once.

        :raises VaultFault: INVALID_DATA, INSUFFICIENT_ACCESS; OPERATION_NOT_ALLOWED when
            it is not waiting.
        """
        await self.job(caller, job_id)
        if not await self.table.start_now(job_id, caller.user_id):
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED,
                f"The job [{job_id}] is not waiting to be run",
            )

    async def cancel(self, caller: Caller, job_id: int) -> None:
        """Cancel a waiting job at once, and a running one as soon as its handler checks.

        :raises VaultFault: INVALID_DATA, INSUFFICIENT_ACCESS; OPERATION_NOT_ALLOWED when
            it has ended.
        """
        await self.job(caller, job_id)
        if not await self.table.cancel(job_id, caller.user_id):
            message = f"The job [{job_id}] has ended"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)

    @staticmethod
    def _owner(caller: Caller) -> int | None:
        """Return the id of the user whose jobs the caller may see; None for all jobs."""
        return None if granted(caller, Grant.MANAGE_JOBS) else caller.user_id
