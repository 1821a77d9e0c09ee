"""Workers on one database, like those of several processes of a Vault, and job types that tests control."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from local.polling import answers_within
from shared.vault.access.caller import SYSTEM, Caller
from shared.vault.jobs.job_model import (
    CallerOf,
    Job,
    JobContext,
    JobHandler,
    JobResult,
    JobType,
)
from shared.vault.jobs.job_service import JobService
from shared.vault.jobs.job_table import JobTable
from shared.vault.jobs.worker import JobWorker, WorkerOptions
from shared.vault.storage.database import Database
from tests.service.vault.served import Api

if TYPE_CHECKING:
    from shared.vault.storage.database import Connection

FAST = WorkerOptions(concurrency=4, lease=20, poll=0.05, max_attempts=3, grace=5)


async def known_caller(
    user_id: int, delegate_user_id: int | None, _: Connection | None = None
) -> Caller:
    """Return the caller for the Vault's own user, and for its delegates."""
    assert user_id == SYSTEM.user_id
    return replace(SYSTEM, delegate_user_id=delegate_user_id)


@dataclass
class Gate:
    """A job that reports its start, and ends when the test releases it."""

    entered: asyncio.Event = field(default_factory=asyncio.Event)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    runs: list[int] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0

    async def handle(self, context: JobContext) -> JobResult:
        self.runs.append(context.job_id)
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        self.entered.set()
        try:
            await self.open.wait()
        finally:
            self._now -= 1
        return JobResult()


async def finished(client: Api, job_id: int) -> Any:
    """The API's answer about a job that has ended."""

    async def reason() -> str | None:
        status = (await client.get(f"/services/jobs/{job_id}")).data["status"]
        return status if status in ("SCHEDULED", "QUEUED", "RUNNING") else None

    assert await answers_within(60, reason) is None
    return (await client.get(f"/services/jobs/{job_id}")).data


async def watchful(context: JobContext) -> JobResult:
    """Run until asked to stop."""
    await context.progress("1", {"done": 1})
    while True:
        context.raise_if_stopped()
        await asyncio.sleep(0.01)


@dataclass
class Jobs:
    """The jobs of one database, and workers for them."""

    database: Database

    def __post_init__(self) -> None:
        self.service = JobService(self.database)
        self.table = JobTable(self.database)

    def worker(
        self,
        handlers: Mapping[str, JobHandler | JobType],
        options: WorkerOptions = FAST,
        caller_of: CallerOf = known_caller,
    ) -> JobWorker:
        types = {
            name: h if isinstance(h, JobType) else JobType(h)
            for name, h in handlers.items()
        }
        return JobWorker(self.table, types, caller_of, options)

    @asynccontextmanager
    async def working(self, *workers: JobWorker) -> AsyncIterator[None]:
        for worker in workers:
            await worker.start()
        try:
            yield
        finally:
            await asyncio.gather(*(worker.stop() for worker in workers))

    async def submit(self, job_type: str = "test", **options: Any) -> int:
        return await self.service.submit(
            SYSTEM, job_type, "A test's job", options.pop("parameters", {}), **options
        )

    async def job(self, job_id: int) -> Job:
        return await self.service.job(SYSTEM, job_id)

    async def becomes(self, job_id: int, *statuses: str) -> Job:
        async def reason() -> str | None:
            status = (await self.job(job_id)).status
            return None if status in statuses else f"job {job_id} is {status}"

        assert await answers_within(60, reason) is None
        return await self.job(job_id)
