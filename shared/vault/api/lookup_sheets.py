"""Serves reference lookups as files: downloads, an empty template, and uploads that create or update rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from shared.vault.access.permissions import Operation, require
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import UploadsLookups
from shared.vault.api.body import read_rows
from shared.vault.api.openapi.request_bodies import ROWS_DOCUMENTATION
from shared.vault.api.request_context import (
    PREFIX,
    SignedIn,
    base_path,
    vault_of,
    wants_csv,
)
from shared.vault.api.response_envelope import (
    CSV,
    STATUS_HEADER,
    Status,
    results_csv,
)
from shared.vault.integrations.lookup_files import LookupFiles, template
from shared.vault.integrations.reference_lookups import OBJECT

router = APIRouter(prefix=f"{PREFIX}/services", tags=["Integrations"])


@router.get("/reference_lookups", summary="Download reference lookups")
async def download(
    request: Request,
    caller: SignedIn,
    connection: Annotated[
        str, Query(max_length=100, description="API name; all connections without it.")
    ] = "",
) -> Response:
    """Returns the lookups of a connection (its API name), or of all, as CSV that can be changed and uploaded."""
    vault = vault_of(request)
    files = LookupFiles(vault.records, vault.queries)
    return await sheet_response(files.download(caller, connection))


@router.get("/reference_lookups/template", summary="An empty file of lookups")
async def empty(caller: SignedIn) -> Response:
    """Returns CSV with the names of the columns only, to be filled in and uploaded."""
    require(caller, OBJECT, Operation.READ)
    return template_response()


@router.post(
    "/reference_lookups",
    summary="Upload reference lookups",
    openapi_extra=ROWS_DOCUMENTATION,
)
async def upload(request: Request, caller: UploadsLookups) -> Response:
    """Creates lookups from CSV or JSON; a row with an existing connection, set and source key updates that lookup."""
    sent = await read_rows(request)
    vault = vault_of(request)
    files = LookupFiles(vault.records, vault.queries)
    results = await files.upload(caller, sent.rows)
    if wants_csv(request.headers.get("accept", "")):
        return results_csv(results)
    url = f"{base_path(request)}/vobjects/{OBJECT}"
    return envelope.batch(results, url)


async def sheet_response(sheet: AsyncIterator[str]) -> Response:
    """Return the pages of a file of lookups as a download.

    :raises VaultFault: when the first page cannot be read, before the answer begins.
    """
    first = await anext(sheet)

    async def whole() -> AsyncIterator[str]:
        yield first
        async for page in sheet:
            yield page

    return StreamingResponse(whole(), 200, _headers("reference-lookups"), CSV)


def template_response() -> Response:
    """Return a file of lookups that has only the names of the columns."""
    return Response(template(), 200, _headers("reference-lookups-template"), CSV)


def _headers(name: str) -> dict[str, str]:
    return {
        STATUS_HEADER: Status.SUCCESS,
        "Content-Disposition": f'attachment; filename="{name}.csv"',
    }
