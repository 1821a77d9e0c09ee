"""Serves jobs: returns their status and tasks, lists them, and starts scheduled jobs at once."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import date_time_text
from shared.vault.api import response_envelope as envelope
from shared.vault.api.paging import Offset
from shared.vault.api.request_context import (
    PREFIX,
    SignedIn,
    base_path,
    parse_moment,
    vault_of,
)
from shared.vault.errors import VaultFault
from shared.vault.jobs.job_model import (
    FINISHED,
    UNFINISHED,
    Job,
    JobFilter,
    JobPage,
    JobStatus,
    JobTask,
)

router = APIRouter(prefix=f"{PREFIX}/services/jobs", tags=["Jobs"])

MAX_LIMIT = 200
FILTERS = ("start_date", "end_date", "status")

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
When = Annotated[str | None, Query(description="`YYYY-MM-DDTHH:MM:SSZ`, or a date.")]
StatusName = Annotated[
    str | None,
    Query(description="Statuses in lower case, separated by commas."),
]


@router.get("/histories", summary="Jobs that have ended")
async def histories(
    request: Request,
    caller: SignedIn,
    start_date: When = None,
    end_date: When = None,
    status: StatusName = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Response:
    """Lists jobs that have ended, the latest first; the dates are end dates."""
    wanted = JobFilter(
        _statuses(status, FINISHED),
        parse_moment("start_date", start_date),
        parse_moment("end_date", end_date),
    )
    page = await vault_of(request).jobs.histories(
        caller, wanted, limit=limit, offset=offset
    )
    return _listed(request, page, limit, offset)


@router.get("/monitors", summary="Jobs that have not ended")
async def monitors(
    request: Request,
    caller: SignedIn,
    start_date: When = None,
    end_date: When = None,
    status: StatusName = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Response:
    """Lists scheduled, queued and running jobs; the dates are creation dates."""
    wanted = JobFilter(
        _statuses(status, UNFINISHED),
        parse_moment("start_date", start_date),
        parse_moment("end_date", end_date),
    )
    page = await vault_of(request).jobs.monitors(
        caller, wanted, limit=limit, offset=offset
    )
    return _listed(request, page, limit, offset)


@router.post("/start_now/{job_id}", summary="Start a scheduled job now")
async def start_now(
    request: Request,
    caller: SignedIn,
    job_id: int,
) -> Response:
    """Starts a scheduled job as soon as a process of the Vault is free."""
    await vault_of(request).jobs.start_now(caller, job_id)
    return submitted(request, job_id)


# After the lists: their names would be taken for ids.
@router.get("/{job_id}", summary="The status of a job")
async def status_of(
    request: Request,
    caller: SignedIn,
    job_id: int,
) -> Response:
    """Returns the status of a job; more than one call for a job in ten seconds is refused (`API_LIMIT_EXCEEDED`)."""
    jobs = vault_of(request).jobs
    # Counted, unlike other calls on jobs: clients that ask all the time are refused.
    job = await jobs.poll(caller, job_id)
    own = {
        "rel": "self",
        "href": job_url(request, job_id),
        "method": "GET",
        "accept": "application/json",
    }
    data: dict[str, object] = {
        "id": job.job_id,
        "status": job.status,
        "method": "POST",
        "links": [own, *_artifacts(request, job)],
        "created_by": job.created_by,
        "created_date": date_time_text(job.created_date),
        "run_start_date": date_time_text(job.run_start_date or job.run_at),
    }
    if job.run_end_date is not None:
        data["run_end_date"] = date_time_text(job.run_end_date)
    tasks = await jobs.task_states(job_id)
    if tasks:
        states = {state.lower(): count for state, count in tasks.items()}
        data["tasks"] = {"size": sum(tasks.values()), **states}
    # Why a job failed is part of its results, like what it did.
    error = job.results.get("error")
    if error:
        data["errors"] = [error]
    return envelope.success(responseMessage="OK", data=data)


@router.get("/{job_id}/tasks", summary="The tasks of a job")
async def tasks_of(
    request: Request,
    caller: SignedIn,
    job_id: int,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Response:
    """Lists the tasks of a job with their states and, if the job counts rows or records, with their counts."""
    tasks, total = await vault_of(request).jobs.tasks(
        caller, job_id, limit=limit, offset=offset
    )
    # The address with the page, so that it can be asked for again.
    url = f"{job_url(request, job_id)}/tasks?limit={limit}&offset={offset}"
    details = {"total": total, "limit": limit, "offset": offset}
    return envelope.success(
        url=url,
        responseDetails=details,
        job_id=job_id,
        tasks=[_task_json(t) for t in tasks],
    )


def submitted(request: Request, job_id: int, **members: object) -> Response:
    """Return the answer to a call that has submitted a job: its id and its address."""
    return envelope.success(url=job_url(request, job_id), job_id=job_id, **members)


def job_url(request: Request, job_id: int) -> str:
    """Return the job's address, relative to the host."""
    return f"{base_path(request)}/services/jobs/{job_id}"


