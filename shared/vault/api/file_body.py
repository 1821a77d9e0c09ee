"""Streams files of request and response bodies, so that no file has to fit in memory."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from fastapi import Header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.responses import StreamingResponse

from shared.protocol.error_types import ErrorType
from shared.vault.api.body import media_type, missing, read_fields
from shared.vault.api.body_limits import MAX_MEMBERS
from shared.vault.api.openapi.request_bodies import MULTIPART
from shared.vault.api.request_context import vault_of
from shared.vault.api.response_envelope import STATUS_HEADER, Status
from shared.vault.documents.document_content import file_name
from shared.vault.documents.document_store import SourceFile
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from starlette.requests import Request

    from shared.vault.access.caller import Caller
    from shared.vault.assembly.vault import Vault

ENVELOPE_BYTES = 2**20  # what a form may have beside its file
# Between two chunks, not for the whole: a file of 4 GB may take hours on a slow line.
CHUNK_TIMEOUT = 60.0  # seconds
READ = 2**18
# At most 18 digits: longer numbers are no positions in a file, and cost time to convert.
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
MAX_RANGE = 50 * 2**20

RangeHeader = Annotated[str | None, Header(alias="Range")]


@dataclass(frozen=True, slots=True)
class UploadForm:
    """The text fields of a form, and its file when it has one."""

    fields: dict[str, str]
    file: UploadFile | None

    async def content(self) -> AsyncIterator[bytes]:
        """Yield the file's bytes in chunks."""
        while self.file is not None and (chunk := await self.file.read(READ)):
            yield chunk

    async def whole(self) -> bytes:
        """Return all bytes of the file; only for files with a small size limit."""
        chunks = [chunk async for chunk in self.content()]
        return b"".join(chunks)

    def sent_name(self) -> str:
        """Return the name of the file as the client sent it.

        :raises VaultFault: PARAMETER_REQUIRED when the form has no file.
        """
        if self.file is None:
            raise missing("file")
        return self.file.filename or ""


@asynccontextmanager
async def upload_form(
    request: Request,
    limit: int,
    field: str = "file",
) -> AsyncIterator[UploadForm]:
    """Open a form with a file of up to ``limit`` bytes in ``field``; a file that exceeds the memory limit is on disk.

    :raises VaultFault: EXCEEDS_FILE_MAX_SIZE when the file is too large; INVALID_DATA when the body is not a form, or
        has more than one file.
    """
    content_type = request.headers.get("content-type", "").lower()
    # A form without a boundary cannot have a file; public clients send their other forms so.
    if media_type(request.headers) != MULTIPART or "boundary=" not in content_type:
        fields = await read_fields(request)
        yield UploadForm(fields, None)
        return
    parser = MultiPartParser(
        request.headers,
        bounded_stream(request, limit + ENVELOPE_BYTES),
        max_files=1,
        max_fields=MAX_MEMBERS,
        max_part_size=ENVELOPE_BYTES,
    )
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        message = "The body is not a multipart form with one file"
        raise VaultFault(ErrorType.INVALID_DATA, message) from error
    try:
        yield _upload(form, field)
    finally:
        # Closing removes the file from the disk.
        await form.close()


def _upload(form: FormData, field: str) -> UploadForm:
    """Return the text fields of a parsed form, and the file in ``field``."""
    items = form.multi_items()
    fields = {name: value for name, value in items if isinstance(value, str)}
    file = form.get(field)
    return UploadForm(fields, file if isinstance(file, UploadFile) else None)


@asynccontextmanager
async def open_document_form(
    request: Request,
    caller: Caller,
) -> AsyncIterator[tuple[dict[str, str], SourceFile | None]]:
    """Open a form with a document's fields and its file, and store the file's content.

    :raises VaultFault: EXCEEDS_FILE_MAX_SIZE when the file is too large; INVALID_DATA when the body is not a form, or
        has more than one file.
    """
    vault = vault_of(request)
    limit = vault.settings.document_file_bytes
    async with upload_form(request, limit) as form:
        yield form.fields, await store_form_file(vault, caller, form)


