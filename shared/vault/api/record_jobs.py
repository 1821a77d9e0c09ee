"""Calls on records beside reading and writing them: change of type, deletions, and what takes a job."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from shared.vault.access.caller import Caller
from shared.vault.access.permissions import Operation
from shared.vault.api import response_envelope as envelope
from shared.vault.api.addresses import PREFIX, base_path
from shared.vault.api.body import ROWS_DOCUMENTATION, read_rows
from shared.vault.api.csv_rows import results_csv
from shared.vault.api.file_body import file_response
from shared.vault.api.jobs import MAX_OFFSET, When, moment, parse_moment, submitted
from shared.vault.api.records import by_id, wants_csv
from shared.vault.api.request_session import SignedIn, vault_of
from shared.vault.bulk.tree_jobs import CASCADE_DELETE, DEEP_COPY
from shared.vault.records.deletions import DOCUMENTS, Deletion, DeletionPage, Span
from shared.vault.records.type_change import change_types

router = APIRouter(prefix=PREFIX, tags=["Object records"])

MAX_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class WantedDeletions:
    """The parameters of a list of deletions."""

    start_date: str | None
    end_date: str | None
    limit: int
    offset: int

    @property
    def span(self) -> Span:
        """The part of the list; raises VaultFault."""
        start, end = (
            parse_moment("start_date", self.start_date),
            parse_moment("end_date", self.end_date),
        )
        return Span(start, end, self.limit, self.offset)

    def details(self, request: Request, page: DeletionPage) -> dict[str, object]:
        """Where the page stands in the list, with the addresses of its neighbours."""
        limit, offset, size = self.limit, self.offset, len(page.deletions)
        details: dict[str, object] = {
            "total": page.total,
            "size": size,
            "limit": limit,
            "offset": offset,
        }
        dates = (("start_date", self.start_date), ("end_date", self.end_date))
        listed = f"{request.url.path}?{''.join(f'{n}={v}&' for n, v in dates if v)}limit={limit}&offset="
        if offset + size < page.total:
            details["next_page"] = f"{listed}{offset + limit}"
        if offset > 0:
            details["previous_page"] = f"{listed}{max(0, offset - limit)}"
        return details


def _wanted(
    start_date: When = None,
    end_date: When = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = MAX_LIMIT,
    offset: Annotated[int, Query(ge=0, le=MAX_OFFSET)] = 0,
) -> WantedDeletions:
    return WantedDeletions(start_date, end_date, limit, offset)


Wanted = Annotated[WantedDeletions, Depends(_wanted)]


@router.post(
    "/vobjects/{object_name}/actions/changetype",
    summary="Change types",
    openapi_extra=ROWS_DOCUMENTATION,
)
async def change_type(request: Request, caller: SignedIn, object_name: str) -> Response:
    """Rows with `id`, and `object_type__v` or `object_type__v.api_name__v`."""
    vault = vault_of(request)
    rows = await read_rows(request)
    results = by_id(
        await change_types(
            vault.records, vault.components, caller, object_name, rows.rows
        )
    )
    if wants_csv(request.headers.get("accept", "")):
        return results_csv(results)
    return envelope.batch(results, f"{base_path(request)}/vobjects/{object_name}")


@router.post(
    "/vobjects/{object_name}/{record_id}/actions/cascadedelete",
    summary="Delete a record and all below it",
)
async def cascade_delete(
    request: Request, caller: SignedIn, object_name: str, record_id: str
) -> Response:
    """Starts a job that deletes the record, its children and theirs: all of them or none."""
    return submitted(
        request,
        await vault_of(request).record_jobs.cascade_delete(
            caller, object_name, record_id
        ),
    )


@router.get(
    "/vobjects/cascadedelete/results/{object_name}/{outcome}/{job_id}",
    summary="Results of a cascade delete",
)
async def cascade_delete_results(
    request: Request, caller: SignedIn, object_name: str, outcome: str, job_id: int
) -> Response:
    """The records that were deleted (`success`), or that kept the job from it (`failure`), as CSV."""
    return await _results(
        request, caller, CASCADE_DELETE, (object_name, outcome, job_id)
    )


@router.post(
    "/vobjects/{object_name}/{record_id}/actions/deepcopy",
    summary="Copy a record and all below it",
    openapi_extra=ROWS_DOCUMENTATION,
)
async def deep_copy(
    request: Request, caller: SignedIn, object_name: str, record_id: str
) -> Response:
    """Starts a job that copies the record, its children and theirs; a JSON array of one row sets fields of the copy."""
    rows = (await read_rows(request)).rows
    return submitted(
        request,
        await vault_of(request).record_jobs.deep_copy(
            caller, object_name, record_id, rows
        ),
    )


@router.get(
    "/vobjects/deepcopy/results/{object_name}/{outcome}/{job_id}",
    summary="Results of a deep copy",
)
async def deep_copy_results(
    request: Request, caller: SignedIn, object_name: str, outcome: str, job_id: int
) -> Response:
    """The records that were copied (`success`), or that kept the job from it (`failure`), as CSV."""
    return await _results(request, caller, DEEP_COPY, (object_name, outcome, job_id))


@router.post(
    "/vobjects/{object_name}/actions/merge",
    summary="Merge records",
    openapi_extra=ROWS_DOCUMENTATION,
)
async def merge(request: Request, caller: SignedIn, object_name: str) -> Response:
    """Starts a job that merges up to ten pairs of records, rows with `duplicate_record_id` and `main_record_id`."""
    rows = (await read_rows(request)).rows
    job_id = await vault_of(request).record_jobs.merge(caller, object_name, rows)
    return envelope.success(data={"job_id": job_id})


@router.post(
    "/vobjects/{object_name}/actions/recalculaterollups",
    summary="Recalculate roll-up fields",
)
async def recalculate_rollups(
    request: Request, caller: SignedIn, object_name: str
) -> Response:
    """Done at once: no type of field here is a roll-up, so there is nothing that could be out of date."""
    vault_of(request).records.target(caller, object_name, [{}], Operation.EDIT)
    return envelope.success()


@router.get(
    "/vobjects/{object_name}/actions/recalculaterollups",
    summary="Whether roll-up fields are recalculated",
)
async def rollup_status(
    request: Request, caller: SignedIn, object_name: str
) -> Response:
    """Always `NOT_RUNNING`: a recalculation is done when its call is answered."""
    vault_of(request).records.target(caller, object_name, [{}], Operation.READ)
    return envelope.success(data={"status": "NOT_RUNNING"})


@router.put(
    "/vobjects/{object_name}/actions/updatecorporatecurrency",
    summary="Update corporate currency fields",
)
async def update_corporate_currency(
    request: Request, caller: SignedIn, object_name: str
) -> Response:
    """Done at once: no type of field here is a currency, so there is nothing to convert."""
    vault_of(request).records.target(caller, object_name, [{}], Operation.EDIT)
    return envelope.success()


@router.get("/vobjects/merges/{job_id}/status", summary="The status of a merge")
async def merge_status(request: Request, caller: SignedIn, job_id: int) -> Response:
    """`IN_PROGRESS`, `SUCCESS` or `FAILURE`."""
    return envelope.success(
        data={
            "status": await vault_of(request).record_jobs.merge_status(caller, job_id)
        }
    )


@router.get("/vobjects/merges/{job_id}/results", summary="Results of a merge")
async def merge_results(request: Request, caller: SignedIn, job_id: int) -> Response:
    """Each pair with its status, and its error when it failed."""
    return envelope.success(
        data={
            "merge_sets": await vault_of(request).record_jobs.merge_results(
                caller, job_id
            )
        }
    )


@router.get("/vobjects/merges/{job_id}/log", summary="Log of a merge")
async def merge_log(request: Request, caller: SignedIn, job_id: int) -> Response:
    """The results as CSV, in a zip archive."""
    content = await vault_of(request).record_jobs.merge_log(caller, job_id)

    async def whole() -> AsyncIterator[bytes]:
        yield content

    return file_response(
        whole(), f"merge-{job_id}.zip", len(content), media="application/zip"
    )


@router.get("/objects/deletions/vobjects/{object_name}", summary="Deleted records")
async def deletions(
    request: Request, caller: SignedIn, object_name: str, wanted: Wanted
) -> Response:
    """Ids and dates of the records that were deleted in the last 30 days, the earliest first."""
    page = await vault_of(request).deletions.listed(caller, object_name, wanted.span)
    data = [
        {"id": gone.record_id, "date_deleted": moment(gone.date_deleted)}
        for gone in page.deletions
    ]
    return envelope.success(responseDetails=wanted.details(request, page), data=data)


@router.get(
    "/objects/deletions/vobjects/{object_name}/attachments",
    summary="Deleted attachments",
)
async def attachment_deletions(
    request: Request, caller: SignedIn, object_name: str, wanted: Wanted
) -> Response:
    """Those of the last 30 days, the earliest first; `version__v` is empty where all versions were deleted."""
    page = await vault_of(request).deletions.listed(
        caller, object_name, wanted.span, attachments=True
    )
    data = [
        {
            "id": gone.attachment_id,
            "version__v": gone.version or "",
            "external_id__v": gone.external_id,
            "date_deleted": moment(gone.date_deleted),
        }
        for gone in page.deletions
    ]
    return envelope.success(responseDetails=wanted.details(request, page), data=data)


@router.get("/objects/deletions/documents", summary="Deleted documents and versions")
async def deleted_documents(
    request: Request, caller: SignedIn, wanted: Wanted
) -> Response:
    """Documents, and single versions of them, that were deleted in the last 30 days, the earliest first.

    `deletion_type` is `document__sys`, without numbers of a version, or `document_version__sys`.
    """
    vault = vault_of(request)
    page = await vault.deletions.listed(caller, DOCUMENTS, wanted.span)
    data = [_deleted_document(vault.vault_id, gone) for gone in page.deletions]
    return envelope.success(responseDetails=wanted.details(request, page), data=data)


def _deleted_document(vault_id: int, gone: Deletion) -> dict[str, object]:
    document_id, *number = gone.record_id.split("_")
    major, minor = map(int, number) if number else ("", "")
    return {
        "id": int(document_id),
        "major_version_number__v": major,
        "minor_version_number__v": minor,
        "date_deleted": moment(gone.date_deleted),
        "global_id__sys": f"{vault_id}_{document_id}",
        "global_version_id__sys": f"{vault_id}_{gone.record_id}" if number else None,
        "deletion_type": "document_version__sys" if number else "document__sys",
    }


async def _results(
    request: Request, caller: Caller, job_type: str, named: tuple[str, str, int]
) -> Response:
    item, content = await vault_of(request).record_jobs.result(caller, job_type, *named)
    return file_response(content, item.name, item.size, media="text/csv")
