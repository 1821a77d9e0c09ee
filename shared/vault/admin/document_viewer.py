"""Serves the documents of an access token to any bearer of the token: no user and no session are needed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, assert_never
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.admin.bearers import admit
from shared.vault.admin.rendering import render
from shared.vault.api.file_body import file_response
from shared.vault.api.request_context import vault_of
from shared.vault.documents.document_content import NO_FILE, StoredFile
from shared.vault.documents.document_tokens import (
    MAX_GROUP,
    VIEWABLE,
    DownloadOption,
    SharedDocument,
)
from shared.vault.errors import VaultFault
from shared.vault.queries.document_target import SOURCE_FILE

router = APIRouter()

PAGE = "/approved_viewer"
FILE = f"{PAGE}/file"
PDF = "application/pdf"
# Formats that a browser shows without running code in them; other files are downloaded, if the token permits it.
SHOWN = frozenset({PDF, "image/png", "image/jpeg", "image/gif", "text/plain"})


class Use(StrEnum):
    """The ways in which a bearer may use a document's file."""

    VIEW = "view"
    PDF = "pdf"
    SOURCE = "source"


Token = Annotated[str, Query(max_length=100)]
Number = Annotated[int, Query(ge=0, le=MAX_GROUP)]


@router.get(PAGE)
async def viewer(request: Request, token: Token = "", document: Number = 0) -> Response:
    """Show a document of a token, with links to its permitted uses and to the other documents of the token's group."""
    shared = await _shown(request, token)
    chosen = _chosen(shared, document)
    files = await vault_of(request).document_tokens.files(chosen)
    links = {
        use.value: _address(FILE, token, chosen.number, use)
        for use in Use
        if _file(chosen, files, use) is not None
    }
    pages = [(each, _address(PAGE, token, each.number)) for each in shared]
    values = {
        "context": None,
        "note": None,
        "vault": vault_of(request).definition,
        "chosen": chosen,
        "links": links,
        "pages": pages if len(pages) > 1 else [],
    }
    return render("document_viewer.html", values)


@router.get(FILE)
async def file(
    request: Request, use: Use, token: Token = "", document: Number = 0
) -> Response:
    """Send a document's file for display or, if the token permits it, for download."""
    vault = vault_of(request)
    chosen = _chosen(await _shown(request, token), document)
    found = _file(chosen, await vault.document_tokens.files(chosen), use)
    if found is None:
        raise VaultFault(ErrorType.INVALID_DATA, NO_FILE)
    content = vault.document_files.bytes_of(found)
    size = found.content.size
    response = file_response(content, found.filename, size, media=found.format)
    if use is Use.VIEW:
        del response.headers["Content-Disposition"]
    return response


async def _shown(request: Request, token: str) -> list[SharedDocument]:
    """Return the documents that a token shows.

    :raises VaultFault: INVALID_DATA for a text that is no token that can be used; API_LIMIT_EXCEEDED after too many
        calls from the client's address.
    """
    tokens = vault_of(request).document_tokens
    # Before anything is counted: what cannot be a token costs no call of the database.
    tokens.check_form(token)
    await admit(request, "document")
    return await tokens.shown(token)


def _chosen(shared: list[SharedDocument], number: int) -> SharedDocument:
    """Return the document with this number, counted from 0, among the documents of a token.

    :raises VaultFault: INVALID_DATA when there is no such document.
    """
    if number >= len(shared):
        raise VaultFault(ErrorType.INVALID_DATA, "The link shows no such document")
    return shared[number]


def _file(
    document: SharedDocument, files: Mapping[str, StoredFile], use: Use
) -> StoredFile | None:
    """Return the file for a use; None when the token does not permit that use, or no file is suitable."""
    source, viewable = files.get(SOURCE_FILE), files.get(VIEWABLE)
    match use:
        case Use.VIEW:
            return _first(SHOWN, viewable, source)
        case Use.PDF:
            offered = document.download in (DownloadOption.PDF, DownloadOption.BOTH)
            return _first(frozenset({PDF}), viewable, source) if offered else None
        case Use.SOURCE:
            wanted = (DownloadOption.SOURCE, DownloadOption.BOTH)
            return source if document.download in wanted else None
        case _:
            assert_never(use)


def _first(formats: frozenset[str], *files: StoredFile | None) -> StoredFile | None:
    """Return the first file of one of these media types."""
    for each in files:
        if each is not None and each.format in formats:
            return each
    return None


def _address(path: str, token: str, number: int, use: Use | None = None) -> str:
    """Return the address of a page or file of a token."""
    parameters: dict[str, str | int] = {"token": token, "document": number}
    if use is not None:
        parameters["use"] = use
    return f"/ui{path}?{urlencode(parameters)}"
