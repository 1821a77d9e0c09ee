"""What calls of a Vault come to, read from answers that are not trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from shared.client.errors import UnexpectedAnswer, VaultRefused
from shared.protocol.error_types import ErrorType

Row: TypeAlias = dict[str, object]

MAX_MESSAGE_LENGTH = 2000
SOURCE_MODIFIED = "source_modified_date__sys"
"""In a row: when the record that it was copied from was last modified; in a result: the state that is stored."""
LINEAGE = "lineage__sys"
"""In a row: number of its origin in the call's lineage, message id, and the source record's id or None."""


@dataclass(frozen=True, slots=True)
class ApiError:
    """One error of an answer; ``type`` is contractual, ``message`` is for people."""

    type: str
    message: str


@dataclass(frozen=True, slots=True)
class RowResult:
    """What one row of a bulk call came to. A row that changed nothing is ``ok``.

    ``event`` is ``created__sys`` or ``updated__sys`` where the Vault says so. ``newer`` is the stored source state
    of a row that was left out because it may tell of an older one.
    """

    ok: bool
    id: str | None = None
    event: str | None = None
    errors: tuple[ApiError, ...] = ()
    newer: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a query; ``total`` counts the rows of all pages, ``describe`` is as asked for."""

    rows: list[Row]
    total: int
    next_page: str | None = None
    describe: Row | None = None


@dataclass(frozen=True, slots=True)
class QueryResult:
    """All rows of a query, and its ``queryDescribe`` block when asked for."""

    rows: list[Row] = field(default_factory=list)
    describe: Row | None = None


def read_errors(answer: Mapping[str, object]) -> tuple[ApiError, ...]:
    """Return the errors of an envelope or of one row of it."""
    listed = answer.get("errors")
    if not isinstance(listed, list):
        return ()
    return tuple(
        ApiError(
            str(error.get("type", ErrorType.UNEXPECTED_ERROR)),
            str(error.get("message", ""))[:MAX_MESSAGE_LENGTH],
        )
        for error in listed
        if isinstance(error, dict)
    )


def check_envelope(answer: object) -> Row:
    """Return a successful envelope.

    :raises VaultRefused: with the first error of a FAILURE or EXCEPTION.
    :raises UnexpectedAnswer: it is no envelope.
    """
    envelope = mapping(answer, "answer")
    status = envelope.get("responseStatus")
    if status in ("SUCCESS", "WARNING"):
        return envelope
    if status not in ("FAILURE", "EXCEPTION"):
        raise UnexpectedAnswer("answer without a responseStatus")
    errors = read_errors(envelope)
    if errors:
        raise VaultRefused(errors[0].type, errors[0].message)
    message = envelope.get("responseMessage")
    raise VaultRefused(
        ErrorType.UNEXPECTED_ERROR,
        message if isinstance(message, str) else f"{status} without an error",
    )


def mapping(value: object, name: str) -> Row:
    """Return a JSON object, or raise :class:`UnexpectedAnswer` naming it."""
    if not isinstance(value, dict):
        raise UnexpectedAnswer(f"{name} is not a JSON object")
    return value


def rows_of(value: object, name: str) -> list[Row]:
    """Return a list of JSON objects, or raise :class:`UnexpectedAnswer` naming it."""
    if not isinstance(value, list) or not all(type(row) is dict for row in value):
        raise UnexpectedAnswer(f"{name} is not a list of JSON objects")
    return cast(list[Row], value)


def text_of(value: object, name: str) -> str:
    """Return a text that is not empty, or raise :class:`UnexpectedAnswer` naming it."""
    if not isinstance(value, str) or not value:
        raise UnexpectedAnswer(f"{name} is not a text")
    return value


def whole(value: object, name: str) -> int:
    """Return a whole number, or raise :class:`UnexpectedAnswer` naming it."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnexpectedAnswer(f"{name} is not a whole number")
    return value


def read_page(answer: Row) -> Page:
    """Read the answer of a query."""
    rows = rows_of(answer.get("data"), "data")
    details = mapping(answer.get("responseDetails", {}), "responseDetails")
    following = details.get("next_page")
    describe = answer.get("queryDescribe")
    return Page(
        rows=rows,
        total=whole(details.get("total", len(rows)), "responseDetails.total"),
        next_page=None
        if following is None
        else text_of(following, "responseDetails.next_page"),
        describe=None if describe is None else mapping(describe, "queryDescribe"),
    )


def read_row_results(answer: Row, expected: int) -> list[RowResult]:
    """Read one result a row, in the order of the rows sent; a single row may be answered bare."""
    data = answer.get("data")
    rows = rows_of([data] if isinstance(data, dict) else data, "data")
    if len(rows) != expected:
        raise UnexpectedAnswer(f"{len(rows)} results for {expected} rows")
    return [_row_result(row) for row in rows]


def _row_result(row: Row) -> RowResult:
    # Records are answered as {"data": {"id": …}}, user actions as {"id": …}.
    data = row.get("data", row)
    about = data if isinstance(data, dict) else {}
    record, event, newer = (
        about.get("id"),
        about.get("event"),
        about.get(SOURCE_MODIFIED),
    )
    ok = row.get("responseStatus", about.get("responseStatus")) in (
        "SUCCESS",
        "WARNING",
    )
    errors = read_errors(row)
    if not ok and not errors:
        errors = (ApiError(ErrorType.UNEXPECTED_ERROR, "failed without an error"),)
    return RowResult(
        ok=ok,
        id=str(record)
        if isinstance(record, str | int)
        else None,  # those of documents are numbers
        event=event if isinstance(event, str) else None,
        errors=() if ok else errors,
        newer=newer if isinstance(newer, str) else None,
    )


Json = Mapping[str, object]


def text(row: Json, name: str) -> str:
    """A text or single-value picklist of an answer row; empty when it has none."""
    value = row.get(name)
    if isinstance(value, list):
        value = value[0] if value else None
    return "" if value is None else str(value)
