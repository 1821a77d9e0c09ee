"""Serves further calls on records: type changes, and operations that run as jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.vault.access.caller import Caller
from shared.vault.access.permissions import Operation
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import CopiesRecord, EditsRecords, MergesRecords
from shared.vault.api.body import read_rows
from shared.vault.api.file_body import file_response
from shared.vault.api.jobs import submitted
from shared.vault.api.openapi.request_bodies import ROWS_DOCUMENTATION
from shared.vault.api.request_context import (
    PREFIX,
    SignedIn,
    base_path,
    vault_of,
    wants_csv,
)
from shared.vault.api.response_envelope import by_id, results_csv
from shared.vault.bulk.tree_jobs import CASCADE_DELETE, DEEP_COPY
from shared.vault.records.type_change import change_types

router = APIRouter(prefix=PREFIX, tags=["Object records"])


@router.post(
    "/vobjects/{object_name}/actions/changetype",
    summary="Change types",
    openapi_extra=ROWS_DOCUMENTATION,
)
async def change_type(
    request: Request,
    caller: EditsRecords,
    object_name: str,
) -> Response:
    """Changes the object types of records: rows have `id`, and `object_type__v` or `object_type__v.api_name__v`."""
    vault = vault_of(request)
    sent = await read_rows(request)
    changed = await change_types(
        vault.records, vault.components, caller, object_name, sent.rows
    )
    results = by_id(changed)
    if wants_csv(request.headers.get("accept", "")):
        return results_csv(results)
    return envelope.batch(results, f"{base_path(request)}/vobjects/{object_name}")


@router.post(
    "/vobjects/{object_name}/{record_id}/actions/cascadedelete",
    summary="Delete a record and all below it",
)
async def cascade_delete(
    request: Request,
    caller: SignedIn,
    object_name: str,
    record_id: str,
) -> Response:
    """Starts a job that deletes the record and all records below it: all of them or none."""
    jobs = vault_of(request).record_jobs
    job_id = await jobs.cascade_delete(caller, object_name, record_id)
    return submitted(request, job_id)


@router.get(
    "/vobjects/cascadedelete/results/{object_name}/{outcome}/{job_id}",
    summary="Results of a cascade delete",
)
async def cascade_delete_results(
    request: Request,
    caller: SignedIn,
    object_name: str,
    outcome: str,
    job_id: int,
) -> Response:
    """Returns, as CSV, the deleted records (`success`), or those that prevented it, with the reasons (`failure`)."""
    return await _results(
        request, caller, CASCADE_DELETE, (object_name, outcome, job_id)
    )


@router.post(
    "/vobjects/{object_name}/{record_id}/actions/deepcopy",
    summary="Copy a record and all below it",
    openapi_extra=ROWS_DOCUMENTATION,
)
async def deep_copy(
    request: Request,
    caller: CopiesRecord,
    object_name: str,
    record_id: str,
) -> Response:
    """Starts a job that copies the record and all records below it; a row in the body sets fields of the copy."""
    sent = await read_rows(request)
    jobs = vault_of(request).record_jobs
    job_id = await jobs.deep_copy(caller, object_name, record_id, sent.rows)
    return submitted(request, job_id)


@router.get(
    "/vobjects/deepcopy/results/{object_name}/{outcome}/{job_id}",
    summary="Results of a deep copy",
)
async def deep_copy_results(
    request: Request,
    caller: SignedIn,
    object_name: str,
    outcome: str,
    job_id: int,
) -> Response:
    """Returns, as CSV, the records that were copied (`success`), or that prevented the copy (`failure`)."""
    return await _results(request, caller, DEEP_COPY, (object_name, outcome, job_id))


@router.post(
    "/vobjects/{object_name}/actions/merge",
    summary="Merge records",
    openapi_extra=ROWS_DOCUMENTATION,
)
async def merge(
    request: Request,
    caller: MergesRecords,
    object_name: str,
) -> Response:
    """Starts a job that merges up to ten pairs of records; rows have `duplicate_record_id` and `main_record_id`."""
    sent = await read_rows(request)
    jobs = vault_of(request).record_jobs
    job_id = await jobs.merge(caller, object_name, sent.rows)
    # Without an address: the status of a merge has a call of its own.
    return envelope.success(data={"job_id": job_id})


@router.post(
    "/vobjects/{object_name}/actions/recalculaterollups",
    summary="Recalculate roll-up fields",
)
async def recalculate_rollups(
    request: Request,
    caller: SignedIn,
    object_name: str,
) -> Response:
    """Does nothing, since this Vault has no roll-up fields."""
    # Only what the call refuses is left of it: an unknown object, or one that the caller may not edit.
    vault_of(request).records.target(caller, object_name, [{}], Operation.EDIT)
    return envelope.success()


@router.get(
    "/vobjects/{object_name}/actions/recalculaterollups",
    summary="Status of the recalculation of roll-up fields",
)
async def rollup_status(
    request: Request,
    caller: SignedIn,
    object_name: str,
) -> Response:
    """Returns `NOT_RUNNING`, as this Vault has no roll-up fields."""
    vault_of(request).records.target(caller, object_name, [{}], Operation.READ)
    return envelope.success(data={"status": "NOT_RUNNING"})


@router.put(
    "/vobjects/{object_name}/actions/updatecorporatecurrency",
    summary="Update corporate currency fields",
)
async def update_corporate_currency(
    request: Request,
    caller: SignedIn,
    object_name: str,
) -> Response:
    """Starts a job that changes nothing, since this Vault has no currency fields."""
    jobs = vault_of(request).record_jobs
    job_id = await jobs.update_corporate_currency(caller, object_name)
    return submitted(request, job_id)


@router.get("/vobjects/merges/{job_id}/status", summary="The status of a merge")
async def merge_status(
    request: Request,
    caller: SignedIn,
    job_id: int,
) -> Response:
    """Returns `IN_PROGRESS`, `SUCCESS` or `FAILURE`."""
    status = await vault_of(request).record_jobs.merge_status(caller, job_id)
    return envelope.success(data={"status": status})


@router.get("/vobjects/merges/{job_id}/results", summary="Results of a merge")
async def merge_results(
    request: Request,
    caller: SignedIn,
    job_id: int,
) -> Response:
    """Lists the pairs with their statuses, and with their errors when they failed."""
    merge_sets = await vault_of(request).record_jobs.merge_results(caller, job_id)
    return envelope.success(data={"merge_sets": merge_sets})


@router.get("/vobjects/merges/{job_id}/log", summary="Log of a merge")
async def merge_log(
    request: Request,
    caller: SignedIn,
    job_id: int,
) -> Response:
    """Returns the results as CSV in a zip archive."""
    content = await vault_of(request).record_jobs.merge_log(caller, job_id)

    async def whole() -> AsyncIterator[bytes]:
        # Small: a merge has at most ten pairs, so that its log is made in memory.
        yield content

    return file_response(
        whole(), f"merge-{job_id}.zip", len(content), media="application/zip"
    )


async def _results(
    request: Request,
    caller: Caller,
    job_type: str,
    named: tuple[str, str, int],
) -> Response:
    """Return a file that a job has written; ``named`` are the object, the outcome and the id of the job."""
    item, content = await vault_of(request).record_jobs.result(caller, job_type, *named)
    return file_response(content, item.name, item.size, media="text/csv")
