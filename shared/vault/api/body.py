"""Reads request bodies within bounds as they arrive, and converts them to rows, fields or text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qsl

from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from shared.protocol.error_types import ErrorType
from shared.runtime.off_loop import off_loop
from shared.vault.api.body_limits import (
    MAX_FORM_BYTES,
    MAX_MDL_BYTES,
    MAX_MEMBERS,
    MAX_ROW_BYTES,
    MAX_ROWS_BYTES,
)
from shared.vault.api.csv_rows import parse_csv
from shared.vault.api.json_rows import parse_json_record, parse_json_rows, unreadable
from shared.vault.api.openapi.request_bodies import CSV, FORM, JSON, MULTIPART
from shared.vault.errors import VaultFault
from shared.vault.records.rows import MAX_ROWS

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

Result = TypeVar("Result")

# Bytes from which on a text is read beside the event loop; a shorter one takes less time than the change of threads.
LONG = 64 * 2**10
# Of JSON rows, which are decoded by one call in C: the event loop waits for it wherever it is made.
LONG_ROWS = 512 * 2**10
# A body that trickles in would occupy a connection and its memory for as long as the client likes.
ARRIVAL_TIMEOUT = 60.0  # seconds
# The parser of forms takes each of them in one step.
FORM_STEP = 16 * 2**10  # bytes


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a record call; ``single`` is True when one record was sent as a form."""

    rows: Sequence[Mapping[str, object]]
    single: bool = False


async def read_rows(request: Request) -> Rows:
    """Return the rows of a record call: a JSON array, CSV, or one record as a form.

    :raises VaultFault: INVALID_DATA for a malformed body, or one with too many values; EXCEEDS_FILE_MAX_SIZE for one
        above 50 MB, or a form above 1 MB.
    """
    kind = media_type(request.headers)
    if kind in (FORM, MULTIPART):
        fields = await _form(request)
        return Rows([dict(fields)] if fields else [], single=True)
    body = await read_body(request, MAX_ROWS_BYTES)
    if kind == CSV:
        rows = await read_off_loop(partial(parse_csv, max_rows=MAX_ROWS), body)
        return Rows(rows)
    # Clients name JSON in several ways, or not at all: any body that is not CSV or a form is read as JSON.
    return Rows(await read_off_loop(parse_json_rows, body, LONG_ROWS))


async def read_record(
    request: Request,
    limit: int = MAX_ROW_BYTES,
) -> dict[str, object]:
    """Return the fields of the one record that the URL names, from a form or a JSON object of at most ``limit`` bytes.

    :raises VaultFault: INVALID_DATA for a malformed body, or one with too many values; EXCEEDS_FILE_MAX_SIZE above the
        limit.
    """
    if media_type(request.headers) in (FORM, MULTIPART):
        fields = await _form(request)
        return dict(fields)
    body = await read_body(request, limit)
    return await read_off_loop(partial(parse_json_record, limit=limit), body)


async def read_fields(request: Request, limit: int = MAX_FORM_BYTES) -> dict[str, str]:
    """Return the text fields, by name, of a URL-encoded or multipart form or a JSON object; none for an empty body.

    :raises VaultFault: INVALID_DATA for a malformed body, EXCEEDS_FILE_MAX_SIZE for one above ``limit`` bytes.
    """
    kind = media_type(request.headers)
    if kind in (FORM, MULTIPART):
        return await _form(request, limit)
    body = await read_body(request, limit)
    # Clients send a Content-Type with calls that have no body at all.
    if not body.strip():
        return {}
    if kind not in (JSON, ""):
        raise unreadable(f"Content-Type [{kind[:60]}] is not supported here")
    fields = await read_off_loop(parse_json_record, body)
    return {name: _field_text(value) for name, value in fields.items()}


async def read_off_loop(
    function: Callable[[bytes], Result], text: bytes, long: int = LONG
) -> Result:
    """Return the function's result for a text; computed in a thread if the text has ``long`` bytes or more."""
    if len(text) < long:
        return function(text)
    return await off_loop(function, text)


async def read_text(request: Request, limit: int = MAX_MDL_BYTES) -> str:
    """Return the body as text, whatever its Content-Type; at most ``limit`` bytes.

    :raises VaultFault: INVALID_DATA when it is not UTF-8, EXCEEDS_FILE_MAX_SIZE when it is longer.
    """
    body = await read_body(request, limit)
    return decoded(body)


async def read_body(request: Request, limit: int) -> bytes:
    """Return the whole body, at most ``limit`` bytes.

    :raises VaultFault: EXCEEDS_FILE_MAX_SIZE when it is longer; INVALID_DATA when it does not arrive in time.
    """
    try:
        return await read_within(request, limit, ARRIVAL_TIMEOUT)
    except TimeoutError as error:
        seconds = f"{ARRIVAL_TIMEOUT:.0f} seconds"
        raise unreadable(f"it did not arrive within {seconds}") from error


def media_type(headers: Headers) -> str:
    """Return the Content-Type without its parameters, in lower case; empty when there is none."""
    kind, _, _ = headers.get("content-type", "").partition(";")
    return kind.strip().lower()


