"""Serves the staging area: its files and folders, their content, and uploads in parts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, assert_never
from urllib.parse import urlencode

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import date_time_text
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import UsesStaging
from shared.vault.api.body import missing, read_fields, required
from shared.vault.api.file_body import (
    RangeHeader,
    UploadForm,
    bounded_stream,
    file_response,
    span_of,
    upload_form,
)
from shared.vault.api.jobs import job_url
from shared.vault.api.openapi.request_bodies import (
    OCTETS_DOCUMENTATION,
    form_documentation,
    multipart_documentation,
)
from shared.vault.api.own_address import origin
from shared.vault.api.request_context import (
    PREFIX,
    SignedIn,
    vault_of,
)
from shared.vault.errors import VaultFault
from shared.vault.files.file_store import md5_of_header
from shared.vault.staging.staging_service import MAX_UPLOAD
from shared.vault.staging.uploads import MAX_PART, UploadedPart, UploadSession

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.files.file_store import Item, StoredFile
    from shared.vault.files.paths import StagingArea

router = APIRouter(prefix=f"{PREFIX}/services/file_staging", tags=["File staging"])

# The documented limit of a page, and its default.
PAGE = 1000

Limit = Annotated[int, Query(ge=1, le=PAGE)]
Md5 = Annotated[str | None, Header(alias="Content-MD5")]
Recursive = Annotated[
    bool, Query(description="`true` includes the items of subfolders.")
]

# No number that fits PostgreSQL's bigint has more digits.
SIZE = re.compile(r"[0-9]{1,19}")


class ItemKind(StrEnum):
    """Values of `kind`: the kind of an item of the staging area."""

    FILE = "file"
    FOLDER = "folder"


ITEM_FILE_FORM = multipart_documentation(
    {
        "path": {"type": "string"},
        "kind": {"type": "string", "enum": [str(each) for each in ItemKind]},
        "overwrite": {"type": "boolean"},
    },
    required=("path", "kind"),
)


@router.get("/items/content/{item:path}", summary="Download a file")
async def content(
    request: Request,
    caller: SignedIn,
    item: str,
    wanted: RangeHeader = None,
) -> Response:
    """Returns the content of a file, or the part of it that `Range` names."""
    staging = vault_of(request).staging
    file = await staging.file(caller, item)
    span = span_of(wanted, file.size)
    stream = staging.content(file, span.start, span.length)
    return file_response(stream, file.name, file.size, span)


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
    """Lists files and folders in the order of their names."""
    # Refused, not ignored: the client would take a list in JSON for the file that it asked for.
    if (format_result or "json").lower() != "json":
        raise VaultFault(
            ErrorType.ATTRIBUTE_NOT_SUPPORTED,
            "Parameter [format_result] takes json only",
        )
    staging = vault_of(request).staging
    found, following = await staging.list(
        caller, item, recursive=recursive, limit=limit, cursor=cursor
    )
    area = staging.area(caller)
    members: dict[str, object] = {}
    if following is not None:
        query = {
            "cursor": following,
            "limit": limit,
            "recursive": str(recursive).lower(),
        }
        next_page = f"{origin(request)}{request.url.path}?{urlencode(query)}"
        members["responseDetails"] = {"next_page": next_page}
    members["data"] = [_item_json(area, each) for each in found]
    return envelope.success(**members)


@router.post("/items", summary="Create a folder or file", openapi_extra=ITEM_FILE_FORM)
async def create(
    request: Request,
    caller: UsesStaging,
    content_md5: Md5 = None,
) -> Response:
    """Creates a folder, or a file of up to 50 MB; larger files are uploaded in parts."""
    # Its area decides whether the caller may use it at all: asked for before the file is read.
    area = vault_of(request).staging.area(caller)
    async with upload_form(request, MAX_UPLOAD) as form:
        kind = _kind(form.fields)
        match kind:
            case ItemKind.FOLDER:
                path = form.fields.get("path", "")
                key = await vault_of(request).staging.create_folder(caller, path)
                data = _named(ItemKind.FOLDER, f"{area.path(key)}/", key)
            case ItemKind.FILE:
                stored = await _new_file(request, caller, form, content_md5)
                data = _named(ItemKind.FILE, area.path(stored.key), stored.key)
                data["size"] = stored.size
                data["file_content_md5"] = stored.md5
            case _:
                assert_never(kind)
    return envelope.success(data=data)


def _kind(fields: Mapping[str, str]) -> ItemKind:
    """Return the kind of item in form field `kind`.

    :raises VaultFault: INVALID_DATA when it is neither a file nor a folder.
    """
    try:
        return ItemKind(fields.get("kind", "").lower())
    except ValueError as error:
        message = "Parameter [kind] is file or folder"
        raise VaultFault(ErrorType.INVALID_DATA, message) from error


async def _new_file(
    request: Request, caller: Caller, form: UploadForm, content_md5: str | None
) -> StoredFile:
    """Store the file of a form.

    :raises VaultFault: PARAMETER_REQUIRED when the form has no file; INVALID_DATA for a malformed MD5.
    """
    if form.file is None:
        raise missing("file")
    return await vault_of(request).staging.create_file(
        caller,
        form.fields.get("path", ""),
        form.content(),
        # Without it, a path that exists is refused.
        overwrite=_flag(form.fields, "overwrite"),
        md5=md5_of_header(content_md5),
    )


ITEM_FORM = form_documentation(
    {"parent": "The folder to move the item to", "name": "Its new name"}
)


@router.put(
    "/items/{item:path}", summary="Move or rename an item", openapi_extra=ITEM_FORM
)
async def update(
    request: Request,
    caller: UsesStaging,
    item: str,
) -> Response:
    """Starts a job that moves or renames a file or folder."""
    fields = await read_fields(request)
    parent = fields.get("parent")
    name = fields.get("name")
    job_id = await vault_of(request).staging.move(caller, item, parent, name)
    return _submitted(request, job_id)


@router.delete("/items/{item:path}", summary="Delete an item")
async def delete(
    request: Request,
    caller: SignedIn,
    item: str,
    recursive: Recursive = False,
) -> Response:
    """Starts a job that deletes a file or folder; `recursive` is needed for a folder with content."""
    job_id = await vault_of(request).staging.delete(caller, item, recursive=recursive)
    return _submitted(request, job_id)


UPLOAD_FORM = form_documentation(
    {
        "path": "Path that the file is to have",
        "size": "Size of the file in bytes",
        "overwrite": "true or false",
    }
)


@router.post("/upload", summary="Open an upload session", openapi_extra=UPLOAD_FORM)
async def open_upload(request: Request, caller: UsesStaging) -> Response:
    """Opens a session, for 72 hours, to upload a file in parts of up to 50 MB."""
    vault = vault_of(request)
    # Refuses callers who may not use the staging area.
    vault.staging.area(caller)
    fields = await read_fields(request)
    path, size = required(fields, "path", "size")
    if not SIZE.fullmatch(size):
        raise VaultFault(ErrorType.INVALID_DATA, "Invalid value for parameter [size]")
    session = await vault.uploads.create(
        caller, path, int(size), overwrite=_flag(fields, "overwrite")
    )
    return envelope.success(data=_session_json(request, caller, session))


@router.get("/upload", summary="Open upload sessions")
async def uploads(request: Request, caller: SignedIn) -> Response:
    """Lists the caller's open upload sessions; for an administrator, those of all users."""
    sessions = await vault_of(request).uploads.sessions(caller)
    shown = [_session_json(request, caller, session) for session in sessions]
    return envelope.success(data=shown)


