"""The envelopes of the API: every answer's shape, success or error, is made here and nowhere else."""

from __future__ import annotations

import csv
import io
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

from shared.protocol.error_types import ErrorType
from shared.spark.broker_errors import BrokerUnavailable
from shared.vault.access.moments import moment
from shared.vault.api.request_context import is_api
from shared.vault.components.platform import SOURCE_MODIFIED
from shared.vault.errors import ApiError, VaultFault
from shared.vault.records.row_results import RowResult
from shared.vault.storage.database import DatabaseUnavailable

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

JSON = "application/json;charset=UTF-8"
STATUS_HEADER = "X-VaultAPI-Status"
AUTHENTICATION_FAILED = "AUTHENTICATION_FAILED"
NO_DATA_CHANGES = "NO_DATA_CHANGES"
NEWER_SOURCE_STATE = "NEWER_SOURCE_STATE"


class Status(StrEnum):
    """Values of ``responseStatus``: FAILURE is the caller's fault, EXCEPTION the server's."""

    SUCCESS = "SUCCESS"
    WARNING = "WARNING"
    FAILURE = "FAILURE"
    EXCEPTION = "EXCEPTION"


def answer(
    status: Status, members: Mapping[str, object], http_status: int = 200
) -> Response:
    """An envelope as a response; values may be ``orjson.Fragment`` where the JSON is there already."""
    body = orjson.dumps({"responseStatus": status, **members})
    return Response(body, http_status, {STATUS_HEADER: status}, JSON)


def success(**members: object) -> Response:
    """A SUCCESS envelope with these members; ``data=…`` as a rule."""
    return answer(Status.SUCCESS, members)


def failure(error: ApiError, *, error_type: str | None = None) -> Response:
    """A FAILURE envelope with one error; HTTP 200, as for everything that the Vault itself has processed."""
    return failures([error], error_type=error_type)


def failures(
    errors: Sequence[ApiError],
    members: Mapping[str, object] | None = None,
    *,
    error_type: str | None = None,
) -> Response:
    """A FAILURE envelope with all its errors, and what further ``members`` the endpoint gives."""
    body: dict[str, object] = {
        "responseMessage": None,
        "errors": errors_json(errors),
        **(members or {}),
    }
    if error_type is not None:
        body["errorType"] = error_type
    return answer(Status.FAILURE, body)


def exception(error: ApiError, http_status: int) -> Response:
    """An EXCEPTION envelope: the request may have been right, the server was not."""
    return answer(
        Status.EXCEPTION,
        {"responseMessage": None, "errors": errors_json([error])},
        http_status,
    )


def errors_json(errors: Sequence[ApiError]) -> list[dict[str, str]]:
    """The ``errors`` list of an envelope or of one row."""
    return [{"type": error.type, "message": error.message} for error in errors]


def batch(results: Sequence[RowResult], records_url: str | None) -> Response:
    """The outcome of a record call, row by row in input order.

    ``records_url`` is the object's collection (``/api/{v}/vobjects/{object}``), the head of each record's own
    url, or None where the records are gone. Failed rows leave the envelope SUCCESS; a row without changes makes
    it WARNING.
    """
    rows = [_row(result, records_url) for result in results]
    return _outcome(results, rows)


def single(result: RowResult, records_url: str | None) -> Response:
    """The outcome of a record call with one record sent as a form: ``data`` is an object."""
    if not result.ok:
        return failures(result.errors)
    return _outcome([result], _row_data(result, records_url))


def unchanged(message: str, data: object) -> Response:
    """A call that would have changed nothing: WARNING, and what there is as ``data``."""
    return answer(Status.WARNING, {"warnings": no_changes(message), "data": data})


def no_changes(message: str) -> list[dict[str, str]]:
    """The ``warnings`` of a row or call that would have changed nothing."""
    return [{"warning_type": NO_DATA_CHANGES, "message": message}]


def action_batch(results: Sequence[RowResult]) -> Response:
    """The outcome of a user action on several records; rows carry the id beside the status."""
    return success(data=[_action_row(result) for result in results])


def _outcome(results: Sequence[RowResult], data: object) -> Response:
    first = next((result for result in results if result.warning), None)
    if first is None:
        return answer(Status.SUCCESS, {"data": data})
    return answer(Status.WARNING, {"warnings": _warnings(first), "data": data})


def _row(result: RowResult, records_url: str | None) -> dict[str, object]:
    data = _row_data(result, records_url)
    if result.errors:
        failed: dict[str, object] = {"responseStatus": Status.FAILURE}
        if data:
            failed["data"] = data
        failed["errors"] = errors_json(result.errors)
        return failed
    if result.warning:
        return {
            "responseStatus": Status.WARNING,
            "data": data,
            "warnings": _warnings(result),
        }
    return {"responseStatus": Status.SUCCESS, "data": data}


