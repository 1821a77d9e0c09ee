"""Reads a Vault's answers, which are not trusted, as envelopes, rows, pages and results; refuses those of proxies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import NamedTuple, TypeAlias, TypeGuard, cast

import aiohttp
import orjson

from shared.client.errors import UnexpectedAnswer, VaultRefused, VaultUnavailable
from shared.protocol import json_values as exact_json
from shared.protocol.error_types import ErrorType

# Above the largest page of a query: 500 records with long texts. What is larger would fill the memory of a process
# that serves many.
MAX_ANSWER_BYTES = 64 * 1024 * 1024
# Of any answer: a page has a thousand rows of five hundred fields at most. They are counted before the text is decoded,
# which is one step for all of them.
MAX_ANSWER_COMMAS = 2**21
CHUNK_BYTES = 256 * 1024

Row: TypeAlias = dict[str, object]
Json = Mapping[str, object]

# Messages go into logs and records; a longer one is not worth its space there.
MAX_MESSAGE_LENGTH = 2000
SOURCE_MODIFIED = "source_modified_date__sys"
"""In a row: when the record that it was copied from was last modified; in a result: the state that is stored."""
LINEAGE = "lineage__sys"
"""In a row: number of its origin in the call's lineage, message id, and the source record's id or None."""
CREATED = "created__sys"
"""The event of a row that has made its record."""
UNCHANGED = "unchanged__sys"
"""The event of a row whose values were stored already, in answers with brief results."""


# A warning accompanies what was done all the same.
_DONE = ("SUCCESS", "WARNING")
_STATUSES = (*_DONE, "FAILURE", "EXCEPTION")


@dataclass(frozen=True, slots=True)
class ApiError:
    """One error of an answer; ``type`` is stable for programs, ``message`` is for people."""

    type: str
    message: str


class RowResult(NamedTuple):
    """The result of one row of a bulk call; a row that changed nothing is ``ok`` too.

    ``event`` is ``created__sys``, ``updated__sys`` or UNCHANGED where the Vault returns it. ``newer`` is the stored
    source state of a row that was skipped because it may be of an older state.
    """

    ok: bool
    id: str | None = None
    event: str | None = None
    errors: tuple[ApiError, ...] = ()
    newer: str | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """A Vault's clock: its time, and the moment until which its changes are complete.

    Changes that are committed later are dated at ``complete_until`` or later. It is None when the Vault cannot
    determine it.
    """

    date_time: str
    complete_until: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a query.

    ``total`` counts the rows of all pages, ``describe`` is None unless the query asked for it.
    """

    rows: list[Row]
    total: int
    next_page: str | None = None
    describe: Row | None = None


@dataclass(frozen=True, slots=True)
class QueryResult:
    """All rows of a query, and its ``queryDescribe`` block when the query asked for it."""

    rows: list[Row] = field(default_factory=list)
    describe: Row | None = None


def read_errors(answer: Mapping[str, object]) -> tuple[ApiError, ...]:
    """Return the errors of an envelope or of one row of it."""
    listed = answer.get("errors")
    if not isinstance(listed, list):
        return ()
    return tuple(_error(each) for each in listed if isinstance(each, dict))


def _error(value: Row) -> ApiError:
    # The type stays a text: a Vault may have error types that this client does not know.
    type_name = value.get("type", ErrorType.UNEXPECTED_ERROR)
    message = str(value.get("message", ""))
    return ApiError(str(type_name), message[:MAX_MESSAGE_LENGTH])


def is_envelope(answer: object) -> TypeGuard[Row]:
    """Return whether an answer is an envelope of the API, and not the JSON of a server in between."""
    return isinstance(answer, dict) and answer.get("responseStatus") in _STATUSES


def check_envelope(envelope: Row) -> Row:
    """Return a successful envelope.

    :raises VaultRefused: with the first error of a FAILURE or EXCEPTION.
    """
    status = envelope.get("responseStatus")
    if status in _DONE:
        return envelope
    errors = read_errors(envelope)
    if errors:
        raise VaultRefused(errors[0].type, errors[0].message)
    message = envelope.get("responseMessage")
    raise VaultRefused(
        ErrorType.UNEXPECTED_ERROR,
        message if isinstance(message, str) else f"{status} without an error",
    )


