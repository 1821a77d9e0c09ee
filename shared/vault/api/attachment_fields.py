"""Attachment fields: the file that a field of a record holds, or those of all its fields."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.api.file_body import (
    archive_response,
    file_response,
    span_of,
    upload_form,
)
from shared.vault.api.openapi.request_bodies import FILE_FORM
from shared.vault.api.request_context import PREFIX, SignedIn, base_path, vault_of
from shared.vault.api.response_envelope import by_id
from shared.vault.attachments.attachment_archive import ArchivedFile, zipped
from shared.vault.attachments.attachment_service import Of
from shared.vault.errors import VaultFault

router = APIRouter(
    prefix=f"{PREFIX}/vobjects/{{object_name}}/{{record_id}}/attachment_fields",
    tags=["Attachments"],
)


@router.get("/file", summary="Download the files of all attachment fields")
async def all_files(
    request: Request, caller: SignedIn, object_name: str, record_id: str
) -> Response:
    """A zip archive with a folder for each field that holds a file."""
    service = vault_of(request).attachment_fields
    name, found = await service.all(Of(caller, object_name, record_id))
    files = (
        ArchivedFile(
            f"{field}/{file.filename}", file.last_stored, service.bytes_of(file)
        )
        for field, file in found.items()
    )
    return archive_response(zipped(files), name)


@router.get("/{field_name}/file", summary="Download the file of an attachment field")
async def file(
    request: Request,
    caller: SignedIn,
    object_name: str,
    record_id: str,
    field_name: str,
    wanted: Annotated[str | None, Header(alias="Range")] = None,
) -> Response:
    """The file, or the `Range` of it."""
    service = vault_of(request).attachment_fields
    found = await service.one(Of(caller, object_name, record_id), field_name)
    span = span_of(wanted, found.content.size)
    content = service.bytes_of(found, span.start, span.length)
    return file_response(
        content, found.filename, found.content.size, span, media=found.format
    )


@router.post(
    "/{field_name}/file",
    summary="Set the file of an attachment field",
    openapi_extra=FILE_FORM,
)
async def put(
    request: Request,
    caller: SignedIn,
    object_name: str,
    record_id: str,
    field_name: str,
) -> Response:
    """A file of up to 100 MB, in place of the one before; an update of the record empties the field."""
    service, of = (
        vault_of(request).attachment_fields,
        Of(caller, object_name, record_id),
    )
    await service.require_record(of, field_name)
    async with upload_form(request, service.max_file) as form:
        if form.file is None:
            raise VaultFault(
                ErrorType.PARAMETER_REQUIRED, "Missing required parameter [file]"
            )
        results = await service.put(
            of, field_name, form.file.filename or "", form.content()
        )
    return envelope.batch(
        by_id(results), f"{base_path(request)}/vobjects/{object_name}"
    )
