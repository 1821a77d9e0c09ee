"""Serves calls that create or delete versions and renditions of up to 500 documents, or change their types."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import DeletesDocuments, EditsDocuments
from shared.vault.api.body import read_rows
from shared.vault.api.document_batch import IdParam
from shared.vault.api.header_flags import migration_of
from shared.vault.api.openapi.request_bodies import ROWS_DOCUMENTATION
from shared.vault.api.request_context import PREFIX, vault_of
from shared.vault.api.response_envelope import Status
from shared.vault.components.document_model import EXTERNAL_ID
from shared.vault.documents.version_batches import RENDITION, VersionResult

router = APIRouter(prefix=f"{PREFIX}/objects/documents", tags=["Documents"])


@router.post(
    "/versions/batch",
    summary="Create versions of documents",
    openapi_extra=ROWS_DOCUMENTATION,
)
async def create(
    request: Request, caller: EditsDocuments, id_param: IdParam = None
) -> Response:
    """Creates a draft of each document, from `file`, a path on the staging area, or else from its latest file.

    Rows identify their document by `id`, or by the `idParam` field. In migration mode, rows choose the version: they
    have `file`, `name__v`, `type__v`, `lifecycle__v`, `major_version_number__v`, `minor_version_number__v` and
    `status__v`, and may have `subtype__v`, `classification__v` and fields.
    """
    sent = await read_rows(request)
    batches = vault_of(request).version_batches
    create_versions = batches.migrate if migration_of(request) else batches.create
    return _answer(await create_versions(caller, sent.rows, id_param))


@router.delete(
    "/versions/batch",
    summary="Delete versions of documents",
    openapi_extra=ROWS_DOCUMENTATION,
)
async def delete(
    request: Request, caller: DeletesDocuments, id_param: IdParam = None
) -> Response:
    """Deletes versions: rows have `id`, `major_version_number__v` and `minor_version_number__v`."""
    sent = await read_rows(request)
    batches = vault_of(request).version_batches
    return _answer(await batches.delete(caller, sent.rows, id_param))


@router.post(
    "/renditions/batch",
    summary="Add renditions to documents",
    openapi_extra=ROWS_DOCUMENTATION,
)
async def add_renditions(
    request: Request, caller: EditsDocuments, id_param: IdParam = None
) -> Response:
    """Adds renditions: rows have `id`, `rendition_type__v` and `file`, the path of a file on the staging area.

    With `major_version_number__v` and `minor_version_number__v`, the rendition is added to that version; else to the
    latest one.
    """
    sent = await read_rows(request)
    batches = vault_of(request).version_batches
    return _answer(await batches.add_renditions(caller, sent.rows, id_param))


@router.delete(
    "/renditions/batch",
    summary="Delete renditions of documents",
    openapi_extra=ROWS_DOCUMENTATION,
)
async def delete_renditions(
    request: Request, caller: EditsDocuments, id_param: IdParam = None
) -> Response:
    """Deletes renditions: rows have `id` and `rendition_type__v`, and may have the numbers of a version."""
    sent = await read_rows(request)
    batches = vault_of(request).version_batches
    return _answer(await batches.delete_renditions(caller, sent.rows, id_param))


@router.put(
    "/batch/actions/reclassify",
    summary="Reclassify documents",
    openapi_extra=ROWS_DOCUMENTATION,
)
async def reclassify(
    request: Request, caller: EditsDocuments, id_param: IdParam = None
) -> Response:
    """Reclassifies documents: rows have `id`, `type__v`, and optionally the levels below it and `lifecycle__v`.

    A document keeps its lifecycle and state if its new type has that lifecycle. Other columns change fields.
    """
    sent = await read_rows(request)
    batches = vault_of(request).version_batches
    results = await batches.reclassify(caller, sent.rows, id_param)
    return envelope.success(data=[_json(result) for result in results])


def _answer(results: Sequence[VersionResult]) -> Response:
    """Return the results, with an entry for each row in input order."""
    return envelope.success(data=[_json(each) | _concerned(each) for each in results])


def _json(result: VersionResult) -> dict[str, object]:
    """Return the status of one row with the document's id; a failed row has no document."""
    if result.error is not None:
        errors = envelope.errors_json([result.error])
        return {"responseStatus": Status.FAILURE, "errors": errors}
    return {"responseStatus": Status.SUCCESS, "id": result.document_id}


def _concerned(result: VersionResult) -> dict[str, object]:
    """Return the document's external id, and the version and rendition that a row concerns, unless it failed."""
    if result.error is not None:
        return {}
    shown: dict[str, object] = {EXTERNAL_ID: result.external_id}
    if result.number is not None:
        shown |= result.number.fields
    if result.rendition is not None:
        shown[RENDITION] = result.rendition
    return shown
