"""Serves the lists of deletions: records, documents, and the attachments of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from shared.protocol.json_values import date_time_text
from shared.vault.api import response_envelope as envelope
from shared.vault.api.jobs import When
from shared.vault.api.paging import Offset
from shared.vault.api.request_context import (
    PREFIX,
    SignedIn,
    parse_moment,
    vault_of,
)
from shared.vault.records.deletions import DOCUMENTS, Deletion, DeletionPage, Span

router = APIRouter(prefix=PREFIX, tags=["Object records"])

# Vault API reference, Retrieve Deleted Object Record IDs. A page of no entries has the total.
MAX_LIMIT = 5000
DEFAULT_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class DeletionsRequest:
    """The parameters of a list of deletions: dates as sent, and the page."""

    start_date: str | None
    end_date: str | None
    limit: int
    offset: int

    @property
    def span(self) -> Span:
        """Return the requested part of the list.

        :raises VaultFault: INVALID_DATA when a date is malformed.
        """
        start = parse_moment("start_date", self.start_date)
        end = parse_moment("end_date", self.end_date)
        return Span(start, end, self.limit, self.offset)

    def details(self, request: Request, page: DeletionPage) -> dict[str, object]:
        """Return the position of the page in the list, with the addresses of the next and previous page."""
        limit, offset = self.limit, self.offset
        size = len(page.deletions)
        details: dict[str, object] = {
            "total": page.total,
            "size": size,
            "limit": limit,
            "offset": offset,
        }
        dates = (("start_date", self.start_date), ("end_date", self.end_date))
        period = "".join(f"{name}={value}&" for name, value in dates if value)
        # Each page has the dates of the first, so that all are pages of one list.
        listed = f"{request.url.path}?{period}limit={limit}&offset="
        # Nothing would ever follow pages of no entries.
        if limit and offset + size < page.total:
            details["next_page"] = f"{listed}{offset + limit}"
        if offset > 0:
            details["previous_page"] = f"{listed}{max(0, offset - limit)}"
        return details


def _deletions_request(
    start_date: When = None,
    end_date: When = None,
    limit: Annotated[int, Query(ge=0, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    offset: Offset = 0,
) -> DeletionsRequest:
    """Return the parameters of a call that lists deletions."""
    return DeletionsRequest(start_date, end_date, limit, offset)


# Parameters that several calls take are declared once, as a dependency.
DeletionsQuery = Annotated[DeletionsRequest, Depends(_deletions_request)]


@router.get("/objects/deletions/vobjects/{object_name}", summary="Deleted records")
async def deletions(
    request: Request,
    caller: SignedIn,
    object_name: str,
    wanted: DeletionsQuery,
) -> Response:
    """Lists records that were deleted in the last 30 days with their dates, the earliest first."""
    page = await vault_of(request).deletions.page(caller, object_name, wanted.span)
    data = [
        {"id": gone.record_id, "date_deleted": date_time_text(gone.date_deleted)}
        for gone in page.deletions
    ]
    return envelope.success(responseDetails=wanted.details(request, page), data=data)


@router.get(
    "/objects/deletions/vobjects/{object_name}/attachments",
    summary="Deleted attachments",
)
async def attachment_deletions(
    request: Request,
    caller: SignedIn,
    object_name: str,
    wanted: DeletionsQuery,
) -> Response:
    """Lists attachments and versions that were deleted in the last 30 days, the earliest first.

    `version` is empty when an attachment was deleted with all its versions.
    """
    page = await vault_of(request).deletions.page(
        caller, object_name, wanted.span, attachments=True
    )
    data = [
        _deleted_attachment(gone) | {"record_id": gone.record_id}
        for gone in page.deletions
    ]
    return envelope.success(responseDetails=wanted.details(request, page), data=data)


@router.get("/objects/deletions/documents", summary="Deleted documents and versions")
async def deleted_documents(
    request: Request,
    caller: SignedIn,
    wanted: DeletionsQuery,
) -> Response:
    """Lists documents and versions that were deleted in the last 30 days, the earliest first.

    `deletion_type` is `document_version__sys`, or `document__sys`, which has no version numbers.
    """
    vault = vault_of(request)
    # Deletions of documents stand in the same table under a name that no object can have.
    page = await vault.deletions.page(caller, DOCUMENTS, wanted.span)
    data = [_deleted_document(vault.vault_id, gone) for gone in page.deletions]
    return envelope.success(responseDetails=wanted.details(request, page), data=data)


@router.get(
    "/objects/deletions/documents/attachments",
    summary="Deleted attachments of documents",
)
async def deleted_document_attachments(
    request: Request,
    caller: SignedIn,
    wanted: DeletionsQuery,
) -> Response:
    """Lists attachments of documents, and versions of them, that were deleted in the last 30 days, the earliest first.

    `version` is empty when an attachment was deleted with all its versions.
    """
    vault = vault_of(request)
    page = await vault.deletions.page(caller, DOCUMENTS, wanted.span, attachments=True)
    data = [
        _deleted_attachment(gone)
        | {
            "global_id__sys": f"{vault.vault_id}_{gone.record_id}",
            "global_version_id__sys": None,
        }
        for gone in page.deletions
    ]
    return envelope.success(responseDetails=wanted.details(request, page), data=data)


def _deleted_attachment(gone: Deletion) -> dict[str, object]:
    """Return a deleted attachment, or one deleted version of it, as an entry of the list."""
    one_version = gone.version is not None
    return {
        "id": gone.attachment_id,
        "version": gone.version if one_version else "",
        "external_id__v": gone.external_id,
        "date_deleted": date_time_text(gone.date_deleted),
        "deletion_type": "attachment_version__sys"
        if one_version
        else "attachment__sys",
    }


def _deleted_document(vault_id: int, gone: Deletion) -> dict[str, object]:
    """Return a deleted document or version as an entry of the list."""
    # Stored as `{document}` or `{document}_{major}_{minor}`.
    document_id, *number = gone.record_id.split("_")
    major, minor = map(int, number) if number else ("", "")
    return {
        "id": int(document_id),
        "major_version_number__v": major,
        "minor_version_number__v": minor,
        "date_deleted": date_time_text(gone.date_deleted),
        "global_id__sys": f"{vault_id}_{document_id}",
        "global_version_id__sys": f"{vault_id}_{gone.record_id}" if number else None,
        "external_id__v": gone.external_id,
        "deletion_type": "document_version__sys" if number else "document__sys",
    }
