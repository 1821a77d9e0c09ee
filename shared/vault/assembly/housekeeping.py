"""Runs once a day the job that removes data which has expired or is unused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.vault.access.caller import SYSTEM
from shared.vault.files.file_store import delete_tree
from shared.vault.jobs.job_model import JobContext, JobResult, JobType

if TYPE_CHECKING:
    from shared.vault.files.file_store import FileStore
    from shared.vault.jobs.job_service import JobService

HOUSEKEEPING = "housekeeping"
INTERVAL = timedelta(days=1)


async def schedule(jobs: JobService) -> None:
    """Schedule the next housekeeping a day from now, unless one is scheduled."""
    await jobs.submit(
        SYSTEM,
        HOUSEKEEPING,
        "Remove expired jobs and uploads",
        {},
        run_at=datetime.now(UTC) + INTERVAL,
        singleton_key=HOUSEKEEPING,
    )


@dataclass(frozen=True, slots=True)
class Purge:
    """One kind of data to remove; the value of ``remove`` becomes the job's result named ``result``, if set."""

    remove: Callable[[], Awaitable[object]]
    result: str | None = None


class Housekeeping:
    """Removes jobs and their files ``job_days`` days after the jobs' end, then carries out the purges in order."""

    def __init__(
        self,
        jobs: JobService,
        files: FileStore,
        job_days: int,
        purges: Sequence[Purge],
    ) -> None:
        self._jobs = jobs
        self._files = files
        self._job_retention = timedelta(days=job_days)
        self._purges = purges

    def job_types(self) -> Mapping[str, JobType]:
        """Return the job types of this part, with their handlers."""
        return {HOUSEKEEPING: JobType(self.run)}

    async def run(self, context: JobContext) -> JobResult:
        """Schedule the next housekeeping, and remove what has expired."""
        # First, so that a failure of this one does not end the schedule.
        await schedule(self._jobs)
        results: dict[str, object] = {"jobs": await self._remove_jobs(context)}
        for purge in self._purges:
            removed = await purge.remove()
            if purge.result is not None:
                results[purge.result] = removed
        return JobResult(results=results)

    async def _remove_jobs(self, context: JobContext) -> int:
        """Remove expired jobs, and return their number."""
        removed = 0
        while expired := await self._jobs.table.expired(self._job_retention):
            context.raise_if_stopped()
            # The files first: if that fails, the job stays, and its files are removed next time.
            for job_id in expired:
                await delete_tree(self._files, f"results/{job_id}")
            await self._jobs.table.remove(expired)
            removed += len(expired)
        return removed
