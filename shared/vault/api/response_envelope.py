"""Makes the answers of the API: envelopes of results, results as CSV, and envelopes of faults."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING

import asyncpg
import orjson
import structlog
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from shared.protocol.csv_cells import exact_csv_text
from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import date_time_text
from shared.spark.broker_errors import BrokerUnavailable
from shared.vault.api.absent_features import absent_feature
from shared.vault.api.request_context import is_api
from shared.vault.components.platform import SOURCE_MODIFIED
from shared.vault.errors import ApiError, VaultFault, bounded_errors
from shared.vault.records.rows import RowResult, with_unchanged
from shared.vault.storage.database import DatabaseUnavailable
from shared.vault.storage.server_faults import SERVER_FAULTS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

JSON = "application/json;charset=UTF-8"
CSV = "text/csv;charset=UTF-8"
STATUS_HEADER = "X-VaultAPI-Status"
AUTHENTICATION_FAILED = "AUTHENTICATION_FAILED"

RESULT_COLUMNS = ("responseStatus", "id", "event", "id_param_value", "errors")
# Spreadsheets run a cell that begins so; a value that somebody has stored must not be run by who opens the file.

# No connection was available, or the server undid the transaction itself: sending the call again is safe.
PASSING = (
    DatabaseUnavailable,
    *SERVER_FAULTS,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidCachedStatementError,
)
# A connection was lost during a call: whether the call was carried out is not known.
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
    BrokerUnavailable,
)
READING = frozenset({"GET", "HEAD"})
UNAVAILABLE = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)

log = structlog.get_logger(__name__)


class Status(StrEnum):
    """Values of ``responseStatus``: FAILURE is the caller's fault, EXCEPTION the server's."""

    SUCCESS = "SUCCESS"
    WARNING = "WARNING"
    FAILURE = "FAILURE"
    EXCEPTION = "EXCEPTION"


class WarningType(StrEnum):
    """Values of ``warning_type``: why a call or row has changed nothing, or has no result yet."""

    NO_DATA_CHANGES = "NO_DATA_CHANGES"
    NEWER_SOURCE_STATE = "NEWER_SOURCE_STATE"
    OPERATION_IN_PROGRESS = "OPERATION_IN_PROGRESS"


def answer(
    status: Status,
    members: Mapping[str, object],
    http_status: int = 200,
) -> Response:
    """Return an envelope with these members; already serialized values are passed as ``orjson.Fragment``."""
    body = orjson.dumps({"responseStatus": status, **members})
    return Response(body, http_status, {STATUS_HEADER: status}, JSON)


def success(**members: object) -> Response:
    """Return a SUCCESS envelope with these members, usually ``data``."""
    return answer(Status.SUCCESS, members)


def failure(error: ApiError, *, error_type: str | None = None) -> Response:
    """Return a FAILURE envelope with one error."""
    return failures([error], error_type=error_type)


def failures(
    errors: Sequence[ApiError],
    members: Mapping[str, object] | None = None,
    *,
    error_type: str | None = None,
) -> Response:
    """Return a FAILURE envelope with all errors and with further ``members``, which the endpoint chooses.

    Its HTTP status is 200, as always when the Vault has processed the call.
    """
    body: dict[str, object] = {"errors": errors_json(errors), **(members or {})}
    if error_type is not None:
        body["errorType"] = error_type
    return answer(Status.FAILURE, body)


def exception(error: ApiError, http_status: int) -> Response:
    """Return an EXCEPTION envelope: the server has failed, and the request may have been right."""
    members = {"errors": errors_json([error])}
    return answer(Status.EXCEPTION, members, http_status)


def errors_json(errors: Sequence[ApiError]) -> list[dict[str, str]]:
    """Return the ``errors`` of an envelope or of one row."""
    named = bounded_errors(errors)
    return [{"type": error.type, "message": error.message} for error in named]


def batch(results: Sequence[RowResult], records_url: str | None) -> Response:
    """Return the results of a record call, row by row in input order.

    ``records_url`` is the address of the object's records (``/api/{v}/vobjects/{object}``), the prefix of each record's
    ``url``; None where the records are deleted. A failed row leaves the envelope SUCCESS, since the other rows are
    stored; a row that changes nothing makes it WARNING.
    """
    rows = [_row(result, records_url) for result in results]
    return _outcome(results, {"data": rows})


def wants_brief(accept: str) -> bool:
    """Return whether an Accept header names JSON with the parameter ``results=brief``: only ids and events of rows."""
    entries = accept.lower().replace('"', "").replace(" ", "").split(",")
    kinds = (entry.split(";") for entry in entries)
    return any(
        kind == "application/json" and "results=brief" in parameters
        for kind, *parameters in kinds
    )


def brief(results: Sequence[RowResult], records_url: str | None) -> Response:
    """Return the ids and events of rows, each as a list in input order, in place of an entry for each row.

    If that does not say all about them, as of a row that failed or was left out, each has its entry, as in ``batch``.
    """
    marked = with_unchanged(results)
    if any(result.errors or result.newer is not None for result in marked):
        return batch(marked, records_url)
    ids = [result.id for result in marked]
    events = [result.event for result in marked]
    return _outcome(marked, {"ids": ids, "events": events})


def single(result: RowResult, records_url: str | None) -> Response:
    """Return the result of a call that writes one record, sent as a form: ``data`` is an object, not a list."""
    if not result.ok:
        return failures(result.errors)
    return _outcome([result], {"data": _row_data(result, records_url)})


def unchanged(message: str, data: object) -> Response:
    """Return a WARNING envelope for a call that changes nothing, with the stored values as ``data``."""
    return answer(Status.WARNING, {"warnings": no_changes(message), "data": data})


def in_progress(message: str, **members: object) -> Response:
    """Return a WARNING envelope, with these members, for results that do not exist yet.

    It is not a FAILURE, because public clients stop polling at FAILURE as well as at SUCCESS.
    """
    warning = {"warning_type": WarningType.OPERATION_IN_PROGRESS, "message": message}
    return answer(Status.WARNING, {"warnings": [warning], **members})


def no_changes(message: str) -> list[dict[str, str]]:
    """Return the ``warnings`` of a row or call that changes nothing."""
    return [{"warning_type": WarningType.NO_DATA_CHANGES, "message": message}]


def action_batch(results: Sequence[RowResult]) -> Response:
    """Return the results of a user action on several records; rows have the id next to the status."""
    return success(data=[_action_row(result) for result in results])


def by_id(results: Sequence[RowResult]) -> Sequence[RowResult]:
    """Return the results without an ``id_param_value``, for rows that name their record by ``id``."""
    for result in results:
        # A row that failed has no id of its own yet: the one that it was sent with names it.
        result.id = result.id or result.id_param_value
        result.id_param_value = None
    return results


def _outcome(results: Sequence[RowResult], members: Mapping[str, object]) -> Response:
    """Return an envelope of ``members``: WARNING if a result has a warning, else SUCCESS."""
    first = next((result for result in results if result.warning), None)
    if first is None:
        return answer(Status.SUCCESS, members)
    return answer(Status.WARNING, {"warnings": _warnings(first), **members})


def _row(result: RowResult, records_url: str | None) -> dict[str, object]:
    """Return the entry of one row: status, data, and its errors or warnings."""
    data = _row_data(result, records_url)
    row: dict[str, object] = {"responseStatus": _status(result)}
    if not result.errors:
        row["data"] = data
        if result.warning:
            row["warnings"] = _warnings(result)
        return row
    # A row that failed before its record was found has nothing to name.
    if data:
        row["data"] = data
    row["errors"] = errors_json(result.errors)
    return row


def _row_data(result: RowResult, records_url: str | None) -> dict[str, str]:
    """Return the ``data`` of a row, without members that do not apply."""
    data: dict[str, str] = {}
    if result.id is not None:
        data["id"] = result.id
        if not result.errors and records_url is not None:
            data["url"] = f"{records_url}/{result.id}"
    if result.event is not None:
        data["event"] = result.event
    if result.id_param_value is not None:
        data["id_param_value"] = result.id_param_value
    if result.newer is not None:
        data[SOURCE_MODIFIED.name] = date_time_text(result.newer) or ""
    return data


def _action_row(result: RowResult) -> dict[str, object]:
    """Return the entry of one record in the results of a user action."""
    status = Status.SUCCESS if result.ok else Status.FAILURE
    row: dict[str, object] = {"responseStatus": status, "id": result.id}
    if not result.ok:
        row["errors"] = errors_json(result.errors)
    return row


def _warnings(result: RowResult) -> list[dict[str, str | None]]:
    """Return the ``warnings`` of a row that has one."""
    unchanged = result.newer is None
    kind = WarningType.NO_DATA_CHANGES if unchanged else WarningType.NEWER_SOURCE_STATE
    return [{"warning_type": kind, "message": result.warning}]


def _status(result: RowResult) -> Status:
    """Return the ``responseStatus`` of one row."""
    if result.errors:
        return Status.FAILURE
    return Status.WARNING if result.warning else Status.SUCCESS


def results_csv(results: Sequence[RowResult]) -> Response:
    """Return row results as CSV (RFC 4180); a row's errors share one cell, each ``TYPE|message``."""
    lines: list[Sequence[object]] = [RESULT_COLUMNS]
    for result in results:
        named = bounded_errors(result.errors)
        errors = [f"{error.type}|{error.message}" for error in named]
        cells = (
            _status(result),
            result.id,
            result.event,
            result.id_param_value,
            "\n".join(errors),
        )
        lines.append(cells)
    warned = any(result.warning for result in results)
    status = Status.WARNING if warned else Status.SUCCESS
    content = exact_csv_text(lines).encode()
    return Response(content, 200, {STATUS_HEADER: status}, CSV)


