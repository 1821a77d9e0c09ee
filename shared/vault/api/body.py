"""Reads request bodies within bounds and turns them into rows, fields or text."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import orjson
from starlette.formparsers import MultiPartException, MultiPartParser

from shared.protocol import json_values as exact_json
from shared.protocol.error_types import ErrorType
from shared.vault.api.openapi.request_bodies import CSV, FORM, JSON, MULTIPART
from shared.vault.errors import VaultFault
from shared.vault.records.rows import MAX_ROWS

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.requests import Request

MAX_ROWS_BYTES = 50 * 2**20
MAX_MDL_BYTES = 5 * 2**20
# A query of 50,000 characters fits, each of them percent-encoded.
MAX_FORM_BYTES = 2**20
MAX_FORM_FIELDS = 1000
# A body that trickles in would occupy a connection and its memory for as long as the client likes.
ARRIVAL_TIMEOUT = 60.0  # seconds

SCALARS = frozenset({str, bool, int, float, type(None)})
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a record call; ``single`` when one record came as a form."""

    rows: Sequence[Mapping[str, object]]
    single: bool = False


async def read_rows(request: Request) -> Rows:
    """Return the rows of a record call: a JSON array, CSV, or one record as a form.

    :raises VaultFault: INVALID_DATA for a malformed body, EXCEEDS_FILE_MAX_SIZE for one above 50 MB.
    """
    body = await read_body(request, MAX_ROWS_BYTES)
    kind = media_type(request.headers)
    if kind == CSV:
        text = decoded(body)
        return Rows(parse_csv(text, MAX_ROWS))
    if kind in (FORM, MULTIPART):
        fields = await _form(request.headers, body)
        return Rows([dict(fields)] if fields else [], single=True)
    # Clients name JSON in several ways, or not at all: any body that is not CSV or a form is read as JSON.
    return Rows(parse_json_rows(body))


async def read_record(request: Request) -> dict[str, object]:
    """Return the fields of the one record that the URL names: a form, or a JSON object.

    :raises VaultFault: INVALID_DATA for a malformed body, EXCEEDS_FILE_MAX_SIZE for one above 50 MB.
    """
    body = await read_body(request, MAX_ROWS_BYTES)
    if media_type(request.headers) in (FORM, MULTIPART):
        fields = await _form(request.headers, body)
        return dict(fields)
    return _json_record(body)


async def read_fields(request: Request) -> dict[str, str]:
    """Return the text fields of a form of either kind, or of a JSON object, by name; an empty body has none.

    :raises VaultFault: INVALID_DATA for a malformed body, EXCEEDS_FILE_MAX_SIZE for one above 1 MB.
    """
    body = await read_body(request, MAX_FORM_BYTES)
    # Clients send a Content-Type with calls that have no body at all.
    if not body.strip():
        return {}
    kind = media_type(request.headers)
    if kind in (FORM, MULTIPART):
        return await _form(request.headers, body)
    if kind not in (JSON, ""):
        raise _unreadable(f"Content-Type [{kind[:60]}] is not taken here")
    fields = _json_record(body)
    return {name: _field_text(value) for name, value in fields.items()}


async def read_text(request: Request, limit: int = MAX_MDL_BYTES) -> str:
    """Return the body as text, whatever its Content-Type; at most ``limit`` bytes.

    :raises VaultFault: INVALID_DATA when it is not UTF-8, EXCEEDS_FILE_MAX_SIZE.
    """
    body = await read_body(request, limit)
    return decoded(body)


async def read_body(request: Request, limit: int) -> bytes:
    """Return the whole body, at most ``limit`` bytes.

    :raises VaultFault: EXCEEDS_FILE_MAX_SIZE; INVALID_DATA when it does not arrive in time.
    """
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(ARRIVAL_TIMEOUT):
            # Counted as it comes: a Content-Length may be missing or wrong.
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise VaultFault(
                        ErrorType.EXCEEDS_FILE_MAX_SIZE,
                        f"A body here is at most {limit} bytes",
                    )
                chunks.append(chunk)
    except TimeoutError as error:
        seconds = f"{ARRIVAL_TIMEOUT:.0f} seconds"
        raise _unreadable(f"it did not arrive within {seconds}") from error
    return b"".join(chunks)


def media_type(headers: Headers) -> str:
    """Return the Content-Type without its parameters, in lower case; empty when there is none."""
    kind, _, _ = headers.get("content-type", "").partition(";")
    return kind.strip().lower()


def parse_json_rows(body: bytes) -> list[dict[str, object]]:
    """Return the rows of a JSON array of flat objects; an object alone is one row.

    :raises VaultFault: INVALID_DATA when it is anything else, or has too many rows.
    """
    document = _json(body)
    if document is None:
        return []
    rows = [document] if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise _unreadable("it is not a JSON array of records")
    if len(rows) > MAX_ROWS:
        message = f"A call takes at most {MAX_ROWS} rows; {len(rows)} were sent"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    for number, row in enumerate(rows, 1):
        _check_flat(row, number)
    return rows


