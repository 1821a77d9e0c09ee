"""Serves calls that create, update or delete up to 500 documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import (
    CreatesDocuments,
    DeletesDocuments,
    EditsDocuments,
)
from shared.vault.api.body import read_rows
from shared.vault.api.header_flags import migration_of
from shared.vault.api.openapi.request_bodies import ROWS_DOCUMENTATION
from shared.vault.api.request_context import PREFIX, vault_of, wants_csv
from shared.vault.api.response_envelope import Status, results_csv
from shared.vault.components.document_model import EXTERNAL_ID
from shared.vault.documents.document_batches import DocumentResult
from shared.vault.records.rows import RowResult

router = APIRouter(prefix=f"{PREFIX}/objects/documents/batch", tags=["Documents"])

IdParam = Annotated[
    str | None,
    Query(
        alias="idParam",
        description="A text field with a different value in each document.",
    ),
]


@router.post("", summary="Create documents", openapi_extra=ROWS_DOCUMENTATION)
async def create(
    request: Request,
    caller: CreatesDocuments,
    id_param: IdParam = None,
) -> Response:
    """Creates up to 500 documents from rows in JSON or CSV; `file` is the path of a file on the staging area.

    With `idParam`, a row fails when a document already has the row's value of that field, even if two calls create such
    documents at the same time. In migration mode, `status__v` and `document_number__v` choose state and number.
    """
    sent = await read_rows(request)
    batches = vault_of(request).document_batches
    results = await batches.create(
        caller, sent.rows, id_param, migration=migration_of(request)
    )
    return document_results(request, results)


@router.put("", summary="Update documents", openapi_extra=ROWS_DOCUMENTATION)
async def update(
    request: Request,
    caller: EditsDocuments,
    id_param: IdParam = None,
) -> Response:
    """Changes fields of latest versions; rows name their document by `id`, or by the `idParam` field."""
    sent = await read_rows(request)
    batches = vault_of(request).document_batches
    results = await batches.update(caller, sent.rows, id_param)
    return document_results(request, results)


@router.delete("", summary="Delete documents", openapi_extra=ROWS_DOCUMENTATION)
async def delete(
    request: Request,
    caller: DeletesDocuments,
    id_param: IdParam = None,
) -> Response:
    """Deletes documents; rows identify them by `id`, or by the `idParam` field.

    Each document has a transaction of its own: a failed row does not affect the others.
    """
    sent = await read_rows(request)
    batches = vault_of(request).document_batches
    results = await batches.delete(caller, sent.rows, id_param)
    return document_results(request, results)


def document_results(
    request: Request,
    results: Sequence[RowResult],
    more: Sequence[Mapping[str, object]] | None = None,
) -> Response:
    """Return the results, as CSV when the call accepts it; ``more`` has further members of each result in JSON."""
    # The same columns as for records, so that one reader serves both.
    if wants_csv(request.headers.get("accept", "")):
        return results_csv(results)
    shown = [_row_json(result) for result in results]
    if more is not None:
        shown = [{**row, **members} for row, members in zip(shown, more, strict=True)]
    return envelope.success(data=shown)


def _row_json(result: RowResult) -> dict[str, object]:
    """Return the result of one row; ids of documents are numbers."""
    if not result.ok:
        errors = envelope.errors_json(result.errors)
        return {"responseStatus": Status.FAILURE, "errors": errors}
    # Records have text for ids, documents numbers: the calls for documents answer with numbers.
    shown: dict[str, object] = {
        "responseStatus": Status.SUCCESS,
        "id": int(result.id or 0),
    }
    # The calls for relationships and roles answer with ids alone.
    if isinstance(result, DocumentResult):
        shown[EXTERNAL_ID] = result.external_id
    return shown