def status_of(error: Exception, method: str) -> int:
    """Return the HTTP status of the EXCEPTION envelope for an error in a call with this HTTP method."""
    # Public clients send a call again after 429, 500, 502 and 503, writes included. So 503 means that nothing
    # was committed; 504, which they do not repeat by themselves, that this is not known; and a write that meets
    # a defect gets 200, since the defect may have come after the commit.
    reading = method in READING
    if isinstance(error, PASSING):
        return HTTPStatus.SERVICE_UNAVAILABLE
    if isinstance(error, LOST):
        if reading:
            return HTTPStatus.SERVICE_UNAVAILABLE
        return HTTPStatus.GATEWAY_TIMEOUT
    return HTTPStatus.INTERNAL_SERVER_ERROR if reading else HTTPStatus.OK


class Faults:
    """ASGI middleware that logs and answers the exceptions that no other handler has answered.

    ``respond`` returns the answer to an error with an HTTP status.
    """

    def __init__(
        self,
        app: ASGIApp,
        respond: Callable[[ApiError, int], Response] = exception,
    ) -> None:
        self._app = app
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on; answer an exception, or close the connection if an answer has begun."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def watched_send(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except ClientDisconnect:
            return  # nobody is left to be answered
        except Exception as error:
            response = self._logged_answer(scope, error)
            # A second status line cannot be sent: the server closes the connection, so that half is not taken for all.
            if begun:
                raise
            await response(scope, receive, send)

    def _logged_answer(self, scope: Scope, error: Exception) -> Response:
        """Log the error and return its answer, which contains the call's id and no detail of the error."""
        http_status = status_of(error, scope["method"])
        execution_id = scope.get("state", {}).get("execution_id")
        if http_status in UNAVAILABLE:
            # Expected while a server restarts: one line, without a traceback.
            log.warning(
                "request.unavailable",
                reason=type(error).__name__,
                execution_id=execution_id,
            )
            message = "The Vault is starting, or cannot reach its database or broker; try again later"
        else:
            log.error(
                "request.failed",
                method=scope["method"],
                execution_id=execution_id,
                exc_info=error,
            )
            message = f"An unexpected error occurred; execution {execution_id}"
        return self._respond(ApiError(ErrorType.UNEXPECTED_ERROR, message), http_status)


