"""Serves attachments, the files of records: one by one, or up to 500 in a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from shared.protocol.json_values import date_time_text
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import ChangesAttachments
from shared.vault.api.body import missing, read_fields, read_rows
from shared.vault.api.file_body import (
    RangeHeader,
    archive_response,
    file_response,
    span_of,
    upload_form,
)
from shared.vault.api.openapi.request_bodies import (
    ROWS_DOCUMENTATION,
    form_documentation,
    multipart_documentation,
)
from shared.vault.api.records import IdParam
from shared.vault.api.request_context import PREFIX, SignedIn, base_path, vault_of
from shared.vault.api.response_envelope import Status
from shared.vault.attachments.attachment_archive import ArchivedFile, zipped
from shared.vault.attachments.attachment_rows import MAX_ID, BatchRow
from shared.vault.attachments.attachment_service import (
    Added,
    AttachmentService,
    FileOwner,
)
from shared.vault.files.attachment_model import Attachment, Version
from shared.vault.model.field_types import DOCUMENTS

router = APIRouter(prefix=f"{PREFIX}/vobjects", tags=["Attachments"])

# Paths of the documented calls, each the head of the next.
RECORD = "/{object_name}/{record_id}/attachments"
ONE = f"{RECORD}/{{attachment_id}}"
VERSION = f"{ONE}/versions/{{attachment_version}}"
BATCH = "/{object_name}/attachments/batch"

SAME_BYTES = "A file with this content is attached already - nothing added"

# Ids beyond PostgreSQL's integer are refused here; the database would refuse them with an error of its own.
AttachmentId = Annotated[int, Path(ge=1, le=MAX_ID)]
AttachmentVersion = Annotated[int, Path(ge=1, le=MAX_ID)]


@dataclass(frozen=True, slots=True)
class AttachedTo:
    """The record or document of a call about attachments: its attachment service, and its address."""

    service: AttachmentService
    owner: FileOwner
    url: str


def record_of(caller: SignedIn, object_name: str, record_id: str) -> FileOwner:
    """Return the caller, and the record of the path."""
    return FileOwner(caller, object_name, record_id)


OneRecord = Annotated[FileOwner, Depends(record_of)]


def attached_to(request: Request, owner: OneRecord) -> AttachedTo:
    """Return the record of the path; its address is relative to the host, as all urls of records are."""
    url = f"{base_path(request)}/vobjects/{owner.object_name}/{owner.record_id}"
    return AttachedTo(vault_of(request).attachments, owner, url)


Target = Annotated[AttachedTo, Depends(attached_to)]

DESCRIBED_FILE_FORM = multipart_documentation(
    {"description__v": {"type": "string", "maxLength": 1000}}
)
DESCRIPTION_FORM = form_documentation(
    {"description__v": "The new description, up to 1,000 characters"}
)


@router.get(RECORD, summary="Attachments of a record")
async def attachments(
    to: Target,
) -> Response:
    """Lists the attachments with their latest versions, the oldest attachment first."""
    found = await to.service.all(to.owner)
    listed = [_attachment_json(to, each) for each in found]
    return envelope.success(data=listed)


@router.post(RECORD, summary="Attach a file", openapi_extra=DESCRIBED_FILE_FORM)
async def create(
    request: Request,
    to: Target,
) -> Response:
    """Attaches a file of up to 4 GB; a file with the name of an existing attachment becomes its new version."""
    service = to.service
    # Before the file is read: who may not attach it need not send 4 GB to learn it.
    await service.require_record(to.owner)
    async with upload_form(request, service.max_file) as form:
        name = form.sent_name()
        fields = form.fields
        description = fields.get("description__v") or fields.get("description")
        added = await service.add(to.owner, name, form.content(), description)
        data = _added_json(added)
        # The public API answers with a list here for records, and with an object for documents.
        of_document = to.owner.object_name == DOCUMENTS
        return _added(added, data if of_document else [data])


@router.get(f"{RECORD}/file", summary="Download all attachments of a record")
async def all_files(
    to: Target,
) -> Response:
    """Returns a zip archive with the latest version of each attachment."""
    service = to.service
    name = await service.archive_name(to.owner)
    found = await service.all(to.owner)
    # A generator: each file is opened when the archive comes to it.
    files = (
        ArchivedFile(a.filename, a.latest.created_date, service.bytes_of(a.latest))
        for a in found
    )
    return archive_response(zipped(files), name)


@router.get(ONE, summary="An attachment")
async def one(
    to: Target,
    attachment_id: AttachmentId,
) -> Response:
    """Returns the latest version of an attachment, and the addresses of all its versions."""
    found = await to.service.one(to.owner, attachment_id)
    return envelope.success(data=[_attachment_json(to, found)])


@router.put(ONE, summary="Describe an attachment", openapi_extra=DESCRIPTION_FORM)
async def describe(
    request: Request,
    to: Target,
    attachment_id: AttachmentId,
) -> Response:
    """Changes the description of the latest version; an empty description removes it."""
    service = to.service
    # Before the form is read, as with files.
    await service.require_record(to.owner)
    fields = await read_fields(request)
    # Not `required`, which would refuse an empty text.
    if "description__v" not in fields:
        raise missing("description__v")
    await service.describe(to.owner, attachment_id, fields["description__v"])
    return envelope.success()


@router.delete(ONE, summary="Delete an attachment")
async def delete(
    to: Target,
    attachment_id: AttachmentId,
) -> Response:
    """Deletes an attachment with all its versions."""
    await to.service.delete(to.owner, attachment_id)
    return envelope.success()


@router.get(f"{ONE}/file", summary="Download an attachment")
async def file(
    to: Target,
    attachment_id: AttachmentId,
    wanted: RangeHeader = None,
) -> Response:
    """Returns the file of the latest version, or the part of it that `Range` names."""
    found = await to.service.one(to.owner, attachment_id)
    return _file(to, found, found.latest, wanted)


@router.get(f"{ONE}/versions", summary="Versions of an attachment")
async def versions(
    to: Target,
    attachment_id: AttachmentId,
) -> Response:
    """Lists the numbers and addresses of the versions, the earliest first."""
    found = await to.service.one(to.owner, attachment_id)
    return envelope.success(data=_versions_json(to, found))


@router.get(VERSION, summary="A version of an attachment")
async def version(
    to: Target,
    attachment_id: AttachmentId,
    attachment_version: AttachmentVersion,
) -> Response:
    """Returns name, size, checksum and description of one version."""
    found = await to.service.one(to.owner, attachment_id)
    return envelope.success(
        data=[_version_json(found, found.version(attachment_version))]
    )


@router.post(VERSION, summary="Restore a version of an attachment")
async def restore(
    to: Target,
    attachment_id: AttachmentId,
    attachment_version: AttachmentVersion,
    *,
    # Required by the documented call, which restores by this parameter alone.
    restore: Annotated[bool, Query(description="Must be `true`.")] = False,
) -> Response:
    """Makes a version the latest one: adds a new version with its file and description."""
    service = to.service
    await service.require_record(to.owner)
    if not restore:
        raise missing("restore")
    added = await service.restore(to.owner, attachment_id, attachment_version)
    return _added(added, _added_json(added))


@router.delete(VERSION, summary="Delete a version of an attachment")
async def delete_version(
    to: Target,
    attachment_id: AttachmentId,
    attachment_version: AttachmentVersion,
) -> Response:
    """Deletes a version, and with the last version the attachment; numbers of versions are not used again."""
    await to.service.delete_version(to.owner, attachment_id, attachment_version)
    return envelope.success()


@router.get(f"{VERSION}/file", summary="Download a version of an attachment")
async def version_file(
    to: Target,
    attachment_id: AttachmentId,
    attachment_version: AttachmentVersion,
    wanted: RangeHeader = None,
) -> Response:
    """Returns the file of a version, or the part of it that `Range` names."""
    found = await to.service.one(to.owner, attachment_id)
    return _file(to, found, found.version(attachment_version), wanted)


@router.post(BATCH, summary="Attach files to records", openapi_extra=ROWS_DOCUMENTATION)
async def create_many(
    request: Request,
    caller: ChangesAttachments,
    object_name: str,
    id_param: IdParam = None,
) -> Response:
    """Attaches files of the staging area, of up to 100 MB each.

    Rows have `id` (or the `idParam` field), `filename__v` and `file`, the path on the staging area; they may have
    `description__v` and `external_id__v`.
    """
    sent = await read_rows(request)
    results = await vault_of(request).attachment_batches.create(
        caller, object_name, sent.rows, id_param
    )
    return attachment_results(results)


@router.put(
    BATCH, summary="Describe attachments of records", openapi_extra=ROWS_DOCUMENTATION
)
async def describe_many(
    request: Request,
    caller: ChangesAttachments,
    object_name: str,
    id_param: IdParam = None,
) -> Response:
    """Changes descriptions: rows have `description__v`, and `id` with `attachment_id`.

    With `idParam=external_id__v`, rows have `external_id__v` instead of the two ids.
    """
    sent = await read_rows(request)
    results = await vault_of(request).attachment_batches.describe(
        caller, object_name, sent.rows, id_param
    )
    return attachment_results(results)


@router.delete(
    BATCH, summary="Delete attachments of records", openapi_extra=ROWS_DOCUMENTATION
)
async def delete_many(
    request: Request,
    caller: ChangesAttachments,
    object_name: str,
    id_param: IdParam = None,
) -> Response:
    """Deletes attachments with all their versions: rows have `id` and `attachment_id`.

    With `idParam=external_id__v`, rows have `external_id__v` instead of the two ids.
    """
    sent = await read_rows(request)
    results = await vault_of(request).attachment_batches.delete(
        caller, object_name, sent.rows, id_param
    )
    return attachment_results(results, deleted=True)


def _file(
    to: AttachedTo,
    attachment: Attachment,
    version: Version,
    wanted: str | None,
) -> Response:
    """Return the file of a version, or the part of it that the Range header ``wanted`` names."""
    size = version.content.size
    span = span_of(wanted, size)
    # Only the part asked for is read from the store.
    content = to.service.bytes_of(version, span.start, span.length)
    return file_response(
        content, attachment.filename, size, span, media=attachment.format
    )


def _added_json(added: Added) -> dict[str, object]:
    """Return the attached version as JSON; in these answers the public API has text for the id, elsewhere a number."""
    return {"id": str(added.id), "version__v": added.version}


def _added(added: Added, data: object) -> Response:
    """Return ``data``, with a warning when the record already has a file with these bytes."""
    if added.added:
        return envelope.success(data=data)
    return envelope.unchanged(SAME_BYTES, data)


def attachment_results(rows: Sequence[BatchRow], *, deleted: bool = False) -> Response:
    """Return the results of a call about many attachments, one entry for each row in input order.

    ``deleted`` attachments have no version to name.
    """
    results = [_row_json(row) for row in rows]
    if deleted:
        for result in results:
            result.pop("version", None)
    return envelope.success(data=results)


def _row_json(row: BatchRow) -> dict[str, object]:
    """Return the result of one row; the public API calls the version ``version`` here, not ``version__v``."""
    if row.errors:
        # A row that failed has no attachment to name.
        errors = envelope.errors_json(row.errors)
        return {"responseStatus": Status.FAILURE, "errors": errors}
    status = Status.WARNING if row.warned else Status.SUCCESS
    shown: dict[str, object] = {
        "responseStatus": status,
        "id": row.attachment_id,
        "version": row.version,
    }
    if row.warned:
        shown["warnings"] = envelope.no_changes(SAME_BYTES)
    return shown


def _attachment_json(to: AttachedTo, attachment: Attachment) -> dict[str, object]:
    """Return an attachment: its latest version, and the addresses of all its versions."""
    latest = _version_json(attachment, attachment.latest)
    versions = _versions_json(to, attachment)
    return {**latest, "versions": versions}


def _version_json(attachment: Attachment, version: Version) -> dict[str, object]:
    """Return a version of an attachment as JSON; id, name and external id are those of the attachment."""
    return {
        "id": attachment.id,
        "filename__v": attachment.filename,
        # Each version has its own description and file; name and external id are those of the attachment.
        "description__v": version.description,
        "external_id__v": attachment.external_id,
        "format__v": attachment.format,
        "size__v": version.content.size,
        "md5checksum__v": version.content.md5,
        "version__v": version.number,
        "created_by__v": version.created_by,
        "created_date__v": date_time_text(version.created_date),
    }


def _versions_json(to: AttachedTo, attachment: Attachment) -> list[dict[str, object]]:
    """Return the numbers and addresses of an attachment's versions."""
    url = f"{to.url}/attachments/{attachment.id}/versions"
    return [
        {"version__v": each.number, "url": f"{url}/{each.number}"}
        for each in attachment.versions
    ]