def _check_flat(row: object, number: int) -> None:
    """Raise INVALID_DATA unless the row is an object whose values are single values or lists of them."""
    if not isinstance(row, dict):
        raise _unreadable(f"row {number} is not a JSON object")
    for name, value in row.items():
        if type(value) not in SCALARS and not _flat_list(value):
            problem = "is neither a single value nor a list of them"
            raise _unreadable(f"row {number}: [{name[:100]}] {problem}")


def parse_csv(text: str, max_rows: int) -> list[dict[str, object]]:
    """Return the data rows of a CSV text (RFC 4180), by the names in its first line; cells are text.

    :raises VaultFault: INVALID_DATA when it is not CSV, names are missing or repeated, or rows are too many.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[dict[str, object]] = []
    try:
        header = _column_names(next(reader, []))
        for cells in reader:
            # Spreadsheets end files with empty lines.
            if not cells:
                continue
            if len(cells) != len(header):
                counts = f"{len(cells)} cells; the header has {len(header)}"
                raise _not_csv(f"line {reader.line_num} has {counts}")
            # Stopped at the first row too many, before the rest of a large file is read.
            if len(rows) == max_rows:
                message = f"A call takes at most {max_rows} rows"
                raise VaultFault(ErrorType.INVALID_DATA, message)
            rows.append(dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise _not_csv(f"line {reader.line_num}: {error}") from error
    return rows


def _column_names(names: Sequence[str]) -> list[str]:
    """Return the names of a header line without the blanks around them.

    :raises VaultFault: INVALID_DATA when a name is missing or repeated.
    """
    header = [name.strip() for name in names]
    if not all(header):
        raise _not_csv("a column has no name")
    if len(set(header)) != len(header):
        raise _not_csv("a column name is repeated")
    return header


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
            max_num_fields=MAX_FORM_FIELDS,
        )
    except ValueError as error:
        raise _unreadable("it is not a URL-encoded form in UTF-8") from error
    return _unique(pairs)


def decoded(body: bytes) -> str:
    """Return UTF-8 text without its byte order mark, which spreadsheets write and others do not.

    :raises VaultFault: INVALID_DATA when it is not UTF-8.
    """
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable("it is not UTF-8 text") from error


async def _form(headers: Headers, body: bytes) -> dict[str, str]:
    """Return the text fields of a form of either kind.

    :raises VaultFault: INVALID_DATA when it is malformed, has files, or a name is repeated.
    """
    content_type = headers.get("content-type", "").lower()
    # A public client sends URL-encoded forms as multipart ones, without a boundary.
    misnamed = "boundary=" not in content_type and not body.startswith(b"--")
    if media_type(headers) == FORM or misnamed or not body.strip():
        return parse_form(body)

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body
        yield b""

    try:
        parser = MultiPartParser(
            headers,
            stream(),
            max_files=0,
            max_fields=MAX_FORM_FIELDS,
            max_part_size=MAX_ROWS_BYTES,
        )
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise _unreadable("it is not a multipart form of text fields") from error
    items = form.multi_items()
    return _unique([(name, value) for name, value in items if isinstance(value, str)])


def _unique(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return the fields by name.

    :raises VaultFault: INVALID_DATA when a name is repeated: which value counts would be a guess.
    """
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _unreadable("a field is repeated")
    return fields


def _json(body: bytes) -> object:
    """Return the JSON document, None for an empty body.

    :raises VaultFault: INVALID_DATA when it is not JSON, or nested too deeply.
    """
    text = body.removeprefix(BYTE_ORDER_MARK).strip()
    if not text:
        return None
    try:
        return exact_json.loads(text)
    except orjson.JSONDecodeError as error:
        # The decoder's message quotes the text, which may be personal data; the place alone says enough.
        place = f"line {error.lineno}, column {error.colno}"
        raise _unreadable(f"it is not JSON at {place}") from error
    except RecursionError as error:
        raise _unreadable("it is nested too deeply") from error


def _json_record(body: bytes) -> dict[str, object]:
    """Return the members of a flat JSON object; none for an empty body."""
    document = _json(body)
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise _unreadable("it is not a JSON object")
    _check_flat(document, 1)
    return document


def _flat_list(value: object) -> bool:
    """Return whether the value is a list of single values."""
    return type(value) is list and all(type(item) in SCALARS for item in value)


def _field_text(value: object) -> str:
    """Return a member of a JSON object as the text that a form field would have."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join(_field_text(item) for item in value)
    text = str(value)
    return text.lower() if isinstance(value, bool) else text


def _unreadable(reason: str) -> VaultFault:
    return VaultFault(ErrorType.INVALID_DATA, f"The body cannot be read: {reason}")


def _not_csv(reason: str) -> VaultFault:
    return VaultFault(ErrorType.INVALID_DATA, f"The body is not valid CSV: {reason}")


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
