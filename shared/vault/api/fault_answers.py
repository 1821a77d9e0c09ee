"""What goes wrong in a request, turned into the answer that a client can act on."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

import asyncpg
import structlog
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from shared.protocol.error_types import ErrorType
from shared.spark.broker_errors import BrokerUnavailable
from shared.vault.api.response_envelope import exception, failure
from shared.vault.api.request_headers import is_api
from shared.vault.errors import ApiError, VaultFault
from shared.vault.storage.database import DatabaseUnavailable

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
        return failure(
            ApiError(ErrorType.MALFORMED_URL, "The resource does not exist")
        )
    return failure(
        ApiError(ErrorType.INVALID_DATA, "The request cannot be read")
    )


async def on_invalid_parameter(_request: Request, error: Exception) -> Response:
    """A query parameter of the wrong type; the answer names it and leaves its value out."""
    if not isinstance(error, RequestValidationError):
        raise error
    names = ", ".join(str(problem["loc"][-1]) for problem in error.errors())
    return failure(
        ApiError(ErrorType.INVALID_DATA, f"Invalid value for parameter [{names[:200]}]")
    )
