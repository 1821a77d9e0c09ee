"""Many documents in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from shared.vault.api import response_envelope as envelope
from shared.vault.api.addresses import PREFIX
from shared.vault.api.body import ROWS_DOCUMENTATION, read_rows
from shared.vault.api.csv_rows import results_csv
from shared.vault.api.records import wants_csv
from shared.vault.api.request_session import SignedIn, vault_of
from shared.vault.api.response_envelope import Status
from shared.vault.records.rows import RowResult

router = APIRouter(prefix=f"{PREFIX}/objects/documents/batch", tags=["Documents"])

IdParam = Annotated[
    str | None,
    Query(
        alias="idParam", description="A text field of which each document has its own."
    ),
]


@router.post("", summary="Create documents", openapi_extra=ROWS_DOCUMENTATION)
async def create(
    request: Request, caller: SignedIn, id_param: IdParam = None
) -> Response:
    """Up to 500 rows as JSON or CSV, with fields as for one; `file` is the path of a file on the staging area.

    With `idParam=link__sys`, say, a row fails when a document has its Link already, whoever else creates it too.
    """
    rows = (await read_rows(request)).rows
    return _answer(
        request, await vault_of(request).document_batches.create(caller, rows, id_param)
    )


@router.put("", summary="Update documents", openapi_extra=ROWS_DOCUMENTATION)
async def update(
    request: Request, caller: SignedIn, id_param: IdParam = None
) -> Response:
    """Rows with `id`, or with `idParam=external_id__v` that, and fields of the latest version."""
    rows = (await read_rows(request)).rows
    return _answer(
        request, await vault_of(request).document_batches.update(caller, rows, id_param)
    )


@router.delete("", summary="Delete documents", openapi_extra=ROWS_DOCUMENTATION)
async def delete(
    request: Request, caller: SignedIn, id_param: IdParam = None
) -> Response:
    """Rows with `id`, or with `idParam=external_id__v` that; each document is deleted by itself."""
    rows = (await read_rows(request)).rows
    return _answer(
        request, await vault_of(request).document_batches.delete(caller, rows, id_param)
    )


def _answer(request: Request, results: Sequence[RowResult]) -> Response:
    if wants_csv(request.headers.get("accept", "")):
        return results_csv(results)
    return envelope.success(data=[_row_json(result) for result in results])


def _row_json(result: RowResult) -> dict[str, object]:
    if not result.ok:
        return {
            "responseStatus": Status.FAILURE,
            "errors": envelope.errors_json(result.errors),
        }
    return {"responseStatus": Status.SUCCESS, "id": int(result.id or 0)}
