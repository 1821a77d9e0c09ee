"""Request bodies: read within bounds, and turned into rows, form fields or text."""

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

from shared.protocol.error_types import ErrorType
from shared.runtime import exact_json
from shared.vault.errors import VaultFault
from shared.vault.records.rows import MAX_ROWS

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.requests import Request

MAX_ROWS_BYTES = 50 * 2**20
MAX_MDL_BYTES = 5 * 2**20
MAX_FORM_BYTES = (
    2**20
)  # a query of 50,000 characters, percent-encoded, with room to spare
MAX_FORM_FIELDS = 1000
ARRIVAL_TIMEOUT = 60.0  # seconds

SCALARS = frozenset({str, bool, int, float, type(None)})

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
JSON = "application/json"
CSV = "text/csv"


def form_documentation(fields: Mapping[str, str]) -> dict[str, object]:
    """``openapi_extra`` of an endpoint that takes a form, or a JSON object: its fields and what each is."""
    properties = {
        name: {"type": "string", "description": text} for name, text in fields.items()
    }
    schema = {"type": "object", "properties": properties}
    return {
        "requestBody": {
            "content": {kind: {"schema": schema} for kind in (FORM, MULTIPART, JSON)}
        }
    }


RECORD: dict[str, object] = {"type": "object", "additionalProperties": True}
ROWS_DOCUMENTATION: dict[str, object] = {
    "requestBody": {
        "content": {
            JSON: {"schema": {"type": "array", "maxItems": MAX_ROWS, "items": RECORD}},
            CSV: {"schema": {"type": "string"}},
            FORM: {"schema": RECORD},
            MULTIPART: {"schema": RECORD},
        }
    }
}
"""``openapi_extra`` of an endpoint that takes rows."""
RECORD_DOCUMENTATION: dict[str, object] = {
    "requestBody": {
        "content": {kind: {"schema": RECORD} for kind in (JSON, FORM, MULTIPART)}
    }
}
"""``openapi_extra`` of an endpoint that takes the fields of one record."""
OBJECT_DOCUMENTATION: dict[str, object] = {
    "requestBody": {"content": {JSON: {"schema": RECORD}}}
}
"""``openapi_extra`` of an endpoint that takes a JSON object."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a record call; ``single`` when one record came as a form."""

    rows: Sequence[Mapping[str, object]]
    single: bool = False


async def read_rows(request: Request) -> Rows:
    """The rows of a record call: a JSON array, CSV, or one record as a form.

    :raises VaultFault: INVALID_DATA for a malformed body, EXCEEDS_FILE_MAX_SIZE for one above 50 MB.
    """
    body = await read_body(request, MAX_ROWS_BYTES)
    kind = media_type(request.headers)
    if kind == CSV:
        return Rows(parse_csv(decoded(body), MAX_ROWS))
    if kind in (FORM, MULTIPART):
        fields = await _form(request.headers, body)
        return Rows([dict(fields)] if fields else [], single=True)
    return Rows(parse_json_rows(body))


async def read_record(request: Request) -> dict[str, object]:
    """The fields of the one record that the URL names: a form, or a JSON object.

    :raises VaultFault: INVALID_DATA, EXCEEDS_FILE_MAX_SIZE.
    """
    body = await read_body(request, MAX_ROWS_BYTES)
    if media_type(request.headers) in (FORM, MULTIPART):
        return dict(await _form(request.headers, body))
    return _json_record(body)


async def read_fields(request: Request) -> dict[str, str]:
    """Named text fields: a form of either kind, or a JSON object; an empty body has none, whatever its type.

    :raises VaultFault: INVALID_DATA, EXCEEDS_FILE_MAX_SIZE.
    """
    body = await read_body(request, MAX_FORM_BYTES)
    if not body.strip():
        return {}
    kind = media_type(request.headers)
    if kind in (FORM, MULTIPART):
        return await _form(request.headers, body)
    if kind not in (JSON, ""):
        raise _invalid(f"Content-Type [{kind[:60]}] is not taken here")
    fields = _json_record(body)
    return {name: _field_text(value) for name, value in fields.items()}


