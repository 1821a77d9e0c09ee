"""Files in request and response bodies: taken in and given out as they pass by, never held whole."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.responses import StreamingResponse

from shared.protocol.error_types import ErrorType
from shared.vault.api.body import MAX_FORM_FIELDS, MULTIPART, media_type, read_fields
from shared.vault.api.response_envelope import STATUS_HEADER, Status
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from starlette.requests import Request

ENVELOPE_BYTES = 2**20  # what a form may have beside its file
CHUNK_TIMEOUT = 60.0  # seconds that a client may be silent
READ = 2**18
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
MAX_RANGE = 50 * 2**20


def multipart_documentation(
    fields: Mapping[str, object] = MappingProxyType({}),
) -> dict[str, object]:
    """The OpenAPI document's request body of a form with a file and ``fields``, each with its schema."""
    properties = {"file": {"type": "string", "format": "binary"}, **fields}
    schema = {"type": "object", "required": ["file"], "properties": properties}
    return {"requestBody": {"content": {MULTIPART: {"schema": schema}}}}


FILE_FORM = multipart_documentation()


@dataclass(frozen=True, slots=True)
class UploadForm:
    """The text fields of a form, and its file when it has one."""

    fields: dict[str, str]
    file: UploadFile | None

    async def content(self) -> AsyncIterator[bytes]:
        """The file's bytes."""
        while self.file is not None and (chunk := await self.file.read(READ)):
            yield chunk


@asynccontextmanager
async def upload_form(
    request: Request, limit: int, field: str = "file"
) -> AsyncIterator[UploadForm]:
    """A form with a file of up to ``limit`` bytes in ``field``; what does not fit in memory waits on disk.

    :raises VaultFault: EXCEEDS_FILE_MAX_SIZE, INVALID_DATA.
    """
    if (
        media_type(request.headers) != MULTIPART
        or "boundary=" not in request.headers["content-type"].lower()
    ):
        yield UploadForm(await read_fields(request), None)
        return
    parser = MultiPartParser(
        request.headers,
        bounded_stream(request, limit + ENVELOPE_BYTES),
        max_files=1,
        max_fields=MAX_FORM_FIELDS,
        max_part_size=ENVELOPE_BYTES,
    )
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise VaultFault(
            ErrorType.INVALID_DATA, "The body is not a multipart form with one file"
        ) from error
    try:
        yield _upload(form, field)
    finally:
        await form.close()


def _upload(form: FormData, field: str) -> UploadForm:
    fields = {
        name: value for name, value in form.multi_items() if isinstance(value, str)
    }
    file = form.get(field)
    return UploadForm(fields, file if isinstance(file, UploadFile) else None)


async def bounded_stream(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """The body as it comes, up to ``limit`` bytes.

    :raises VaultFault: EXCEEDS_FILE_MAX_SIZE; INVALID_DATA when the client falls silent.
    """
    size = 0
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(CHUNK_TIMEOUT):
                chunk = await anext(stream, None)
        except TimeoutError as error:
            raise VaultFault(
                ErrorType.INVALID_DATA, "The body did not arrive in time"
            ) from error
        if chunk is None:
            return
        size += len(chunk)
        if size > limit:
            raise VaultFault(
                ErrorType.EXCEEDS_FILE_MAX_SIZE, f"A body here is at most {limit} bytes"
            )
        yield chunk


@dataclass(frozen=True, slots=True)
class Span:
    """A range of a file's bytes; ``partial`` when the client asked for one."""

    start: int
    length: int
    partial: bool


def span_of(header: str | None, size: int) -> Span:
    """The part of a file of ``size`` bytes that a Range header asks for, at most 50 MB of it; all without one.

    :raises VaultFault: INVALID_DATA when it is not one range of bytes in the file.
    """
    if not header:
        return Span(0, size, partial=False)
    match = RANGE.fullmatch(header.replace(" ", ""))
    if match is None or match.groups() == ("", ""):
        raise _no_range()
    first, last = match.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    if not 0 <= start <= end:
        raise _no_range()
    return Span(start, min(end - start + 1, MAX_RANGE), partial=True)


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
    """A file, or the ``span`` of one of ``size`` bytes, as a download under its name."""
    span = span or Span(0, size, partial=False)
    headers = {
        STATUS_HEADER: Status.SUCCESS,
        "Content-Disposition": disposition(name),
        "Content-Length": str(span.length),
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
    }
    if span.partial:
        headers["Content-Range"] = (
            f"bytes {span.start}-{span.start + span.length - 1}/{size}"
        )
    status = 206 if span.partial else 200
    return StreamingResponse(content, status, headers, f"{media};charset=UTF-8")


def archive_response(content: AsyncIterator[bytes], name: str) -> StreamingResponse:
    """A zip archive, whose size is not known before it has passed by, as a download under its name."""
    headers = {
        STATUS_HEADER: Status.SUCCESS,
        "Content-Disposition": disposition(name),
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(content, 200, headers, "application/zip;charset=UTF-8")


def disposition(name: str) -> str:
    """A Content-Disposition header: the name plainly for old clients, and exactly for the others."""
    plain = "".join(
        c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in name
    )
    exact = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'attachment;filename="{plain}"{exact}'