def mapping(value: object, name: str) -> Row:
    """Return the value ``name`` of an answer as a JSON object.

    :raises UnexpectedAnswer: the value is of another type.
    """
    if not isinstance(value, dict):
        raise UnexpectedAnswer(f"{name} is not a JSON object")
    return value


def rows_of(value: object, name: str) -> list[Row]:
    """Return the value ``name`` of an answer as a list of JSON objects.

    :raises UnexpectedAnswer: the value is of another type.
    """
    if not isinstance(value, list) or not all(type(row) is dict for row in value):
        raise UnexpectedAnswer(f"{name} is not a list of JSON objects")
    # All of it was looked at just now, which the type checker cannot see.
    return cast(list[Row], value)


def text_of(value: object, name: str) -> str:
    """Return the value ``name`` of an answer as a non-empty text.

    :raises UnexpectedAnswer: the value is empty or of another type.
    """
    if not isinstance(value, str) or not value:
        raise UnexpectedAnswer(f"{name} is not a text")
    return value


def whole(value: object, name: str) -> int:
    """Return the value ``name`` of an answer as a whole number.

    :raises UnexpectedAnswer: the value is of another type.
    """
    # True is an int to Python, and no number to JSON.
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnexpectedAnswer(f"{name} is not a whole number")
    return value


def read_page(answer: Row) -> Page:
    """Read the answer of a query.

    :raises UnexpectedAnswer: the answer is of another shape.
    """
    rows = rows_of(answer.get("data"), "data")
    details = mapping(answer.get("responseDetails", {}), "responseDetails")
    following = details.get("next_page")
    describe = answer.get("queryDescribe")
    total = details.get("total", len(rows))
    page = Page(rows, whole(total, "responseDetails.total"))
    # The last page has no next one, and only a query that asked for it has a description.
    if following is not None:
        page = replace(page, next_page=text_of(following, "responseDetails.next_page"))
    if describe is not None:
        page = replace(page, describe=mapping(describe, "queryDescribe"))
    return page


def read_row_results(answer: Row, expected: int) -> list[RowResult]:
    """Read one result for each row, in the order of the rows sent.

    :raises UnexpectedAnswer: there is not one result for each of the ``expected`` rows.
    """
    if "ids" in answer:
        return _brief_results(answer, expected)
    data = answer.get("data")
    # The result of a single row may stand alone, without a list around it.
    listed = [data] if isinstance(data, dict) else data
    rows = rows_of(listed, "data")
    if len(rows) != expected:
        raise UnexpectedAnswer(f"{len(rows)} results for {expected} rows")
    return [_row_result(row) for row in rows]


def _brief_results(answer: Row, expected: int) -> list[RowResult]:
    """Read the ids and events of rows that were all carried out."""
    ids, events = answer.get("ids"), answer.get("events")
    for texts in (ids, events):
        are_texts = isinstance(texts, list) and all(type(each) is str for each in texts)
        if not are_texts or len(cast(list[str], texts)) != expected:
            raise UnexpectedAnswer(f"no ids and events of {expected} rows")
    pairs = zip(cast(list[str], ids), cast(list[str], events), strict=True)
    return [RowResult(True, record, event) for record, event in pairs]


def _row_result(row: Row) -> RowResult:
    # Records are answered as {"data": {"id": …}}, user actions as {"id": …}.
    data = row.get("data", row)
    about = data if isinstance(data, dict) else {}
    record = about.get("id")
    # Those of documents are numbers.
    if not isinstance(record, str):
        record = str(record) if isinstance(record, int) else None
    event = about.get("event")
    if not isinstance(event, str):
        event = None
    newer = about.get(SOURCE_MODIFIED)
    if not isinstance(newer, str):
        newer = None
    status = row.get("responseStatus", about.get("responseStatus"))
    if status in _DONE:
        return RowResult(True, record, event, (), newer)
    # Whatever failed has an error, so that nothing fails without a word.
    errors = read_errors(row) or (_WORDLESS,)
    return RowResult(False, record, event, errors, newer)


_WORDLESS = ApiError(ErrorType.UNEXPECTED_ERROR, "failed without an error")


def text(row: Json, name: str) -> str:
    """Return the text or single picklist value ``name`` of an answer row; empty when the row has none."""
    value = row.get(name)
    if isinstance(value, list):
        value = value[0] if value else None
    if value is None:
        return ""
    return str(value)