async def store_form_file(
    vault: Vault, caller: Caller, form: UploadForm
) -> SourceFile | None:
    """Store the content of a form's file as a document's file; return None for a form without a file.

    :raises VaultFault: EXCEEDS_FILE_MAX_SIZE when the file is too large; INVALID_DATA when its name is not valid.
    """
    if form.file is None:
        return None
    name = file_name(form.file.filename)
    limit = vault.settings.document_file_bytes
    content = await vault.content.keep(form.content(), limit=limit)
    file = SourceFile(content, name)
    await vault.document_texts.extract(file.content, file.format, caller.user_id)
    return file


@asynccontextmanager
async def open_file_form(request: Request, caller: Caller) -> AsyncIterator[SourceFile]:
    """Open a form with a document's file, and store the file's content.

    :raises VaultFault: PARAMETER_REQUIRED when the form has no file; and the faults of ``open_document_form``.
    """
    async with open_document_form(request, caller) as (_, file):
        if file is None:
            raise missing("file")
        yield file


async def bounded_stream(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """Yield the body as it arrives, at most ``limit`` bytes.

    :raises VaultFault: EXCEEDS_FILE_MAX_SIZE when it is longer; INVALID_DATA when the client sends nothing for a
        minute.
    """
    size = 0
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(CHUNK_TIMEOUT):
                chunk = await anext(stream, None)
        except TimeoutError as error:
            message = "The body did not arrive in time"
            raise VaultFault(ErrorType.INVALID_DATA, message) from error
        if chunk is None:
            return
        size += len(chunk)
        if size > limit:
            message = f"The body of this call may have at most {limit} bytes"
            raise VaultFault(ErrorType.EXCEEDS_FILE_MAX_SIZE, message)
        yield chunk


@dataclass(frozen=True, slots=True)
class Span:
    """A range of a file's bytes; ``partial`` when the client asked for one."""

    start: int
    length: int
    partial: bool


def span_of(header: str | None, size: int) -> Span:
    """Return the range in a Range header, at most 50 MB; all ``size`` bytes without a header.

    :raises VaultFault: INVALID_DATA when it is not one range of bytes in the file.
    """
    if not header:
        return Span(0, size, partial=False)
    match = RANGE.fullmatch(header.replace(" ", ""))
    if match is None or match.groups() == ("", ""):
        raise _no_range()
    first, last = match.groups()
    # Without a first position, the last is a length counted from the end of the file (RFC 9110).
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    if not 0 <= start <= end:
        raise _no_range()
    length = min(end - start + 1, MAX_RANGE)
    return Span(start, length, partial=True)


def _no_range() -> VaultFault:
    return VaultFault(
        ErrorType.INVALID_DATA, "Header [Range] is not one range of bytes in the file"
    )


def file_response(
    content: AsyncIterator[bytes],
    name: str,
    size: int,
    span: Span | None = None,
    media: str = "application/octet-stream",
) -> StreamingResponse:
    """Return a file of ``size`` bytes, or the ``span`` of it that ``content`` contains, as a download with its name."""
    span = span or Span(0, size, partial=False)
    headers = {
        **download_headers(name),
        "Content-Length": str(span.length),
        "Accept-Ranges": "bytes",
    }
    if span.partial:
        last = span.start + span.length - 1
        headers["Content-Range"] = f"bytes {span.start}-{last}/{size}"
    status = 206 if span.partial else 200
    return StreamingResponse(content, status, headers, f"{media};charset=UTF-8")


def archive_response(content: AsyncIterator[bytes], name: str) -> StreamingResponse:
    """Return a zip archive as a download under its name."""
    # No length: the archive is written while it is sent.
    headers = download_headers(name)
    return StreamingResponse(content, 200, headers, "application/zip;charset=UTF-8")


def download_headers(name: str) -> dict[str, str]:
    """Return the headers of a download under its name."""
    return {
        STATUS_HEADER: Status.SUCCESS,
        "Content-Disposition": disposition(name),
        # A browser must not take an uploaded file for a page of this host.
        "X-Content-Type-Options": "nosniff",
    }


def disposition(name: str) -> str:
    """Return a Content-Disposition header with the name in ASCII and, if that differs, the exact name (RFC 6266)."""
    characters = [each if _plain(each) else "_" for each in name]
    ascii_name = "".join(characters)
    header = f'attachment;filename="{ascii_name}"'
    if ascii_name != name:
        header += f"; filename*=UTF-8''{quote(name, safe='')}"
    return header


def _plain(character: str) -> bool:
    """Return whether a character may be used in a quoted file name."""
    return character.isascii() and character.isprintable() and character not in '"\\'