def _row_data(result: RowResult, records_url: str | None) -> dict[str, str]:
    data: dict[str, str] = {}
    if result.id is not None:
        data["id"] = result.id
    if result.id is not None and result.ok and records_url is not None:
        data["url"] = f"{records_url}/{result.id}"
    if result.event is not None:
        data["event"] = result.event
    if result.id_param_value is not None:
        data["id_param_value"] = result.id_param_value
    if (newer := moment(result.newer)) is not None:
        data[SOURCE_MODIFIED.name] = newer
    return data


def _action_row(result: RowResult) -> dict[str, object]:
    if result.ok:
        return {"responseStatus": Status.SUCCESS, "id": result.id}
    return {
        "responseStatus": Status.FAILURE,
        "id": result.id,
        "errors": errors_json(result.errors),
    }


def _warnings(result: RowResult) -> list[dict[str, str | None]]:
    kind = NO_DATA_CHANGES if result.newer is None else NEWER_SOURCE_STATE
    return [{"warning_type": kind, "message": result.warning}]


RESULT_COLUMNS = ("responseStatus", "id", "event", "id_param_value", "errors")


FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def results_csv(results: Sequence[RowResult]) -> Response:
    """Row results as CSV; a row's errors share one cell, each ``TYPE|message``."""
    sheet = io.StringIO(newline="")
    writer = csv.writer(sheet, lineterminator="\r\n")
    writer.writerow(RESULT_COLUMNS)
    for result in results:
        cells = (
            _status(result),
            result.id,
            result.event,
            result.id_param_value,
            _errors_cell(result.errors),
        )
        writer.writerow([safe_cell(cell or "") for cell in cells])
    outcome = (
        Status.WARNING if any(result.warning for result in results) else Status.SUCCESS
    )
    return Response(
        sheet.getvalue().encode(),
        200,
        {STATUS_HEADER: outcome},
        "text/csv;charset=UTF-8",
    )


def safe_cell(text: str) -> str:
    """The text in a form that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _status(result: RowResult) -> Status:
    if result.errors:
        return Status.FAILURE
    return Status.WARNING if result.warning else Status.SUCCESS


def _errors_cell(errors: Sequence[ApiError]) -> str:
    return "\n".join(f"{error.type}|{error.message}" for error in errors)


log = structlog.get_logger(__name__)


# No connection was had, or the server itself said that it undid the transaction: worth asking again.
PASSING = (
    DatabaseUnavailable,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidCachedStatementError,
)


# A connection went away under a call: whether the call was carried out is not known.
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
    BrokerUnavailable,
)


READING = frozenset({"GET", "HEAD"})


def status_of(error: Exception, method: str) -> int:
    """The HTTP status of an EXCEPTION envelope.

    Public clients send a call again after 429, 500, 502 and 503, writes included. So 503 is said only when
    nothing was committed; 504, which they do not repeat by themselves, when that is not known; and a defect met
    by a write is told with 200, since it may have come after the commit.
    """
    if isinstance(error, PASSING):
        return HTTPStatus.SERVICE_UNAVAILABLE
    if isinstance(error, LOST):
        return (
            HTTPStatus.SERVICE_UNAVAILABLE
            if method in READING
            else HTTPStatus.GATEWAY_TIMEOUT
        )
    return HTTPStatus.INTERNAL_SERVER_ERROR if method in READING else HTTPStatus.OK


class Faults:
    """ASGI middleware that answers what no handler below it has answered, and logs it.

    ``respond`` makes the answer of an error and an HTTP status.
    """

    def __init__(
        self,
        app: ASGIApp,
        respond: Callable[[ApiError, int], Response] = exception,
    ) -> None:
        self._app = app
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on; an exception becomes an EXCEPTION envelope unless an answer has begun."""
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
            response = self._answer(scope, error)
            if begun:
                raise
            await response(scope, receive, send)

    def _answer(self, scope: Scope, error: Exception) -> Response:
        http_status = status_of(error, scope["method"])
        execution_id = scope.get("state", {}).get("execution_id")
        if http_status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT):
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
    """A request that cannot be carried out: FAILURE, with HTTP 200."""
    if not isinstance(error, VaultFault):
        raise error
    return failure(error.error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Unknown paths and wrong verbs: an envelope under ``/api``, plain HTTP elsewhere."""
    if not isinstance(error, HTTPException):
        raise error
    if not is_api(request.url.path):
        return PlainTextResponse(error.detail, error.status_code, error.headers)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        message = f"The resource does not support {request.method}"
        return failure(ApiError(ErrorType.METHOD_NOT_SUPPORTED, message))
    if error.status_code == HTTPStatus.NOT_FOUND:
        return failure(ApiError(ErrorType.MALFORMED_URL, "The resource does not exist"))
    return failure(ApiError(ErrorType.INVALID_DATA, "The request cannot be read"))


async def on_invalid_parameter(_request: Request, error: Exception) -> Response:
    """A query parameter of the wrong type; the answer names it and leaves its value out."""
    if not isinstance(error, RequestValidationError):
        raise error
    names = ", ".join(str(problem["loc"][-1]) for problem in error.errors())
    return failure(
        ApiError(ErrorType.INVALID_DATA, f"Invalid value for parameter [{names[:200]}]")
    )
