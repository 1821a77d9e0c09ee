"""Serves locks of documents, by which a user checks a document out."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.protocol.json_values import date_time_text
from shared.vault.access.permissions import Operation
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import EditsDocuments
from shared.vault.api.documents import DocumentId
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of

router = APIRouter(prefix=PREFIX, tags=["Documents"])

METADATA = "/metadata/objects/documents/lock"
LOCK = "/objects/documents/{document_id}/lock"

# The members that every field of a lock has: the Vault sets both when a document is checked out.
_MADE = {
    "scope": "Lock",
    "required": True,
    "systemAttribute": True,
    "editable": False,
    "setOnCreateOnly": False,
    "disabled": False,
    "hidden": False,
}
PROPERTIES: tuple[dict[str, object], ...] = (
    {
        "name": "locked_by__v",
        "label": "Locked By",
        "type": "ObjectReference",
        "objectType": "User",
        **_MADE,
    },
    {
        "name": "locked_date__v",
        "label": "Locked Date",
        "type": "DateTime",
        "objectType": "DateTime",
        **_MADE,
    },
)


@router.get(METADATA, summary="Fields of a lock")
async def metadata(request: Request, caller: SignedIn) -> Response:
    """Lists the fields of a document's lock: who has checked the document out, and since when."""
    vault_of(request).documents.model(caller, Operation.READ)
    return envelope.success(name="lock", properties=PROPERTIES)


@router.post(LOCK, summary="Check a document out")
async def lock(
    request: Request, caller: EditsDocuments, document_id: DocumentId
) -> Response:
    """Checks a document out: until the lock ends, no other user can create versions of it or delete it.

    The lock ends when its user creates a version with a file.
    """
    await vault_of(request).document_locks.lock(caller, document_id)
    return envelope.success(responseMessage="Document successfully checked out.")


@router.get(LOCK, summary="The lock of a document")
async def one(request: Request, caller: SignedIn, document_id: DocumentId) -> Response:
    """Returns the user who has checked the document out, and since when; an empty lock when it is not checked out."""
    found = await vault_of(request).document_locks.one(caller, document_id)
    members: dict[str, object] = {}
    if found is not None:
        members["locked_by__v"] = found.user_id
        members["locked_date__v"] = date_time_text(found.date)
    return envelope.success(lock=members)


@router.delete(LOCK, summary="Undo a check-out")
async def unlock(
    request: Request, caller: EditsDocuments, document_id: DocumentId
) -> Response:
    """Ends the lock of a document without a new version.

    For the user who has checked it out, the one who created the document, and those who may delete it.
    """
    await vault_of(request).document_locks.unlock(caller, document_id)
    return envelope.success(responseMessage="Undo check out successful.")