# Bodies of answers


@dataclass(frozen=True, slots=True)
class Answer:
    """The status and body of an answer that may be the Vault's own."""

    status: int
    body: bytes


async def read_body(response: aiohttp.ClientResponse) -> bytes:
    """Read a body of at most MAX_ANSWER_BYTES.

    :raises UnexpectedAnswer: the body is larger.
    """
    if (response.content_length or 0) > MAX_ANSWER_BYTES:
        response.close()
        raise UnexpectedAnswer("answer is too large")
    body = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            response.close()
            raise UnexpectedAnswer("answer is too large")
    return bytes(body)


def read_envelope(answer: Answer) -> Row:
    """Return the envelope of a successful answer.

    :raises VaultUnavailable: the answer is no envelope of the API.
    :raises VaultRefused: with the first error of a FAILURE or EXCEPTION.
    """
    if answer.body.count(b",") > MAX_ANSWER_COMMAS:
        raise UnexpectedAnswer("answer has too many values")
    # A server in between answers in its own words while the Vault is away, in JSON or not, so that this will pass.
    try:
        document = exact_json.loads(answer.body)
    except (orjson.JSONDecodeError, RecursionError):
        raise VaultUnavailable(f"status {answer.status}, not JSON") from None
    if not is_envelope(document):
        raise VaultUnavailable(f"status {answer.status}, no envelope")
    return check_envelope(document)


def read_text(answer: Answer) -> str:
    """Return the text of an answer that is plain text; an answer with an envelope raises its error.

    :raises VaultUnavailable: the answer is not one of the API.
    :raises VaultRefused: with the first error of a FAILURE or EXCEPTION.
    """
    body = answer.body.lstrip()
    # Neither MDL nor PEM begins with a brace, nor with the angle bracket of a page.
    if body.startswith(b"{"):
        read_envelope(answer)
        raise UnexpectedAnswer("an envelope where a text was expected")
    if answer.status != HTTPStatus.OK or body.startswith(b"<"):
        raise VaultUnavailable(f"status {answer.status}, no text of the API")
    try:
        return answer.body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise VaultUnavailable("answer is not text") from None


# A revision is compared and kept, never shown; what is longer is none of a Vault's.
MAX_LENGTH = 100
ANY_MOMENT = datetime.min.replace(tzinfo=UTC)


class Revision(NamedTuple):
    """The revision of a Vault's configuration, and that of its reference lookups; equal texts mean no change."""

    configuration: str
    lookups: str


@dataclass(frozen=True, slots=True)
class _DatedRevision:
    """A revision that is at least as new as the configuration at the moment ``since``."""

    revision: Revision
    since: datetime


class LatestRevision:
    """The latest known revision of one Vault's configuration, from the answers of calls and the headers of messages.

    ``count`` is the number of answers and messages with a revision. ``silent`` is True after an answer without one:
    that Vault does not count its changes.
    """

    def __init__(self) -> None:
        self.count = 0
        self.silent = False
        self._latest: _DatedRevision | None = None

    def note(self, header: str | None, began: datetime) -> None:
        """Note the revision in the answer of a call that began at ``began``, or in a message queued at that moment."""
        revision = read_revision(header)
        if revision is None:
            return
        self.count += 1
        self.silent = False
        # The clock of a queue may be ahead: of a moment that has not come, nothing is known.
        if began > datetime.now(UTC):
            return
        latest = self._latest
        if latest is None or began >= latest.since:
            self._latest = _DatedRevision(revision, began)
        elif revision != latest.revision:
            # Clocks differ, so which of the two is newer is unknown here: the Vault is asked.
            self._latest = None

    def at(self, moment: datetime) -> Revision | None:
        """Return the revision at ``moment`` or later; None when none so late is known."""
        latest = self._latest
        known = latest is not None and latest.since >= moment
        if latest is not None and known:
            return latest.revision
        return None


def read_revision(header: str | None) -> Revision | None:
    """Return the revision in a header; None without one."""
    if header is None or len(header) > MAX_LENGTH:
        return None
    # The count of the lookups comes last.
    configuration, _, lookups = header.rpartition(".")
    return Revision(configuration, lookups) if configuration else None
