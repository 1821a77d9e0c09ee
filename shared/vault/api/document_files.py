"""Files of documents: the source file and the renditions of a version, up and down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Header, Request
from starlette.responses import Response

from shared.vault.api import response_envelope as envelope
from shared.vault.api.documents import LATEST, VERSION, Latest, Version
from shared.vault.api.file_body import file_response, sent_file, span_of
from shared.vault.api.openapi.request_bodies import DOCUMENT_FORM
from shared.vault.api.request_context import (
    PREFIX,
    SignedIn,
    base_path,
    origin,
    vault_of,
)
from shared.vault.queries.document_target import SOURCE_FILE

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.documents.document_store import Place

router = APIRouter(prefix=f"{PREFIX}/objects/documents", tags=["Documents"])

RENDITION = "/renditions/{rendition_type}"
Range = Annotated[str | None, Header(alias="Range")]


@router.get(f"{LATEST}/file", summary="Download the file of a document")
async def file(
    request: Request, caller: SignedIn, place: Latest, wanted: Range = None
) -> Response:
    """The file of the latest version, or the `Range` of it."""
    return await _download(request, caller, place, SOURCE_FILE, wanted)


@router.get(f"{VERSION}/file", summary="Download the file of a version")
async def version_file(
    request: Request, caller: SignedIn, place: Version, wanted: Range = None
) -> Response:
    """The file of one version, or the `Range` of it."""
    return await _download(request, caller, place, SOURCE_FILE, wanted)


@router.get(f"{LATEST}/renditions", summary="Renditions of a document")
async def renditions(request: Request, caller: SignedIn, place: Latest) -> Response:
    """The types of the latest version's renditions, each with its address."""
    return await _listed(request, caller, place)


@router.get(f"{VERSION}/renditions", summary="Renditions of a version")
async def version_renditions(
    request: Request, caller: SignedIn, place: Version
) -> Response:
    """The types of a version's renditions, each with its address."""
    return await _listed(request, caller, place)


@router.get(f"{LATEST}{RENDITION}", summary="Download a rendition")
async def rendition(
    request: Request,
    caller: SignedIn,
    place: Latest,
    rendition_type: str,
    wanted: Range = None,
) -> Response:
    """A rendition of the latest version, or the `Range` of it."""
    return await _download(request, caller, place, rendition_type, wanted)


@router.get(f"{VERSION}{RENDITION}", summary="Download a version's rendition")
async def version_rendition(
    request: Request,
    caller: SignedIn,
    place: Version,
    rendition_type: str,
    wanted: Range = None,
) -> Response:
    """A rendition of one version, or the `Range` of it."""
    return await _download(request, caller, place, rendition_type, wanted)


@router.post(
    f"{LATEST}{RENDITION}", summary="Add a rendition", openapi_extra=DOCUMENT_FORM
)
async def add(
    request: Request, caller: SignedIn, place: Latest, rendition_type: str
) -> Response:
    """Gives the latest version a rendition that it has not: the `file` of the form."""
    return await _put(request, caller, place, rendition_type, replace=False)


@router.post(
    f"{VERSION}{RENDITION}",
    summary="Add a rendition to a version",
    openapi_extra=DOCUMENT_FORM,
)
async def add_to_version(
    request: Request, caller: SignedIn, place: Version, rendition_type: str
) -> Response:
    """Gives a version a rendition that it has not: the `file` of the form."""
    return await _put(request, caller, place, rendition_type, replace=False)


@router.put(
    f"{LATEST}{RENDITION}", summary="Replace a rendition", openapi_extra=DOCUMENT_FORM
)
async def replace(
    request: Request, caller: SignedIn, place: Latest, rendition_type: str
) -> Response:
    """Puts the `file` of the form in the place of a rendition of the latest version."""
    return await _put(request, caller, place, rendition_type, replace=True)


@router.put(
    f"{VERSION}{RENDITION}",
    summary="Replace a version's rendition",
    openapi_extra=DOCUMENT_FORM,
)
async def replace_of_version(
    request: Request, caller: SignedIn, place: Version, rendition_type: str
) -> Response:
    """Puts the `file` of the form in the place of a rendition of a version."""
    return await _put(request, caller, place, rendition_type, replace=True)


@router.delete(f"{LATEST}{RENDITION}", summary="Delete a rendition")
async def remove(
    request: Request, caller: SignedIn, place: Latest, rendition_type: str
) -> Response:
    """Takes a rendition from the latest version."""
    await vault_of(request).document_files.remove(caller, place, rendition_type)
    return envelope.success()


@router.delete(f"{VERSION}{RENDITION}", summary="Delete a version's rendition")
async def remove_of_version(
    request: Request, caller: SignedIn, place: Version, rendition_type: str
) -> Response:
    """Takes a rendition from a version."""
    await vault_of(request).document_files.remove(caller, place, rendition_type)
    return envelope.success()


async def _download(
    request: Request, caller: Caller, place: Place, kind: str, wanted: str | None
) -> Response:
    files = vault_of(request).document_files
    found = await files.file(caller, place, kind)
    size = found.content.size
    span = span_of(wanted, size)
    content = files.bytes_of(found, span.start, span.length)
    return file_response(content, found.filename, size, span, found.format)


async def _listed(request: Request, caller: Caller, place: Place) -> Response:
    names = await vault_of(request).document_files.renditions(caller, place)
    own = f"{origin(request)}{base_path(request)}/objects/documents/{place.document_id}"
    if place.number is not None:
        own += f"/versions/{place.number.major}/{place.number.minor}"
    return envelope.success(
        renditions={name: f"{own}/renditions/{name}" for name in names}
    )


async def _put(
    request: Request, caller: Caller, place: Place, kind: str, *, replace: bool
) -> Response:
    async with sent_file(request) as sent:
        await vault_of(request).document_files.put(
            caller, place, kind, sent, replace=replace
        )
    return envelope.success()
