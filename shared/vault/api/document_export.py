"""Serves exports of documents' files to the staging area: starts them as jobs, and returns their results."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import ExportsDocuments
from shared.vault.api.body import read_rows
from shared.vault.api.jobs import job_url
from shared.vault.api.openapi.request_bodies import array_documentation
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of
from shared.vault.documents.document_export import ExportOptions
from shared.vault.records.rows import MAX_ROWS

router = APIRouter(prefix=f"{PREFIX}/objects/documents", tags=["Documents"])

EXPORT = "/batch/actions/fileextract"
ROWS = array_documentation(MAX_ROWS)

Sources = Annotated[bool, Query(description="`false` leaves source files out.")]
Renditions = Annotated[bool, Query(description="`true` adds renditions.")]
Every = Annotated[bool, Query(description="`true` exports every version.")]
Texts = Annotated[
    bool, Query(description="`true` adds the text of source files, as `text_file.txt`.")
]


@router.post(EXPORT, summary="Export documents", openapi_extra=ROWS)
async def documents(
    request: Request,
    caller: ExportsDocuments,
    source: Sources = True,
    renditions: Renditions = False,
    allversions: Every = False,
    text: Texts = False,
) -> Response:
    """Starts a job that writes the files of documents, which rows name by `id`, to the caller's staging folder."""
    options = ExportOptions(
        source=source, renditions=renditions, text=text, every_version=allversions
    )
    return await _submitted(request, caller, options, numbered=False)


@router.post(f"/versions{EXPORT}", summary="Export versions", openapi_extra=ROWS)
async def versions(
    request: Request,
    caller: ExportsDocuments,
    source: Sources = True,
    renditions: Renditions = False,
    text: Texts = False,
) -> Response:
    """Starts a job that writes the files of single versions: rows have `id` and the numbers of the version."""
    options = ExportOptions(source=source, renditions=renditions, text=text)
    return await _submitted(request, caller, options, numbered=True)


@router.get(f"{EXPORT}/{{job_id}}/results", summary="Results of an export")
async def results(request: Request, caller: SignedIn, job_id: int) -> Response:
    """Lists the files that an export has written, by their paths in the staging folder of the user who began it."""
    found = await vault_of(request).document_exports.results(caller, job_id)
    return envelope.success(data=found)


async def _submitted(
    request: Request,
    caller: ExportsDocuments,
    options: ExportOptions,
    *,
    numbered: bool,
) -> Response:
    """Submit an export, and return its job."""
    sent = await read_rows(request)
    exports = vault_of(request).document_exports
    job_id = await exports.submit(caller, sent.rows, options, numbered=numbered)
    # As text: so the public API answers here, and with a number in the calls of the loader.
    return envelope.success(url=job_url(request, job_id), job_id=str(job_id))