def parse_form(body: bytes) -> dict[str, str]:
    """Return the fields of a URL-encoded form.

    :raises VaultFault: INVALID_DATA when it is malformed, a name is repeated, or fields are too many.
    """
    try:
        text = body.strip().decode("ascii")
        pairs = parse_qsl(
            text,
            keep_blank_values=True,
            # Strict parsing takes an empty form for a malformed one.
            strict_parsing=bool(text),
            errors="strict",
            max_num_fields=MAX_MEMBERS,
        )
    except ValueError as error:
        raise unreadable("it is not a URL-encoded form in UTF-8") from error
    return _unique(pairs)


def decoded(body: bytes) -> str:
    """Return UTF-8 text without a byte order mark, which spreadsheets write.

    :raises VaultFault: INVALID_DATA when it is not UTF-8.
    """
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise unreadable("it is not UTF-8 text") from error


async def _form(request: Request, limit: int = MAX_FORM_BYTES) -> dict[str, str]:
    """Return the text fields of a URL-encoded or multipart form.

    :raises VaultFault: INVALID_DATA when it is malformed, has files, or a name is repeated; EXCEEDS_FILE_MAX_SIZE when
        it is longer than ``limit`` bytes.
    """
    headers = request.headers
    body = await read_body(request, limit)
    content_type = headers.get("content-type", "").lower()
    # A public client sends URL-encoded forms as multipart ones, without a boundary.
    misnamed = "boundary=" not in content_type and not body.startswith(b"--")
    if media_type(headers) == FORM or misnamed or not body.strip():
        return await read_off_loop(parse_form, body)
    try:
        parser = MultiPartParser(
            headers,
            _in_steps(body),
            max_files=0,
            max_fields=MAX_MEMBERS,
            max_part_size=MAX_FORM_BYTES,
        )
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise unreadable("it is not a multipart form of text fields") from error
    items = form.multi_items()
    return _unique([(name, value) for name, value in items if isinstance(value, str)])


async def _in_steps(body: bytes) -> AsyncGenerator[bytes, None]:
    """Yield a body in short chunks; between them the event loop runs other tasks."""
    for start in range(0, len(body), FORM_STEP):
        yield body[start : start + FORM_STEP]
        await asyncio.sleep(0)
    yield b""


def _unique(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return the fields by name.

    :raises VaultFault: INVALID_DATA when a name is repeated, since neither value has precedence.
    """
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise unreadable("a field is repeated")
    return fields


def _field_text(value: object) -> str:
    """Return a member of a JSON object as the text that a form field would have."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join(_field_text(item) for item in value)
    text = str(value)
    if isinstance(value, bool):
        return text.lower()
    return text


def missing(name: str) -> VaultFault:
    """Return the fault of a call that lacks parameter ``name``."""
    message = f"Missing required parameter [{name}]"
    return VaultFault(ErrorType.PARAMETER_REQUIRED, message)


def required(fields: Mapping[str, str], *names: str) -> list[str]:
    """Return the values of these fields.

    :raises VaultFault: PARAMETER_REQUIRED when one of them is missing or empty.
    """
    for name in names:
        if not fields.get(name):
            raise missing(name)
    return [fields[name] for name in names]


SPOOLED = 2**20
"""The size in bytes above which a body is spooled to disk, since a client may send many at once, slowly."""
LARGE = 4 * 2**20
"""The size in bytes above which one body at a time is in memory, since its rows take several times as much."""


class LargeBodyPermit:
    """The permission to have a large body in memory, which one call of the process has at a time."""

    def __init__(self, permits: asyncio.Semaphore) -> None:
        self._permits = permits
        self._taken = False

    async def take(self) -> None:
        """Wait until no other call has a large body in memory."""
        if not self._taken:
            await self._permits.acquire()
            self._taken = True

    def leave(self) -> None:
        """Let another call have a large body in memory."""
        if self._taken:
            self._permits.release()
            self._taken = False


class LargeBodies:
    """ASGI middleware that allows one call at a time a large body in memory, until its answer begins."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._permits = asyncio.Semaphore(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on with a ``LargeBodyPermit``, which reading a large body takes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        permit = LargeBodyPermit(self._permits)
        scope.setdefault("state", {})["large_body_permit"] = permit

        async def send_without_body(message: Message) -> None:
            # A client may read the answer as slowly as it likes.
            permit.leave()
            await send(message)

        try:
            await self._app(scope, receive, send_without_body)
        finally:
            permit.leave()


async def read_within(request: Request, limit: int, seconds: float) -> bytes:
    """Return the whole body: at most ``limit`` bytes, received within ``seconds``.

    :raises VaultFault: EXCEEDS_FILE_MAX_SIZE when it is longer.
    :raises TimeoutError: when it does not arrive in time.
    """
    with SpooledTemporaryFile(SPOOLED) as spool:
        size = 0
        async with asyncio.timeout(seconds):
            # Counted as it comes: a Content-Length may be missing or wrong.
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    message = f"The body of this call may have at most {limit} bytes"
                    raise VaultFault(ErrorType.EXCEEDS_FILE_MAX_SIZE, message)
                spool.write(chunk)
        if size > LARGE:
            await request.state.large_body_permit.take()
        spool.seek(0)
        if size <= SPOOLED:
            return spool.read()
        return await asyncio.to_thread(spool.read)