def _artifacts(request: Request, job: Job) -> list[dict[str, str]]:
    """Return links to the files that a job has made; their paths are in the job's results."""
    paths = job.results.get("artifacts")
    if not isinstance(paths, list):
        return []
    # Stored without the version, since each call gets addresses of its own version.
    head = base_path(request)
    return [
        {"rel": "artifacts", "href": f"{head}{path}", "method": "GET", "accept": "*/*"}
        for path in paths
    ]


def _listed(request: Request, page: JobPage, limit: int, offset: int) -> Response:
    """Return a page of jobs, with the addresses of the next and previous page."""
    parameters = request.query_params
    # Only the list's own filters are repeated: limit and offset are set for each page.
    filters = {name: parameters[name] for name in FILTERS if name in parameters}

    def link(to: int) -> str:
        query = urlencode({**filters, "limit": limit, "offset": to})
        return f"{request.url.path}?{query}"

    details: dict[str, object] = {"total": page.total, "limit": limit, "offset": offset}
    if offset > 0:
        details["previous_page"] = link(max(0, offset - limit))
    if offset + len(page.jobs) < page.total:
        details["next_page"] = link(offset + limit)
    return envelope.success(
        responseMessage="OK",
        url=link(offset),
        responseDetails=details,
        jobs=[_job_json(job) for job in page.jobs],
    )


def _job_json(job: Job) -> dict[str, object]:
    """Return a job as an entry of a list; a job that has not begun has its scheduled time."""
    shown: dict[str, object] = {
        "job_id": job.job_id,
        "title": job.title,
        "status": job.status,
        "created_by": job.created_by,
        "created_date": date_time_text(job.created_date),
        "modified_by": job.modified_by,
        "modified_date": date_time_text(job.modified_date),
        "run_start_date": date_time_text(job.run_start_date or job.run_at),
    }
    if job.run_end_date is not None:
        shown["run_end_date"] = date_time_text(job.run_end_date)
    return shown


def _task_json(task: JobTask) -> dict[str, object]:
    """Return the JSON of a task: id, state and, if it has any, counts."""
    shown: dict[str, object] = {"id": task.task_id, "state": task.state}
    if task.counts:
        shown["counts"] = task.counts
    return shown


def _statuses(text: str | None, among: frozenset[JobStatus]) -> frozenset[JobStatus]:
    """Return the statuses that a filter names; an empty set, which means all, without a filter.

    :raises VaultFault: INVALID_DATA when a status is not one of ``among``, the statuses of the list.
    """
    if not text:
        return frozenset()
    names = {name.strip().upper() for name in text.split(",")}
    # No job of the list would ever have another status: an empty list would hide the mistake.
    if not names <= among:
        raise VaultFault(ErrorType.INVALID_DATA, "Invalid value for parameter [status]")
    return frozenset(JobStatus(name) for name in names)
