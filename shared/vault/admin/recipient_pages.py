"""Serves response packages to recipients without an account: a page, its files one by one, and all as an archive."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.protocol.whole_numbers import whole_number
from shared.vault.admin.bearers import admit
from shared.vault.admin.rendering import render
from shared.vault.api.file_body import archive_response, file_response
from shared.vault.api.request_context import vault_of
from shared.vault.documents.document_store import Place
from shared.vault.documents.versions import Number
from shared.vault.errors import VaultFault
from shared.vault.fulfillment.fulfillment_model import (
    MAX_DOCUMENTS,
    PATH,
    may_be_token,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from shared.vault.admin.page_context import PageContext
    from shared.vault.assembly.vault import Vault
    from shared.vault.documents.document_content import StoredFile
    from shared.vault.fulfillment.fulfillment_model import ResponsePackage

router = APIRouter(prefix="/answers")

READING = ["GET", "HEAD"]
HEAD = "HEAD"
# What browsers show by themselves without running what it says; all else is saved.
SHOWN = frozenset(
    {"application/pdf", "image/gif", "image/jpeg", "image/png", "text/plain"}
)
# Search engines keep nothing of a package whose link somebody has published.
UNLISTED = {"X-Robots-Tag": "noindex, nofollow, noarchive"}
ARCHIVE = "Response package.zip"
VIEWABLE = "viewable_rendition__v"
SOURCE = ""
LARGEST_PART = 2**31 - 1
"""The largest major or minor number of a version."""

Position = Annotated[int, Path(ge=1, le=MAX_DOCUMENTS)]


@router.api_route("/{token}", methods=READING)
async def package(request: Request, token: str) -> Response:
    """Show a package; expired and unknown links get the same answer."""
    found = await _found(request, token)
    if found is None:
        return _gone(vault_of(request))
    # Mail programs check links by HEAD: nobody has opened the package.
    if request.method != HEAD:
        await vault_of(request).package_door.opened(found)
    return _unlisted(page(vault_of(request), found, f"{PATH}{token}"))


@router.api_route("/{token}/all", methods=READING)
async def archive(request: Request, token: str) -> Response:
    """Send the cover letter and all available files as one zip archive."""
    found = await _found(request, token)
    if found is None:
        return _gone(vault_of(request))
    content = await vault_of(request).package_door.archive(found)
    return _unlisted(_read(request, archive_response(content, ARCHIVE)))


@router.api_route("/{token}/{position}", methods=READING)
async def file(request: Request, token: str, position: Position) -> Response:
    """Send a file of a package: displayed by the browser if it can, else downloaded."""
    found = await _found(request, token)
    if found is None:
        return _gone(vault_of(request))
    opened = await vault_of(request).package_door.file(found, position)
    if opened is None:
        return _gone(vault_of(request))
    part = opened.file
    response = sent(opened.content, part.filename, part.size, part.format)
    return _unlisted(_read(request, response))


def page(
    vault: Vault, package: ResponsePackage, base: str, preview: str = ""
) -> Response:
    """Return the page of a package, which needs no session.

    The addresses of its files begin with ``base``. ``preview`` is the address of the link back from a preview, empty
    otherwise.
    """
    return render(
        "recipient.html",
        {
            "context": None,
            "note": None,
            "package": package,
            "base": base,
            "preview": preview,
            "shown": SHOWN,
            "sender": vault.settings.response_sender,
            "contact": vault.settings.response_contact,
        },
    )


def sent(content: AsyncIterator[bytes], name: str, size: int, format_: str) -> Response:
    """Return a file as an answer: displayed by the browser if that is harmless, else downloaded."""
    response = file_response(content, name, size, media=format_)
    if format_ in SHOWN:
        header = response.headers["Content-Disposition"]
        shown = header.replace("attachment", "inline", 1)
        response.headers["Content-Disposition"] = shown
    return response


async def viewable_file(context: PageContext, row: Mapping[str, Any]) -> StoredFile:
    """Return a document's viewable rendition, or its source file when there is none.

    :raises VaultFault: INVALID_DATA for a version number that is not valid.
    """
    files = context.vault.document_files
    major, _, minor = str(row["version_number__v"]).partition(".")
    # Whoever writes such records by calls may have written any text.
    parts = whole_number(major, LARGEST_PART), whole_number(minor, LARGEST_PART)
    if parts[0] is None or parts[1] is None:
        raise VaultFault(
            ErrorType.INVALID_DATA, "The version of a document has the form 1.0"
        )
    number = Number(parts[0], parts[1])
    place = Place(int(row["document_id__v"]), number)
    renditions = await files.renditions(context.caller, place)
    rendition = VIEWABLE if VIEWABLE in renditions else SOURCE
    return await files.file(context.caller, place, rendition)


async def _found(request: Request, token: str) -> ResponsePackage | None:
    """Return the package of a token; None when the token has no open link.

    :raises VaultFault: API_LIMIT_EXCEEDED after too many calls from the client's address.
    """
    # Before anything is counted: what cannot be a token costs no call of the database.
    if not may_be_token(token):
        return None
    await admit(request, "package")
    return await vault_of(request).package_door.package(token)


def _gone(vault: Vault) -> Response:
    context = {
        "context": None,
        "note": None,
        "sender": vault.settings.response_sender,
        "contact": vault.settings.response_contact,
    }
    return _unlisted(render("recipient_gone.html", context, HTTPStatus.NOT_FOUND))


def _read(request: Request, response: Response) -> Response:
    """Return a response, for a HEAD request without the body."""
    if request.method != HEAD:
        return response
    return Response(status_code=response.status_code, headers=dict(response.headers))


def _unlisted(response: Response) -> Response:
    response.headers.update(UNLISTED)
    return response
