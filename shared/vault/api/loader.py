"""Vault Loader: load files from the staging area, extract records to files, fetch results and logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from shared.vault.api.body import MAX_FORM_BYTES, parse_json_rows, read_body
from shared.vault.api.file_body import file_response
from shared.vault.api.jobs import submitted
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of
from shared.vault.loader.load_logs import FAILURE_LOG, RESULTS, SUCCESS_LOG

router = APIRouter(prefix=f"{PREFIX}/services/loader", tags=["Loader"])

Notify = Annotated[bool, Query(alias="sendNotification")]


TASKS: dict[str, object] = {
    "requestBody": {
        "content": {
            "application/json": {
                "schema": {"type": "array", "maxItems": 10, "items": {"type": "object"}}
            }
        }
    }
}


@router.post("/load", summary="Load files", openapi_extra=TASKS)
async def load(request: Request, caller: SignedIn, notify: Notify = False) -> Response:
    """Starts a job that loads up to ten CSV files from the staging area, in their `order`."""
    rows = parse_json_rows(await read_body(request, MAX_FORM_BYTES))
    job_id, tasks = await vault_of(request).loader.load(caller, rows, notify=notify)
    return submitted(
        request,
        job_id,
        tasks=[_echo(t.task_id, row) for t, row in zip(tasks, rows, strict=True)],
    )


@router.post("/extract", summary="Extract records", openapi_extra=TASKS)
async def extract(
    request: Request, caller: SignedIn, notify: Notify = False
) -> Response:
    """Starts a job that extracts the records of up to ten objects to CSV files."""
    rows = parse_json_rows(await read_body(request, MAX_FORM_BYTES))
    job_id, tasks = await vault_of(request).loader.extract(caller, rows, notify=notify)
    return submitted(
        request,
        job_id,
        tasks=[_echo(t.task_id, row) for t, row in zip(tasks, rows, strict=True)],
    )


@router.get("/{job_id}/tasks/{task_id}/results", summary="Results of an extract")
async def results(
    request: Request, caller: SignedIn, job_id: int, task_id: str
) -> Response:
    """The records as CSV."""
    return await _log(request, caller, job_id, task_id, RESULTS)


@router.get("/{job_id}/tasks/{task_id}/successlog", summary="Success log of a load")
async def success_log(
    request: Request, caller: SignedIn, job_id: int, task_id: str
) -> Response:
    """The rows that were loaded, as CSV."""
    return await _log(request, caller, job_id, task_id, SUCCESS_LOG)


@router.get("/{job_id}/tasks/{task_id}/failurelog", summary="Failure log of a load")
async def failure_log(
    request: Request, caller: SignedIn, job_id: int, task_id: str
) -> Response:
    """The rows that were not loaded, as CSV, each behind its errors; corrected, it may be loaded as it is."""
    return await _log(request, caller, job_id, task_id, FAILURE_LOG)


async def _log(
    request: Request, caller: SignedIn, job_id: int, task_id: str, log: str
) -> Response:
    item, content = await vault_of(request).loader.log(caller, job_id, task_id, log)
    return file_response(content, item.name, item.size, media="text/csv")


def _echo(task_id: str, row: Mapping[str, object]) -> dict[str, object]:
    """A task as it was asked for, under the id that it has been given."""
    return {
        "task_id": task_id,
        **{
            name: value
            for name, value in row.items()
            if name not in ("task_id", "order")
        },
    }