@router.get("/upload/{upload_session_id}", summary="An upload session")
async def upload(
    request: Request,
    caller: SignedIn,
    upload_session_id: str,
) -> Response:
    """Returns an upload session, with the number of parts and bytes that have arrived."""
    session = await vault_of(request).uploads.session(caller, upload_session_id)
    return envelope.success(data=_session_json(request, caller, session))


@router.get("/upload/{upload_session_id}/parts", summary="The parts of an upload")
async def parts(
    request: Request,
    caller: SignedIn,
    upload_session_id: str,
    limit: Limit = PAGE,
    cursor: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> Response:
    """Lists the parts that have arrived, in the order of their numbers."""
    found = await vault_of(request).uploads.parts(caller, upload_session_id)
    members: dict[str, object] = {}
    if len(found) > cursor + limit:
        query = urlencode({"cursor": cursor + limit, "limit": limit})
        next_page = f"{origin(request)}{request.url.path}?{query}"
        members["responseDetails"] = {"next_page": next_page}
    page = found[cursor : cursor + limit]
    members["data"] = [_part_json(part) for part in page]
    return envelope.success(**members)


@router.put(
    "/upload/{upload_session_id}",
    summary="Upload a part",
    openapi_extra=OCTETS_DOCUMENTATION,
)
async def put_part(
    request: Request,
    caller: UsesStaging,
    upload_session_id: str,
    number: Annotated[int, Header(alias="X-VaultAPI-FilePartNumber")],
    content_md5: Md5 = None,
) -> Response:
    """Stores a part; parts arrive in the order of their numbers, and a repeated part replaces the earlier one."""
    # Not read yet: the session is checked first, and a part goes to the store as it arrives.
    stream = bounded_stream(request, MAX_PART)
    # Read before the part, so that a malformed header is refused first.
    md5 = md5_of_header(content_md5)
    part = await vault_of(request).uploads.put_part(
        caller, upload_session_id, number, stream, md5
    )
    return envelope.success(data=_part_json(part))


@router.post("/upload/{upload_session_id}", summary="Commit an upload session")
async def commit(
    request: Request,
    caller: SignedIn,
    upload_session_id: str,
) -> Response:
    """Starts a job that puts the parts together; the file exists when the job has ended."""
    job_id = await vault_of(request).uploads.commit(caller, upload_session_id)
    return _submitted(request, job_id)


@router.delete("/upload/{upload_session_id}", summary="Abort an upload session")
async def abort(
    request: Request,
    caller: SignedIn,
    upload_session_id: str,
) -> Response:
    """Ends an upload session and removes its parts."""
    await vault_of(request).uploads.abort(caller, upload_session_id)
    return envelope.success()


def _submitted(request: Request, job_id: int) -> Response:
    """Return the answer to a call that has submitted a job; unlike in other answers, the job is in ``data``."""
    return envelope.success(data={"job_id": job_id, "url": job_url(request, job_id)})


def _named(kind: ItemKind, path: str, key: str) -> dict[str, object]:
    """Return the members that all items have; the item's name is the last part of its key in the store."""
    _, _, name = key.rpartition("/")
    return {"kind": kind, "path": path, "name": name}


def _flag(fields: Mapping[str, str], name: str) -> bool:
    """Return whether the value of a form field is ``true``."""
    return fields.get(name, "").strip().lower() == "true"


def _item_json(area: StagingArea, item: Item) -> dict[str, object]:
    """Return an item in the format of the API; ``area`` is the part of the store that the caller sees."""
    kind = ItemKind.FOLDER if item.is_folder else ItemKind.FILE
    shown = _named(kind, area.path(item.key), item.key)
    if not item.is_folder:
        shown["size"] = item.size
        shown["modified_date"] = date_time_text(item.modified)
    return shown


def _session_json(
    request: Request,
    caller: Caller,
    session: UploadSession,
) -> dict[str, object]:
    """Return an upload session in the format of the API."""
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
        # Bytes, of the whole `size`.
        "uploaded": session.uploaded,
        "overwrite": session.overwrite,
    }


def _part_json(part: UploadedPart) -> dict[str, object]:
    """Return a part of an upload in the format of the API."""
    return {
        "size": part.size,
        "part_number": part.part_number,
        "part_content_md5": part.md5,
    }
