"""Jobs: their status, tasks and results, those that have ended and those that have not, start at once."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from shared.protocol.date_times import date_time_text
from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
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
MAX_OFFSET = 2**31

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
Offset = Annotated[int, Query(ge=0, le=MAX_OFFSET)]
When = Annotated[str | None, Query(description="`YYYY-MM-DDTHH:MM:SSZ`, or a date.")]
StatusName = Annotated[
    str | None,
    Query(description="Status in lower case; several are separated by commas."),
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
    """The latest first; dates are those of their end."""
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
    """Scheduled, queued and running ones; dates are those of their creation."""
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
async def start_now(request: Request, caller: SignedIn, job_id: int) -> Response:
    """The job runs as soon as a process is free."""
    await vault_of(request).jobs.start_now(caller, job_id)
    return submitted(request, job_id)


@router.get("/{job_id}", summary="The status of a job")
async def status_of(request: Request, caller: SignedIn, job_id: int) -> Response:
    """May be asked for once in ten seconds for each job, else `API_LIMIT_EXCEEDED`."""
    jobs = vault_of(request).jobs
    job = await jobs.poll(caller, job_id)
    url = job_url(request, job_id)
    data: dict[str, object] = {
        "id": job.job_id,
        "status": job.status,
        "method": "POST",
        "links": [
            {"rel": "self", "href": url, "method": "GET", "accept": "application/json"},
            *_artifacts(request, job),
        ],
        "created_by": job.created_by,
        "created_date": date_time_text(job.created_date),
        "run_start_date": date_time_text(job.run_start_date or job.run_at),
    }
    if job.run_end_date is not None:
        data["run_end_date"] = date_time_text(job.run_end_date)
    if tasks := await jobs.task_states(job_id):
        states = {state.lower(): count for state, count in tasks.items()}
        data["tasks"] = {"size": sum(tasks.values()), **states}
    if error := job.results.get("error"):
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
    """Each with its state, and with counts where the job counts anything."""
    tasks, total = await vault_of(request).jobs.tasks(
        caller, job_id, limit=limit, offset=offset
    )
    url = f"{job_url(request, job_id)}/tasks?limit={limit}&offset={offset}"
    details = {"total": total, "limit": limit, "offset": offset}
    return envelope.success(
        url=url,
        responseDetails=details,
        job_id=job_id,
        tasks=[_task_json(t) for t in tasks],
    )


def submitted(request: Request, job_id: int, **members: object) -> Response:
    """The answer to a call that has submitted a job: where to look at it."""
    return envelope.success(url=job_url(request, job_id), job_id=job_id, **members)


def job_url(request: Request, job_id: int) -> str:
    """The job's address, relative to the host."""
    return f"{base_path(request)}/services/jobs/{job_id}"


def _artifacts(request: Request, job: Job) -> list[dict[str, str]]:
    """Links to what a job has made, where its results name any."""
    paths = job.results.get("artifacts")
    listed = paths if isinstance(paths, list) else []
    return [
        {
            "rel": "artifacts",
            "href": f"{base_path(request)}{path}",
            "method": "GET",
            "accept": "*/*",
        }
        for path in listed
    ]


def _listed(request: Request, page: JobPage, limit: int, offset: int) -> Response:
    kept = {
        k: v
        for k, v in request.query_params.items()
        if k in ("start_date", "end_date", "status")
    }

    def link(to: int) -> str:
        return f"{request.url.path}?{urlencode({**kept, 'limit': limit, 'offset': to})}"

    details: dict[str, object] = {"total": page.total, "limit": limit, "offset": offset}
    if offset > 0:
        details["previous_page"] = link(max(0, offset - limit))
    if offset + len(page.jobs) < page.total:
        details["next_page"] = link(offset + limit)
    members = {
        "url": link(offset),
        "responseDetails": details,
        "jobs": [_job_json(job) for job in page.jobs],
    }
    return envelope.success(responseMessage="OK", **members)


def _job_json(job: Job) -> dict[str, object]:
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
    return (
        shown
        if job.run_end_date is None
        else {**shown, "run_end_date": date_time_text(job.run_end_date)}
    )


def _task_json(task: JobTask) -> dict[str, object]:
    return {
        "id": task.task_id,
        "state": task.state,
        **({"counts": task.counts} if task.counts else {}),
    }


def _statuses(text: str | None, among: frozenset[JobStatus]) -> frozenset[JobStatus]:
    """The statuses that a filter names; raises VaultFault when the list can have no job of them."""
    if not text:
        return frozenset()
    names = {name.strip().upper() for name in text.split(",")}
    if not names <= {status.value for status in among}:
        raise VaultFault(ErrorType.INVALID_DATA, "Invalid value for parameter [status]")
    return frozenset(JobStatus(name) for name in names)
