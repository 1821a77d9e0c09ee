"""Jobs as the rest of the Vault uses them: submit, look at, start now, cancel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, authorize_own, granted
from shared.vault.errors import VaultFault
from shared.vault.jobs.job_model import (
    FINISHED,
    UNFINISHED,
    Job,
    JobFilter,
    JobPage,
    JobTask,
    TaskState,
)
from shared.vault.jobs.job_table import JobTable, NewJob

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.storage.database import Connection, Database

MAX_TITLE = 200
MAX_ID = 2**31 - 1


class JobService:
    """The jobs of a Vault; everyone sees their own, who holds ``Grant.MANAGE_JOBS`` sees all."""

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
        """Queue a job that runs with the caller's rights, and return its id.

        It runs as soon as a process is free, not before ``run_at``, and not before the transaction of ``connection``
        commits when one is given. ``parameters`` are JSON values. Of one ``singleton_key`` at most one job waits and
        at most one runs: the id of the waiting one is returned when there is one, brought forward to ``run_at``.
        """
        job = NewJob(
            job_type,
            title[:MAX_TITLE],
            parameters,
            caller.user_id,
            run_at,
            singleton_key,
        )
        if connection is not None:
            return await self.table.insert(connection, job)
        return await self._database.unit_of_work(
            lambda own: self.table.insert(own, job)
        )

    async def job(self, caller: Caller, job_id: int) -> Job:
        """One job; raises VaultFault ``INVALID_DATA``, ``INSUFFICIENT_ACCESS``."""
        found = await self.table.job(job_id) if 0 < job_id <= MAX_ID else None
        if found is None:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"The job [{job_id}] does not exist"
            )
        authorize_own(caller, found.created_by, Grant.MANAGE_JOBS)
        return found

    async def poll(self, caller: Caller, job_id: int) -> Job:
        """One job, for a caller who waits for it; raises as ``job`` does, and ``API_LIMIT_EXCEEDED`` when too early."""
        found = await self.job(caller, job_id)
        if not await self.table.note_poll(job_id, self._poll):
            seconds = f"{self._poll.total_seconds():g}"
            message = f"The status of a job can be requested once in {seconds} seconds"
            raise VaultFault(ErrorType.API_LIMIT_EXCEEDED, message)
        return found

    async def finished_job(self, caller: Caller, job_id: int, job_type: str) -> Job:
        """A job of this type that has ended, for its results; raises VaultFault as ``job`` does, or when it runs."""
        found = await self.job(caller, job_id)
        if found.job_type != job_type:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"The job [{job_id}] has no such results"
            )
        if found.status in UNFINISHED:
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED, f"The job [{job_id}] has not finished"
            )
        return found

    async def tasks(
        self, caller: Caller, job_id: int, *, limit: int, offset: int
    ) -> tuple[Sequence[JobTask], int]:
        """A page of a job's tasks in the order in which they came up, and how many there are."""
        await self.job(caller, job_id)
        return await self.table.tasks(job_id, limit=limit, offset=offset)

    async def task_states(self, job_id: int) -> Mapping[TaskState, int]:
        """How many tasks of a job, which the caller may see, are in each state."""
        return await self.table.task_states(job_id)

    async def histories(
        self, caller: Caller, wanted: JobFilter, *, limit: int, offset: int
    ) -> JobPage:
        """Jobs that have ended, the latest first; dates are those of their end."""
        return await self.table.listed(
            wanted, FINISHED, self._owner(caller), limit=limit, offset=offset
        )

    async def monitors(
        self, caller: Caller, wanted: JobFilter, *, limit: int, offset: int
    ) -> JobPage:
        """Jobs that have not ended, the next to run first; dates are those of their creation."""
        return await self.table.listed(
            wanted, UNFINISHED, self._owner(caller), limit=limit, offset=offset
        )

    async def start_now(self, caller: Caller, job_id: int) -> None:
        """Run a scheduled job at once; raises VaultFault ``OPERATION_NOT_ALLOWED`` when it is not one."""
        await self.job(caller, job_id)
        if not await self.table.start_now(job_id, caller.user_id):
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED,
                f"The job [{job_id}] is not waiting to be run",
            )

    async def cancel(self, caller: Caller, job_id: int) -> None:
        """Cancel a waiting job at once and a running one as soon as its handler looks.

        :raises VaultFault: OPERATION_NOT_ALLOWED when it has ended.
        """
        await self.job(caller, job_id)
        if not await self.table.cancel(job_id, caller.user_id):
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED, f"The job [{job_id}] has ended"
            )

    @staticmethod
    def _owner(caller: Caller) -> int | None:
        return None if granted(caller, Grant.MANAGE_JOBS) else caller.user_id
