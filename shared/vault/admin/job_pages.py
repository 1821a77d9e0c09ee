"""Jobs: those that have not ended and those that have, their progress, results and logs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

import orjson
from fastapi import APIRouter, Path
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.admin.listing import MAX_ROWS, PAGE_SIZE, Listing, Page
from shared.vault.admin.visit import Visit, Visiting
from shared.vault.api.file_body import file_response
from shared.vault.bulk.tree_jobs import CASCADE_DELETE, DEEP_COPY, TreeLog
from shared.vault.errors import VaultFault
from shared.vault.integrations.run_model import JOB_TYPE as RUN
from shared.vault.jobs.job_model import UNFINISHED, Job, JobFilter
from shared.vault.loader.extract import EXTRACT
from shared.vault.loader.load import LOAD
from shared.vault.loader.load_logs import FAILURE_LOG, RESULTS, SUCCESS_LOG

if TYPE_CHECKING:
    from shared.vault.files.file_store import Item

router = APIRouter(prefix="/jobs")

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
LOGS = {
    LOAD: (SUCCESS_LOG, FAILURE_LOG),
    EXTRACT: (RESULTS,),
    CASCADE_DELETE: tuple(TreeLog),
    DEEP_COPY: tuple(TreeLog),
}
"""The logs that each task of a job has, by the type of job."""
EVERY = JobFilter(frozenset())


@router.get("")
async def jobs(visit: Visiting, page: Page = 1) -> Response:
    """Those that have not ended, and those that have, the latest first."""
    service, offset = visit.vault.jobs, (page - 1) * PAGE_SIZE
    unfinished = await service.monitors(visit.caller, EVERY, limit=MAX_ROWS, offset=0)
    ended = await service.histories(visit.caller, EVERY, limit=PAGE_SIZE, offset=offset)
    rows = [{"job": job} for job in ended.jobs]
    return visit.page(
        "jobs.html", unfinished=unfinished, listing=Listing(rows, ended.total, page)
    )


@router.get("/{job_id}")
async def one_job(visit: Visiting, job_id: Number, page: Page = 1) -> Response:
    """Its status, its tasks with their counts, and what came of it."""
    job = await visit.vault.jobs.job(visit.caller, job_id)
    offset = (page - 1) * PAGE_SIZE
    tasks, total = await visit.vault.jobs.tasks(
        visit.caller, job_id, limit=PAGE_SIZE, offset=offset
    )
    unfinished = job.status in UNFINISHED
    return visit.page(
        "job.html",
        job=job,
        unfinished=unfinished,
        listing=Listing([{"task": task} for task in tasks], total, page),
        results={name: _text(value) for name, value in job.results.items()},
        logs=() if unfinished else LOGS.get(job.job_type, ()),
        integration=str(job.parameters["integration"]) if job.job_type == RUN else "",
    )


@router.get("/{job_id}/logs/{task_id}/{log}")
async def log_of(visit: Visiting, job_id: Number, task_id: str, log: str) -> Response:
    """A log of a task as a CSV file."""
    job = await visit.vault.jobs.job(visit.caller, job_id)
    if log not in LOGS.get(job.job_type, ()):
        raise VaultFault(ErrorType.INVALID_DATA, f"The job [{job_id}] has no such log")
    item, content = await _log(visit, job, task_id, log)
    return file_response(content, f"{job_id}-{item.name}", item.size, media="text/csv")


@router.post("/{job_id}/start")
async def start(visit: Visiting, job_id: Number) -> Response:
    """Runs a scheduled job at once."""
    await visit.vault.jobs.start_now(visit.caller, job_id)
    return visit.go(
        f"/ui/jobs/{job_id}", "The job starts as soon as a process is free."
    )


@router.post("/{job_id}/cancel")
async def cancel(visit: Visiting, job_id: Number) -> Response:
    """Cancels a job that has not ended."""
    await visit.vault.jobs.cancel(visit.caller, job_id)
    return visit.go(
        f"/ui/jobs/{job_id}",
        "The job is cancelled; a running one ends as soon as it can.",
    )


async def _log(
    visit: Visit, job: Job, task_id: str, log: str
) -> tuple[Item, AsyncIterator[bytes]]:
    if job.job_type in (LOAD, EXTRACT):
        return await visit.vault.loader.log(visit.caller, job.job_id, task_id, log)
    of = str(job.results.get("object", ""))
    return await visit.vault.record_jobs.result(
        visit.caller, job.job_type, of, log, job.job_id
    )


def _text(value: object) -> str:
    return (
        value
        if isinstance(value, str)
        else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    )
