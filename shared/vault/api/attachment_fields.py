"""Serves the files of attachment fields: of one field of a record, or of all its fields."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.vault.api import response_envelope as envelope
from shared.vault.api.attachments import OneRecord
from shared.vault.api.file_body import (
    RangeHeader,
    archive_response,
    file_response,
    span_of,
    upload_form,
)
from shared.vault.api.openapi.request_bodies import FILE_FORM
from shared.vault.api.request_context import PREFIX, base_path, vault_of
from shared.vault.api.response_envelope import by_id
from shared.vault.attachments.attachment_archive import ArchivedFile, zipped

router = APIRouter(
    prefix=f"{PREFIX}/vobjects/{{object_name}}/{{record_id}}/attachment_fields",
    tags=["Attachments"],
)


@router.get("/file", summary="Download the files of all attachment fields")
async def all_files(
    request: Request,
    owner: OneRecord,
) -> Response:
    """Returns a zip archive with a folder for each field that has a file."""
    service = vault_of(request).attachment_fields
    name, found = await service.all(owner)
    # A generator: each file is opened when the archive comes to it.
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
    owner: OneRecord,
    field_name: str,
    wanted: RangeHeader = None,
) -> Response:
    """Returns the file, or the part of it that `Range` names."""
    service = vault_of(request).attachment_fields
    found = await service.one(owner, field_name)
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
    owner: OneRecord,
    field_name: str,
) -> Response:
    """Stores a file of up to 100 MB in the field, in place of the previous one.

    To empty the field, update the record.
    """
    service = vault_of(request).attachment_fields
    # Before the file is read: who may not set the field need not send 100 MB to learn it.
    await service.require_record(owner, field_name)
    async with upload_form(request, service.max_file) as form:
        name = form.sent_name()
        results = await service.put(owner, field_name, name, form.content())
    records = f"{base_path(request)}/vobjects/{owner.object_name}"
    return envelope.batch(by_id(results), records)
