"""File staging: items of the staging area, their content, and uploads in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from shared.protocol.date_times import date_time_text
from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.api.body import read_fields
from shared.vault.api.file_body import (
    bounded_stream,
    file_response,
    span_of,
    upload_form,
)
from shared.vault.api.jobs import job_url
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.request_context import (
    PREFIX,
    SignedIn,
    base_path,
    origin,
    vault_of,
)
from shared.vault.errors import VaultFault
from shared.vault.files.file_store import given_md5
from shared.vault.staging.staging_service import MAX_UPLOAD
from shared.vault.staging.uploads import MAX_PART, UploadedPart, UploadSession

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.files.file_store import Item
    from shared.vault.files.paths import StagingArea

router = APIRouter(prefix=f"{PREFIX}/services/file_staging", tags=["File staging"])

PAGE = 1000

Limit = Annotated[int, Query(ge=1, le=PAGE)]
Md5 = Annotated[str | None, Header(alias="Content-MD5")]
Recursive = Annotated[
    bool, Query(description="Whether what is in subfolders counts as well.")
]

FILE_FORM = {
    "requestBody": {
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["path", "kind"],
                    "properties": {
                        "path": {"type": "string"},
                        "kind": {"type": "string", "enum": ["file", "folder"]},
                        "overwrite": {"type": "boolean"},
                        "file": {"type": "string", "format": "binary"},
                    },
                }
            }
        }
    }
}
OCTETS = {
    "requestBody": {
        "content": {
            "application/octet-stream": {
                "schema": {"type": "string", "format": "binary"}
            }
        }
    }
}


@router.get("/items/content/{item:path}", summary="Download a file")
async def content(
    request: Request,
    caller: SignedIn,
    item: str,
    wanted: Annotated[str | None, Header(alias="Range")] = None,
) -> Response:
    """The content of a file, or the `Range` of it."""
    staging = vault_of(request).staging
    file = await staging.file(caller, item)
    span = span_of(wanted, file.size)
    return file_response(
        staging.content(file, span.start, span.length), file.name, file.size, span
    )


@router.get("/items", summary="List the items of the root", name="root_items")
@router.get("/items/{item:path}", summary="List the items of a folder")
async def items(
    request: Request,
    caller: SignedIn,
    item: str = "",
    recursive: Recursive = False,
    limit: Limit = PAGE,
    cursor: str | None = None,
    format_result: str | None = None,
) -> Response:
    """Files and folders, in the order of their names."""
    if format_result is not None:
        raise VaultFault(
            ErrorType.ATTRIBUTE_NOT_SUPPORTED,
            "Parameter [format_result] is not supported",
        )
    staging = vault_of(request).staging
    found, following = await staging.list(
        caller, item, recursive=recursive, limit=limit, cursor=cursor
    )
    area = staging.area(caller)
    members: dict[str, object] = {}
    if following is not None:
        kept = {
            "cursor": following,
            "limit": limit,
            "recursive": str(recursive).lower(),
        }
        members["responseDetails"] = {
            "next_page": f"{origin(request)}{request.url.path}?{urlencode(kept)}"
        }
    return envelope.success(**members, data=[_item_json(area, each) for each in found])


@router.post("/items", summary="Create a folder or file", openapi_extra=FILE_FORM)
async def create(
    request: Request, caller: SignedIn, content_md5: Md5 = None
) -> Response:
    """A file of up to 50 MB, or a folder; larger files are uploaded in parts."""
    staging = vault_of(request).staging
    area = staging.area(caller)
    async with upload_form(request, MAX_UPLOAD) as form:
        kind, path = form.fields.get("kind", "").lower(), form.fields.get("path", "")
        if kind == "folder":
            key = await staging.create_folder(caller, path)
            name = key.rpartition("/")[2]
            return envelope.success(
                data={"kind": "folder", "path": f"{area.path(key)}/", "name": name}
            )
        if kind != "file":
            raise VaultFault(
                ErrorType.INVALID_DATA, "Parameter [kind] is file or folder"
            )
        if form.file is None:
            raise VaultFault(
                ErrorType.PARAMETER_REQUIRED, "Missing required parameter [file]"
            )
        overwrite = _flag(form.fields, "overwrite")
        md5 = given_md5(content_md5)
        stored = await staging.create_file(
            caller, path, form.content(), overwrite=overwrite, md5=md5
        )
    data = {
        "kind": "file",
        "path": area.path(stored.key),
        "name": stored.key.rpartition("/")[2],
    }
    return envelope.success(
        data={**data, "size": stored.size, "file_content_md5": stored.md5}
    )


ITEM_FORM = form_documentation(
    {"parent": "The folder to move the item to", "name": "Its new name"}
)


@router.put(
    "/items/{item:path}", summary="Move or rename an item", openapi_extra=ITEM_FORM
)
async def update(request: Request, caller: SignedIn, item: str) -> Response:
    """Starts a job."""
    fields = await read_fields(request)
    staging = vault_of(request).staging
    job_id = await staging.move(caller, item, fields.get("parent"), fields.get("name"))
    return envelope.success(data={"job_id": job_id, "url": job_url(request, job_id)})


@router.delete("/items/{item:path}", summary="Delete an item")
async def delete(
    request: Request, caller: SignedIn, item: str, recursive: Recursive = False
) -> Response:
    """Starts a job; a folder that is not empty is deleted with `recursive` only."""
    job_id = await vault_of(request).staging.delete(caller, item, recursive=recursive)
    return envelope.success(data={"job_id": job_id, "url": job_url(request, job_id)})


UPLOAD_FORM = form_documentation(
    {"path": "Where the file goes", "size": "Its bytes", "overwrite": "true or false"}
)


@router.post("/upload", summary="Open an upload session", openapi_extra=UPLOAD_FORM)
async def open_upload(request: Request, caller: SignedIn) -> Response:
    """For a file that comes in parts of up to 50 MB; open for 72 hours."""
    vault = vault_of(request)
    vault.staging.area(caller)
    fields = await read_fields(request)
    path, size = fields.get("path", ""), fields.get("size", "")
    for name, value in (("path", path), ("size", size)):
        if not value:
            raise VaultFault(
                ErrorType.PARAMETER_REQUIRED, f"Missing required parameter [{name}]"
            )
    if not size.isascii() or not size.isdigit() or len(size) > len(str(2**62)):
        raise VaultFault(ErrorType.INVALID_DATA, "Invalid value for parameter [size]")
    session = await vault.uploads.create(
        caller, path, int(size), overwrite=_flag(fields, "overwrite")
    )
    return envelope.success(data=_session_json(request, caller, session))


@router.get("/upload", summary="Open upload sessions")
async def uploads(request: Request, caller: SignedIn) -> Response:
    """One's own; all of them for an administrator."""
    sessions = await vault_of(request).uploads.sessions(caller)
    return envelope.success(
        data=[_session_json(request, caller, session) for session in sessions]
    )


