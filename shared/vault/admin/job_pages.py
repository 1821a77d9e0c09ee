"""Serves the pages of jobs: their progress, results and logs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Annotated

import orjson
from fastapi import APIRouter, Path
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.admin.cookies import NoteKind
from shared.vault.admin.listing import MAX_ROWS, PAGE_SIZE, Listing, Page
from shared.vault.admin.page_context import CurrentPage, PageContext
from shared.vault.admin.showing import named, user_names
from shared.vault.api.file_body import file_response
from shared.vault.bulk.tree_jobs import CASCADE_DELETE, DEEP_COPY, TreeLog
from shared.vault.errors import VaultFault
from shared.vault.integrations.run_model import JOB_TYPE as RUN
from shared.vault.integrations.run_model import Counts
from shared.vault.jobs.job_model import UNFINISHED, Job, JobFilter, JobStatus
from shared.vault.loader.extract import EXTRACT
from shared.vault.loader.load import LOAD
from shared.vault.loader.load_writing import FAILURE_LOG, RESULTS, SUCCESS_LOG
from shared.vault.packages.inbound_packages import DEPLOY, IMPORT
from shared.vault.packages.outbound_packages import EXPORT

if TYPE_CHECKING:
    from shared.vault.files.file_store import Item

SOON = 2  # seconds until the page of a job under way is drawn anew

router = APIRouter(prefix="/jobs")

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
LOGS = {
    LOAD: (SUCCESS_LOG, FAILURE_LOG),
    EXTRACT: (RESULTS,),
    CASCADE_DELETE: tuple(TreeLog),
    DEEP_COPY: tuple(TreeLog),
}
"""The logs that each task of a job has, by the type of job."""
COUNTS = tuple(Counts().to_json())
EVERY = JobFilter(frozenset())


@router.get("")
async def jobs(
    context: CurrentPage,
    page: Page = 1,
) -> Response:
    """List the unfinished jobs, and the finished ones, the latest first."""
    service = context.vault.jobs
    offset = (page - 1) * PAGE_SIZE
    unfinished = await service.monitors(context.caller, EVERY, limit=MAX_ROWS, offset=0)
    ended = await service.histories(
        context.caller, EVERY, limit=PAGE_SIZE, offset=offset
    )
    rows = [{"job": job} for job in ended.jobs]
    return context.page(
        "jobs.html", unfinished=unfinished, listing=Listing(rows, ended.total, page)
    )


@router.get("/{job_id}")
async def one_job(
    context: CurrentPage,
    job_id: Number,
    page: Page = 1,
) -> Response:
    """Show a job: its status, its tasks with their counts, and its results."""
    job = await context.vault.jobs.job(context.caller, job_id)
    offset = (page - 1) * PAGE_SIZE
    tasks, total = await context.vault.jobs.tasks(
        context.caller, job_id, limit=PAGE_SIZE, offset=offset
    )
    unfinished = job.status in UNFINISHED
    integration = ""
    if job.job_type == RUN:
        integration = str(job.parameters["integration"])
    names = await user_names(context, [job.created_by])
    rows = [{"task": task} for task in tasks]
    return context.page(
        "job.html",
        counts_text=counts_text,
        job=job,
        unfinished=unfinished,
        listing=Listing(rows, total, page),
        results={
            _words(name): result_text(value) for name, value in job.results.items()
        },
        creator=names.get(job.created_by, f"User {job.created_by}"),
        points=await named(context, "integration_point__sys") if integration else {},
        # Logs are complete when the job has ended; kinds of jobs that are not in LOGS have none.
        logs=() if unfinished else LOGS.get(job.job_type, ()),
        integration=integration,
        package=_package_path(job),
        again_in=SOON if unfinished and job.status is not JobStatus.SCHEDULED else None,
    )


@router.get("/{job_id}/logs/{task_id}/{log}")
async def log_of(
    context: CurrentPage,
    job_id: Number,
    task_id: str,
    log: str,
) -> Response:
    """Download a log of a task as CSV."""
    job = await context.vault.jobs.job(context.caller, job_id)
    # A name from the address becomes part of a file's name: only known ones are taken.
    if log not in LOGS.get(job.job_type, ()):
        raise VaultFault(ErrorType.INVALID_DATA, f"The job [{job_id}] has no such log")
    item, content = await _log(context, job, task_id, log)
    return file_response(content, f"{job_id}-{item.name}", item.size, media="text/csv")


@router.post("/{job_id}/start")
async def start(
    context: CurrentPage,
    job_id: Number,
) -> Response:
    """Start a scheduled job now."""
    await context.vault.jobs.start_now(context.caller, job_id)
    path = f"/ui/jobs/{job_id}"
    return context.go(
        path, "The job starts as soon as a process is free.", NoteKind.BEGUN
    )


@router.post("/{job_id}/cancel")
async def cancel(
    context: CurrentPage,
    job_id: Number,
) -> Response:
    """Cancel a job that has not ended."""
    await context.vault.jobs.cancel(context.caller, job_id)
    # A running job sees it at its next step.
    path = f"/ui/jobs/{job_id}"
    text = "The job is cancelled; a running one ends as soon as it can."
    return context.go(path, text)


def _package_path(job: Job) -> str:
    """Return the address of the page of a job's package; empty for other jobs."""
    kinds = {IMPORT: "inbound", DEPLOY: "inbound", EXPORT: "outbound"}
    package_id = job.results.get("package_id")
    if job.job_type not in kinds or package_id is None:
        return ""
    return f"/ui/packages/{kinds[job.job_type]}/{package_id}"


async def _log(
    context: PageContext,
    job: Job,
    task_id: str,
    log: str,
) -> tuple[Item, AsyncIterator[bytes]]:
    """Return the file of a log and its content; the service that ran the job checks who may read it."""
    if job.job_type in (LOAD, EXTRACT):
        return await context.vault.loader.log(context.caller, job.job_id, task_id, log)
    of = str(job.results.get("object", ""))
    jobs = context.vault.record_jobs
    return await jobs.result(context.caller, job.job_type, of, log, job.job_id)


def _words(name: str) -> str:
    """Return the name of a result as words on the page."""
    return name.replace("_", " ").capitalize()


def counts_text(counts: Mapping[str, object]) -> str:
    """Return counts with their names; those of runs in the order of their steps, which JSON columns do not keep."""
    known = {name: counts[name] for name in COUNTS if name in counts}
    ordered = {**known, **counts}
    return ", ".join(
        f"{number} {_words(name).lower()}" for name, number in ordered.items()
    )


def result_text(value: object) -> str:
    """Return a result as text: an error as its type and message, counts with their names, anything else as JSON."""
    match value:
        case str():
            return value
        case {"type": str() as kind, "message": str() as message}:
            return f"{message} ({kind})"
        case {**counts} if counts and all(
            type(each) is int for each in counts.values()
        ):
            return counts_text({str(name): each for name, each in counts.items()})
        case _:
            return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
