"""Serves Vault Loader: loads files from the staging area, extracts records to files, and returns results and logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from shared.vault.api.admission import UsesLoader
from shared.vault.api.body import read_body, read_off_loop
from shared.vault.api.body_limits import MAX_FORM_BYTES
from shared.vault.api.file_body import file_response
from shared.vault.api.jobs import submitted
from shared.vault.api.json_rows import parse_json_rows
from shared.vault.api.openapi.request_bodies import array_documentation
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of
from shared.vault.loader.extract import RENDITIONS
from shared.vault.loader.load_writing import FAILURE_LOG, RESULTS, SUCCESS_LOG

router = APIRouter(prefix=f"{PREFIX}/services/loader", tags=["Loader"])

Notify = Annotated[bool, Query(alias="sendNotification")]


# Ten tasks is the documented limit of a call.
TASKS = array_documentation(10)


@router.post("/load", summary="Load files", openapi_extra=TASKS)
async def load(
    request: Request,
    caller: UsesLoader,
    notify: Notify = False,
) -> Response:
    """Starts a job that loads up to ten CSV files from the staging area, in their `order`."""
    rows = await _tasks(request)
    job_id, tasks = await vault_of(request).loader.load(caller, rows, notify=notify)
    task_ids = [task.task_id for task in tasks]
    return submitted(request, job_id, tasks=_requested_tasks(task_ids, rows))


@router.post("/extract", summary="Extract records", openapi_extra=TASKS)
async def extract(
    request: Request,
    caller: UsesLoader,
    notify: Notify = False,
) -> Response:
    """Starts a job that extracts the records of up to ten objects to CSV files."""
    rows = await _tasks(request)
    job_id, tasks = await vault_of(request).loader.extract(caller, rows, notify=notify)
    task_ids = [task.task_id for task in tasks]
    return submitted(request, job_id, tasks=_requested_tasks(task_ids, rows))


@router.get("/{job_id}/tasks/{task_id}/results", summary="Results of an extract")
async def results(
    request: Request,
    caller: SignedIn,
    job_id: int,
    task_id: str,
) -> Response:
    """Returns the extracted records as CSV."""
    return await _log(request, caller, job_id, task_id, RESULTS)


@router.get(
    "/{job_id}/tasks/{task_id}/results/renditions",
    summary="Renditions of an extract",
)
async def renditions(
    request: Request,
    caller: SignedIn,
    job_id: int,
    task_id: str,
) -> Response:
    """Returns, as CSV, the renditions that an extract of documents has copied to the staging area, one in each line."""
    return await _log(request, caller, job_id, task_id, RENDITIONS)


@router.get("/{job_id}/tasks/{task_id}/successlog", summary="Success log of a load")
async def success_log(
    request: Request,
    caller: SignedIn,
    job_id: int,
    task_id: str,
) -> Response:
    """Returns the rows that were loaded, as CSV."""
    return await _log(request, caller, job_id, task_id, SUCCESS_LOG)


@router.get("/{job_id}/tasks/{task_id}/failurelog", summary="Failure log of a load")
async def failure_log(
    request: Request,
    caller: SignedIn,
    job_id: int,
    task_id: str,
) -> Response:
    """Returns the failed rows as CSV, each with its errors in front; once corrected, the file can be loaded."""
    return await _log(request, caller, job_id, task_id, FAILURE_LOG)


async def _log(
    request: Request,
    caller: SignedIn,
    job_id: int,
    task_id: str,
    log: str,
) -> Response:
    """Return a file of a task's results, named by ``log``, as CSV."""
    item, content = await vault_of(request).loader.log(caller, job_id, task_id, log)
    # Streamed from the store: results may be of any size.
    return file_response(content, item.name, item.size, media="text/csv")


def _requested_tasks(
    task_ids: Sequence[str], rows: Sequence[Mapping[str, object]]
) -> list[dict[str, object]]:
    """Return the requested tasks as the client sent them, each with its id in the job."""
    # The caller's own ids and order are what the job replaces.
    replaced = ("task_id", "order")
    tasks = []
    for task_id, row in zip(task_ids, rows, strict=True):
        requested = {name: value for name, value in row.items() if name not in replaced}
        tasks.append({"task_id": task_id, **requested})
    return tasks


async def _tasks(request: Request) -> list[dict[str, object]]:
    """Return the tasks of the body: a JSON array of objects."""
    body = await read_body(request, MAX_FORM_BYTES)
    return await read_off_loop(parse_json_rows, body)
