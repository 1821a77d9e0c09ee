"""Serves the call that issues access tokens for documents; a page shows the documents to any bearer."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.protocol.whole_numbers import whole_number
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import EditsDocuments
from shared.vault.api.body import read_fields, required
from shared.vault.api.documents import MAX_ID
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.request_context import PREFIX, vault_of
from shared.vault.documents.document_tokens import (
    MAX_DAYS,
    DownloadOption,
    TokenRequest,
    TokenResult,
)
from shared.vault.errors import VaultFault
from shared.vault.records.rows import MAX_ROWS

router = APIRouter(prefix=f"{PREFIX}/objects/documents", tags=["Documents"])

IDS, DAYS, DOWNLOAD = "docIds", "expiryDateOffset", "downloadOption"
CHANNEL, GROUP, STEADY = "channel", "tokenGroup", "steadyState"
MAX_CHANNEL, MAX_GROUP = 100, 255  # characters
FORM = form_documentation(
    {
        IDS: "Ids of documents, separated by commas; up to 500",
        DAYS: "Days after which the tokens expire, at most 3,650, which is the default",
        DOWNLOAD: "`PDF`, `source`, `both` or `none`, which is the default",
        CHANNEL: "Id of the website on which the documents are shown",
        GROUP: "Letters, digits and underscores: documents of one group are shown together",
        STEADY: "`true`: of the latest versions in a steady state",
    }
)


@router.post("/tokens", summary="Issue document tokens", openapi_extra=FORM)
async def create(request: Request, caller: EditsDocuments) -> Response:
    """Issues an access token for each document, by which a person who is no user can view it until the token expires.

    The page is `/ui/approved_viewer?token=…`. A token is for the version that is the latest, or the latest steady one,
    when it is issued.
    """
    wanted = _request(await read_fields(request))
    results = await vault_of(request).document_tokens.create(caller, wanted)
    return envelope.success(tokens=[_json(result) for result in results])


def document_ids(fields: Mapping[str, str]) -> list[int]:
    """Return the ids that a form names in ``docIds``.

    :raises VaultFault: PARAMETER_REQUIRED when it names none; INVALID_DATA when a value is not an id, or they are too
        many.
    """
    (text,) = required(fields, IDS)
    parts = text.split(",")
    ids = [whole_number(part.strip(), MAX_ID) for part in parts[: MAX_ROWS + 1]]
    found = [each for each in ids if each is not None]
    if len(found) != len(parts) or len(parts) > MAX_ROWS:
        message = f"[{IDS}] has at most {MAX_ROWS} ids, separated by commas"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return found


def _request(fields: Mapping[str, str]) -> TokenRequest:
    """Return the request in a form.

    :raises VaultFault: PARAMETER_REQUIRED when it names no document; INVALID_DATA when a value is not valid.
    """
    days = whole_number(fields.get(DAYS) or str(MAX_DAYS), MAX_DAYS)
    download = fields.get(DOWNLOAD) or DownloadOption.NONE
    channel, group = fields.get(CHANNEL, ""), fields.get(GROUP, "")
    words = group.replace("_", "")
    sound = {
        DAYS: bool(days),
        DOWNLOAD: download in set(DownloadOption),
        CHANNEL: len(channel) <= MAX_CHANNEL and channel.isprintable(),
        GROUP: len(group) <= MAX_GROUP
        and "__" not in group
        and (not group or (words.isascii() and words.isalnum())),
    }
    for name, fits in sound.items():
        if not fits:
            message = f"Invalid value for parameter [{name}]"
            raise VaultFault(ErrorType.INVALID_DATA, message)
    return TokenRequest(
        document_ids=document_ids(fields),
        days=days or MAX_DAYS,
        download=DownloadOption(download),
        channel=channel or None,
        group=group or None,
        steady=fields.get(STEADY, "").lower() == "true",
    )


def _json(result: TokenResult) -> dict[str, object]:
    """Return a document's token, or the error."""
    if result.error is None:
        return {"document_id__v": result.document_id, "token__v": result.token}
    return {
        "document_id__v": result.document_id,
        "errorType": ErrorType.OPERATION_NOT_ALLOWED,
        "errors": envelope.errors_json([result.error]),
    }