async def on_fault(_request: Request, error: Exception) -> Response:
    """Return the FAILURE envelope of a request that cannot be carried out."""
    if not isinstance(error, VaultFault):
        raise error
    return failure(error.error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Return the answer for an unknown path or a wrong verb: an envelope for the API, plain HTTP elsewhere."""
    if not isinstance(error, HTTPException):
        raise error
    if not is_api(request.url.path):
        return PlainTextResponse(error.detail, error.status_code, error.headers)
    feature = absent_feature(request.url.path)
    if feature is not None:
        return failure(ApiError(ErrorType.OPERATION_NOT_ALLOWED, feature.message))
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        message = f"The resource does not support {request.method}"
        return failure(ApiError(ErrorType.METHOD_NOT_SUPPORTED, message))
    if error.status_code == HTTPStatus.NOT_FOUND:
        message = "The resource does not exist"
        return failure(ApiError(ErrorType.MALFORMED_URL, message))
    return failure(ApiError(ErrorType.INVALID_DATA, "The request cannot be read"))


async def on_invalid_parameter(request: Request, error: Exception) -> Response:
    """Return the FAILURE envelope for a parameter of the wrong type."""
    if not isinstance(error, RequestValidationError):
        raise error
    # A name of such a feature may stand where a route has an id.
    feature = absent_feature(request.url.path)
    if feature is not None:
        return failure(ApiError(ErrorType.OPERATION_NOT_ALLOWED, feature.message))
    # Names only: a value may be a secret, or of any length.
    names = ", ".join(str(problem["loc"][-1]) for problem in error.errors())
    message = f"Invalid value for parameter [{names[:200]}]"
    return failure(ApiError(ErrorType.INVALID_DATA, message))
