"""Serves attachments of documents and versions by the endpoints of record attachments."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from shared.vault.api import attachments as calls
from shared.vault.api.admission import EditsDocuments
from shared.vault.api.attachments import AttachedTo, attachment_results
from shared.vault.api.body import read_rows
from shared.vault.api.document_addresses import url_of
from shared.vault.api.documents import LATEST, VERSION, Latest, Version
from shared.vault.api.openapi.request_bodies import ROWS_DOCUMENTATION, Body
from shared.vault.api.records import IdParam
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of
from shared.vault.attachments.attachment_service import FileOwner
from shared.vault.model.field_types import DOCUMENTS

router = APIRouter(prefix=f"{PREFIX}/objects/documents", tags=["Documents"])

Endpoint = Callable[..., Awaitable[Response]]

OWN = f"{LATEST}/attachments"
OF_VERSION = f"{VERSION}/attachments"
# The published description of the API has these two paths; its reference has those of versions.
SHORTENED_LIST = f"{LATEST}/version/{{major}}/{{minor}}/attachments"
SHORTENED_FILES = f"{LATEST}/{{major}}/{{minor}}/attachments/file"
ONE = "/{attachment_id}"
ONE_VERSION = f"{ONE}/versions/{{attachment_version}}"
BATCH = "/attachments/batch"


def attached_to_document(
    request: Request, caller: SignedIn, place: Latest
) -> AttachedTo:
    """Return the document of the path."""
    owner = FileOwner(caller, DOCUMENTS, str(place.document_id))
    return AttachedTo(
        vault_of(request).document_attachments, owner, url_of(request, place)
    )


async def attached_to_version(
    request: Request, caller: SignedIn, place: Version
) -> AttachedTo:
    """Return the document of the path, which has the version of the path.

    :raises VaultFault: INVALID_DATA when it has no such version.
    """
    service = vault_of(request).document_attachments
    await service.require_version(caller, place)
    owner = FileOwner(caller, DOCUMENTS, str(place.document_id))
    return AttachedTo(service, owner, url_of(request, place))


OfDocument = Annotated[AttachedTo, Depends(attached_to_document)]
OfVersion = Annotated[AttachedTo, Depends(attached_to_version)]


def serving(endpoint: Endpoint, owner: object, suffix: str) -> Endpoint:
    """Return an endpoint of record attachments for another owner, which a dependency provides.

    ``suffix`` makes its name unique, as each operation of the API needs a name of its own.
    """
    signature = inspect.signature(endpoint, eval_str=True)
    parameters = [
        each.replace(annotation=owner) if each.name == "to" else each
        for each in signature.parameters.values()
    ]

    @wraps(endpoint)
    async def served(**arguments: Any) -> Response:
        return await endpoint(**arguments)

    served.__module__ = __name__
    served.__name__ = f"{endpoint.__name__}_{suffix}"
    served.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=parameters
    )
    return served


def add(
    method: str,
    path: str,
    endpoint: Endpoint,
    summary: str,
    owner: object = OfDocument,
    suffix: str = "of_document",
    openapi_extra: Body | None = None,
) -> None:
    """Add a route whose calls are served by an endpoint of records' attachments."""
    served = serving(endpoint, owner, suffix)
    router.add_api_route(
        path,
        served,
        methods=[method],
        summary=summary,
        openapi_extra=openapi_extra,
    )


add("GET", OWN, calls.attachments, "Attachments of a document")
add(
    "POST",
    OWN,
    calls.create,
    "Attach a file to a document",
    openapi_extra=calls.DESCRIBED_FILE_FORM,
)
add("GET", f"{OWN}/file", calls.all_files, "Download all attachments of a document")
add("GET", f"{OWN}{ONE}", calls.one, "An attachment of a document")
add(
    "PUT",
    f"{OWN}{ONE}",
    calls.describe,
    "Describe a document's attachment",
    openapi_extra=calls.DESCRIPTION_FORM,
)
add("DELETE", f"{OWN}{ONE}", calls.delete, "Delete a document's attachment")
add("GET", f"{OWN}{ONE}/file", calls.file, "Download a document's attachment")
add("GET", f"{OWN}{ONE}/versions", calls.versions, "Versions of a document's file")
add("GET", f"{OWN}{ONE_VERSION}", calls.version, "A version of a document's attachment")
add("POST", f"{OWN}{ONE_VERSION}", calls.restore, "Restore a version of an attachment")
add("DELETE", f"{OWN}{ONE_VERSION}", calls.delete_version, "Delete an earlier file")
add("GET", f"{OWN}{ONE_VERSION}/file", calls.version_file, "Download an earlier file")

OF_VERSIONS: tuple[tuple[str, Endpoint, str], ...] = (
    ("", calls.attachments, "Attachments of a version"),
    ("/file", calls.all_files, "Download all attachments of a version"),
    (ONE, calls.one, "An attachment of a version"),
    (f"{ONE}/file", calls.file, "Download a version's attachment"),
    (f"{ONE}/versions", calls.versions, "Versions of a version's attachment"),
    (ONE_VERSION, calls.version, "A version of a version's attachment"),
    (f"{ONE_VERSION}/file", calls.version_file, "Download an earlier attachment"),
)
"""The routes that read a version's attachments: path below its address, endpoint and summary."""

for below, served_by, summary in OF_VERSIONS:
    add("GET", f"{OF_VERSION}{below}", served_by, summary, OfVersion, "of_version")
for path, (_, served_by, summary) in zip(
    (SHORTENED_LIST, SHORTENED_FILES), OF_VERSIONS, strict=False
):
    add("GET", path, served_by, summary, OfVersion, "of_shortened_path")


@router.post(
    BATCH, summary="Attach files to documents", openapi_extra=ROWS_DOCUMENTATION
)
async def create_many(request: Request, caller: EditsDocuments) -> Response:
    """Attaches files of the staging area: rows have `document_id__v`, `filename__v` and `file`, its path there.

    They may have `description__v` and `external_id__v`. An attachment belongs to all versions of its document, so that
    rows with the number of a version are refused.
    """
    sent = await read_rows(request)
    batches = vault_of(request).document_attachment_batches
    results = await batches.create(caller, DOCUMENTS, sent.rows, None)
    return attachment_results(results)


@router.put(
    BATCH,
    summary="Describe attachments of documents",
    openapi_extra=ROWS_DOCUMENTATION,
)
async def describe_many(
    request: Request, caller: EditsDocuments, id_param: IdParam = None
) -> Response:
    """Changes descriptions: rows have `description__v`, and the attachment's `id`.

    With `idParam=external_id__v`, rows have `external_id__v` instead of `id`.
    """
    sent = await read_rows(request)
    batches = vault_of(request).document_attachment_batches
    results = await batches.describe(caller, DOCUMENTS, sent.rows, id_param)
    return attachment_results(results)


@router.delete(
    BATCH, summary="Delete attachments of documents", openapi_extra=ROWS_DOCUMENTATION
)
async def delete_many(
    request: Request, caller: EditsDocuments, id_param: IdParam = None
) -> Response:
    """Deletes attachments with all their versions: rows have the attachment's `id`, and may have `document_id__v`.

    With `idParam=external_id__v`, rows have `external_id__v` instead of `id`.
    """
    sent = await read_rows(request)
    batches = vault_of(request).document_attachment_batches
    results = await batches.delete(caller, DOCUMENTS, sent.rows, id_param)
    return attachment_results(results, deleted=True)