@router.get("/upload/{upload_session_id}", summary="An upload session")
async def upload(
    request: Request, caller: SignedIn, upload_session_id: str
) -> Response:
    """How much of the file has come."""
    session = await vault_of(request).uploads.session(caller, upload_session_id)
    return envelope.success(data=_session_json(request, caller, session))


@router.get("/upload/{upload_session_id}/parts", summary="The parts of an upload")
async def parts(
    request: Request,
    caller: SignedIn,
    upload_session_id: str,
    limit: Limit = PAGE,
    cursor: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """In the order of their numbers."""
    found = await vault_of(request).uploads.parts(caller, upload_session_id)
    members: dict[str, object] = {}
    if len(found) > cursor + limit:
        kept = urlencode({"cursor": cursor + limit, "limit": limit})
        url = f"{origin(request)}{base_path(request)}/services/file_staging/upload/{upload_session_id}/parts"
        members["responseDetails"] = {"next_page": f"{url}?{kept}"}
    return envelope.success(
        **members, data=[_part_json(part) for part in found[cursor : cursor + limit]]
    )


@router.put(
    "/upload/{upload_session_id}", summary="Upload a part", openapi_extra=OCTETS
)
async def put_part(
    request: Request,
    caller: SignedIn,
    upload_session_id: str,
    number: Annotated[int, Header(alias="X-VaultAPI-FilePartNumber")],
    content_md5: Md5 = None,
) -> Response:
    """Parts are sent in the order of their numbers, from 1 on; one that is sent again replaces the first."""
    stream = bounded_stream(request, MAX_PART)
    sessions = vault_of(request).uploads
    part = await sessions.put_part(
        caller, upload_session_id, number, stream, given_md5(content_md5)
    )
    return envelope.success(data=_part_json(part))


@router.post("/upload/{upload_session_id}", summary="Commit an upload session")
async def commit(
    request: Request, caller: SignedIn, upload_session_id: str
) -> Response:
    """Starts a job that puts the parts together; the file is there when it has ended."""
    job_id = await vault_of(request).uploads.commit(caller, upload_session_id)
    return envelope.success(data={"job_id": job_id, "url": job_url(request, job_id)})


@router.delete("/upload/{upload_session_id}", summary="Abort an upload session")
async def abort(request: Request, caller: SignedIn, upload_session_id: str) -> Response:
    """Removes the parts."""
    await vault_of(request).uploads.abort(caller, upload_session_id)
    return envelope.success()


def _flag(fields: dict[str, str], name: str) -> bool:
    return fields.get(name, "").strip().lower() == "true"


def _item_json(area: StagingArea, item: Item) -> dict[str, object]:
    shown: dict[str, object] = {"kind": "folder" if item.is_folder else "file"}
    shown |= {"path": area.path(item.key), "name": item.name}
    if not item.is_folder:
        shown |= {"size": item.size, "modified_date": date_time_text(item.modified)}
    return shown


def _session_json(
    request: Request, caller: Caller, session: UploadSession
) -> dict[str, object]:
    area = vault_of(request).staging.area(caller)
    return {
        "path": area.path(session.key),
        "name": session.key.rpartition("/")[2],
        "id": session.id,
        "expiration_date": date_time_text(session.expiration_date),
        "created_date": date_time_text(session.created_date),
        "last_uploaded_date": date_time_text(session.last_uploaded_date),
        "owner": session.owner,
        "uploaded_parts": session.uploaded_parts,
        "size": session.size,
        "uploaded": session.uploaded,
        "overwrite": session.overwrite,
    }


def _part_json(part: UploadedPart) -> dict[str, object]:
    return {
        "size": part.size,
        "part_number": part.part_number,
        "part_content_md5": part.md5,
    }