async def read_text(request: Request, limit: int = MAX_MDL_BYTES) -> str:
    """The body as text, whatever its Content-Type says.

    :raises VaultFault: INVALID_DATA, EXCEEDS_FILE_MAX_SIZE.
    """
    return decoded(await read_body(request, limit))


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body, up to ``limit`` bytes.

    :raises VaultFault: EXCEEDS_FILE_MAX_SIZE; INVALID_DATA when it does not arrive in time.
    """
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(ARRIVAL_TIMEOUT):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise VaultFault(
                        ErrorType.EXCEEDS_FILE_MAX_SIZE,
                        f"A body here is at most {limit} bytes",
                    )
                chunks.append(chunk)
    except TimeoutError as error:
        raise _invalid(
            f"it did not arrive within {ARRIVAL_TIMEOUT:.0f} seconds"
        ) from error
    return b"".join(chunks)


def media_type(headers: Headers) -> str:
    """The Content-Type without its parameters, in lower case; empty when there is none."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def parse_json_rows(body: bytes) -> list[dict[str, object]]:
    """The rows of a JSON array of flat objects; an object alone is one row.

    :raises VaultFault: INVALID_DATA when it is anything else, or rows are too many.
    """
    document = _json(body)
    if document is None:
        return []
    rows = [document] if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise _invalid("it is not a JSON array of records")
    if len(rows) > MAX_ROWS:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"A call takes at most {MAX_ROWS} rows; {len(rows)} were sent",
        )
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise _invalid(f"row {number} is not a JSON object")
        for name, value in row.items():
            if type(value) not in SCALARS and not _flat_list(value):
                raise _invalid(
                    f"row {number}: [{name[:100]}] is neither a single value nor a list of them"
                )
    return rows


def parse_form(body: bytes) -> dict[str, str]:
    """The fields of a URL-encoded form.

    :raises VaultFault: INVALID_DATA when it is malformed, a name is repeated, or fields are too many.
    """
    try:
        pairs = parse_qsl(
            body.strip().decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body.strip()),
            errors="strict",
            max_num_fields=MAX_FORM_FIELDS,
        )
    except ValueError as error:
        raise _invalid("it is not a URL-encoded form in UTF-8") from error
    return _unique(pairs)


def decoded(body: bytes) -> str:
    """UTF-8 text, with or without a byte order mark.

    :raises VaultFault: INVALID_DATA when it is not UTF-8.
    """
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _invalid("it is not UTF-8 text") from error


async def _form(headers: Headers, body: bytes) -> dict[str, str]:
    # A public client sends URL-encoded forms as multipart ones, without a boundary.
    misnamed = "boundary=" not in headers.get(
        "content-type", ""
    ).lower() and not body.startswith(b"--")
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
        raise _invalid("it is not a multipart form of text fields") from error
    pairs = [
        (name, value) for name, value in form.multi_items() if isinstance(value, str)
    ]
    return _unique(pairs)


def _unique(pairs: list[tuple[str, str]]) -> dict[str, str]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _invalid("a field is repeated")
    return fields


def _json(body: bytes) -> object:
    """The JSON document, None for an empty body; orjson itself bounds the depth."""
    text = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not text:
        return None
    try:
        return exact_json.loads(text)
    except orjson.JSONDecodeError as error:
        # The decoder's message quotes the text; the place alone says as much.
        raise _invalid(
            f"it is not JSON at line {error.lineno}, column {error.colno}"
        ) from error
    except RecursionError as error:
        raise _invalid("it is nested too deeply") from error


def _json_record(body: bytes) -> dict[str, object]:
    document = _json(body)
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise _invalid("it is not a JSON object")
    return parse_json_rows(body)[0]


def _flat_list(value: object) -> bool:
    return type(value) is list and all(type(item) in SCALARS for item in value)


def _field_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join(_field_text(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _invalid(reason: str) -> VaultFault:
    return VaultFault(ErrorType.INVALID_DATA, f"The body cannot be read: {reason}")


def parse_csv(text: str, max_rows: int) -> list[dict[str, object]]:
    """The data rows of a CSV text, by the names in its first line; cells are text, empty lines are skipped.

    :raises VaultFault: INVALID_DATA when it is not CSV, names are missing or repeated, or rows are too many.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[dict[str, object]] = []
    try:
        header = _column_names(next(reader, []))
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                raise _not_csv(
                    f"line {reader.line_num} has {len(cells)} cells; the header has {len(header)}"
                )
            if len(rows) == max_rows:
                raise VaultFault(
                    ErrorType.INVALID_DATA, f"A call takes at most {max_rows} rows"
                )
            rows.append(dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise _not_csv(f"line {reader.line_num}: {error}") from error
    return rows


def _column_names(names: Sequence[str]) -> list[str]:
    header = [name.strip() for name in names]
    if not all(header):
        raise _not_csv("a column has no name")
    if len(set(header)) != len(header):
        raise _not_csv("a column name is repeated")
    return header


def _not_csv(reason: str) -> VaultFault:
    return VaultFault(ErrorType.INVALID_DATA, f"The body is not valid CSV: {reason}")
