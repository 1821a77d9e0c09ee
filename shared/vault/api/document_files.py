"""Serves the files of documents: downloads source files and renditions, stores and deletes renditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import EditsDocuments
from shared.vault.api.document_addresses import rendition_urls, url_of
from shared.vault.api.documents import LATEST, VERSION, Latest, Read, Version
from shared.vault.api.file_body import (
    RangeHeader,
    file_response,
    open_file_form,
    span_of,
)
from shared.vault.api.openapi.request_bodies import DOCUMENT_FORM
from shared.vault.api.request_context import (
    PREFIX,
    SignedIn,
    vault_of,
)
from shared.vault.queries.document_target import SOURCE_FILE

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.documents.document_store import Place

router = APIRouter(prefix=f"{PREFIX}/objects/documents", tags=["Documents"])

# Every call exists twice: for the latest version, and for a version by its number.
RENDITION = "/renditions/{rendition_type}"
PLAIN_TEXT = "text/plain;charset=UTF-8"


@router.get(f"{LATEST}/file", summary="Download the file of a document")
async def file(
    request: Request,
    caller: SignedIn,
    place: Read,
    wanted: RangeHeader = None,
) -> Response:
    """Returns the file of the latest version, or the part of it that `Range` names."""
    return await _download(request, caller, place, SOURCE_FILE, wanted)


@router.get(f"{VERSION}/file", summary="Download the file of a version")
async def version_file(
    request: Request,
    caller: SignedIn,
    place: Version,
    wanted: RangeHeader = None,
) -> Response:
    """Returns the file of one version, or the part of it that `Range` names."""
    return await _download(request, caller, place, SOURCE_FILE, wanted)


@router.get(f"{VERSION}/text", summary="Text of a version")
async def version_text(
    request: Request,
    caller: SignedIn,
    place: Version,
) -> Response:
    """Returns the text of the version's file: its words, separated by one space, at most 200,000 characters.

    A file that has no text, such as a picture, is refused.
    """
    text = await vault_of(request).document_files.text(caller, place)
    return Response(text, media_type=PLAIN_TEXT)


@router.get(f"{LATEST}/renditions", summary="Renditions of a document")
async def renditions(
    request: Request,
    caller: SignedIn,
    place: Read,
) -> Response:
    """Lists the types that renditions may have, and the latest version's renditions with their addresses."""
    return await _listed(request, caller, place)


@router.get(f"{VERSION}/renditions", summary="Renditions of a version")
async def version_renditions(
    request: Request,
    caller: SignedIn,
    place: Version,
) -> Response:
    """Lists the types that renditions may have, and one version's renditions with their addresses."""
    return await _listed(request, caller, place)


@router.get(f"{LATEST}{RENDITION}", summary="Download a rendition")
async def rendition(
    request: Request,
    caller: SignedIn,
    place: Read,
    rendition_type: str,
    wanted: RangeHeader = None,
) -> Response:
    """Returns a rendition of the latest version, or the part of it that `Range` names."""
    return await _download(request, caller, place, rendition_type, wanted)


@router.get(f"{VERSION}{RENDITION}", summary="Download a version's rendition")
async def version_rendition(
    request: Request,
    caller: SignedIn,
    place: Version,
    rendition_type: str,
    wanted: RangeHeader = None,
) -> Response:
    """Returns a rendition of one version, or the part of it that `Range` names."""
    return await _download(request, caller, place, rendition_type, wanted)


@router.post(
    f"{LATEST}{RENDITION}", summary="Add a rendition", openapi_extra=DOCUMENT_FORM
)
async def add(
    request: Request,
    caller: EditsDocuments,
    place: Latest,
    rendition_type: str,
) -> Response:
    """Adds the `file` of the form to the latest version, as a rendition of a type that the version lacks."""
    return await _put(request, caller, place, rendition_type, replace=False)


@router.post(
    f"{VERSION}{RENDITION}",
    summary="Add a rendition to a version",
    openapi_extra=DOCUMENT_FORM,
)
async def add_to_version(
    request: Request,
    caller: EditsDocuments,
    place: Version,
    rendition_type: str,
) -> Response:
    """Adds the `file` of the form to one version, as a rendition of a type that the version lacks."""
    return await _put(request, caller, place, rendition_type, replace=False)


@router.put(
    f"{LATEST}{RENDITION}", summary="Replace a rendition", openapi_extra=DOCUMENT_FORM
)
async def replace(
    request: Request,
    caller: EditsDocuments,
    place: Latest,
    rendition_type: str,
) -> Response:
    """Replaces a rendition of the latest version by the `file` of the form."""
    return await _put(request, caller, place, rendition_type, replace=True)


@router.put(
    f"{VERSION}{RENDITION}",
    summary="Replace a version's rendition",
    openapi_extra=DOCUMENT_FORM,
)
async def replace_of_version(
    request: Request,
    caller: EditsDocuments,
    place: Version,
    rendition_type: str,
) -> Response:
    """Replaces a rendition of one version by the `file` of the form."""
    return await _put(request, caller, place, rendition_type, replace=True)


@router.delete(f"{LATEST}{RENDITION}", summary="Delete a rendition")
async def remove(
    request: Request,
    caller: SignedIn,
    place: Latest,
    rendition_type: str,
) -> Response:
    """Deletes a rendition of the latest version."""
    await vault_of(request).document_files.remove(caller, place, rendition_type)
    return envelope.success()


@router.delete(f"{VERSION}{RENDITION}", summary="Delete a version's rendition")
async def remove_of_version(
    request: Request,
    caller: SignedIn,
    place: Version,
    rendition_type: str,
) -> Response:
    """Deletes a rendition of one version."""
    await vault_of(request).document_files.remove(caller, place, rendition_type)
    return envelope.success()


async def _download(
    request: Request,
    caller: Caller,
    place: Place,
    kind: str,
    wanted: str | None,
) -> Response:
    """Return a file of a version, or the part of it that the Range header ``wanted`` names."""
    files = vault_of(request).document_files
    # The source file is one of the kinds: it is stored and sent like a rendition.
    found = await files.file(caller, place, kind)
    size = found.content.size
    # The file is looked up first: a range is checked against its size.
    span = span_of(wanted, size)
    # Only the part asked for is read from the store.
    content = files.bytes_of(found, span.start, span.length)
    return file_response(content, found.filename, size, span, found.format)


async def _listed(request: Request, caller: Caller, place: Place) -> Response:
    """Return the types of renditions, and the renditions of a version with their addresses."""
    files = vault_of(request).document_files
    names = await files.renditions(caller, place)
    renditions = rendition_urls(url_of(request, place), names)
    types = files.rendition_types(caller)
    return envelope.success(renditionTypes=types, renditions=renditions)


async def _put(
    request: Request,
    caller: Caller,
    place: Place,
    kind: str,
    *,
    replace: bool,
) -> Response:
    """Store the file of the form as a rendition of a version."""
    # Stored before the version is locked, so that a slow upload keeps nobody waiting.
    async with open_file_form(request, caller) as sent:
        await vault_of(request).document_files.put(
            caller, place, kind, sent, replace=replace
        )
    return envelope.success()
