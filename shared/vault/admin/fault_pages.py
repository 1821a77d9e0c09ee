"""What goes wrong on the way to a page, as a page: the documented error type and a text to act on."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from shared.protocol.error_types import ErrorType
from shared.vault.admin.rendering import render
from shared.vault.admin.visit import sign_in_address, visit_of
from shared.vault.errors import ApiError, VaultFault

if TYPE_CHECKING:
    from starlette.requests import Request

STATUSES: Mapping[ErrorType, int] = {
    ErrorType.INSUFFICIENT_ACCESS: HTTPStatus.FORBIDDEN,
    ErrorType.MALFORMED_URL: HTTPStatus.NOT_FOUND,
    ErrorType.METHOD_NOT_SUPPORTED: HTTPStatus.METHOD_NOT_ALLOWED,
    ErrorType.EXCEEDS_FILE_MAX_SIZE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ErrorType.API_LIMIT_EXCEEDED: HTTPStatus.TOO_MANY_REQUESTS,
    ErrorType.RACE_CONDITION: HTTPStatus.CONFLICT,
    ErrorType.CONFIGURATION_MODE_ENABLED: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The HTTP status of an error's page; 400 of all others."""


def status_of(error: ApiError) -> int:
    """The HTTP status of a page that tells of the error."""
    return STATUSES.get(error.type, HTTPStatus.BAD_REQUEST)


def error_page(error: ApiError, status: int) -> Response:
    """A page without a menu, for who may have no session."""
    return render("error.html", {"error": error, "visit": None, "note": None}, status)


async def on_fault(request: Request, error: Exception) -> Response:
    """What a service refuses; without a live session the way leads to the sign-in and back."""
    if not isinstance(error, VaultFault):
        raise error
    if error.error.type is ErrorType.INVALID_SESSION_ID:
        return RedirectResponse(sign_in_address(request), 303)
    return _page(request, error.error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Unknown paths and wrong verbs."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return _page(
            request,
            ApiError(
                ErrorType.METHOD_NOT_SUPPORTED,
                f"The page does not take {request.method}",
            ),
        )
    return _page(request, ApiError(ErrorType.MALFORMED_URL, "There is no such page"))


async def on_invalid_parameter(request: Request, error: Exception) -> Response:
    """A parameter of the wrong type; the page names it and leaves its value out."""
    if not isinstance(error, RequestValidationError):
        raise error
    names = ", ".join(str(problem["loc"][-1]) for problem in error.errors())
    return _page(
        request,
        ApiError(
            ErrorType.INVALID_DATA, f"Invalid value for parameter [{names[:200]}]"
        ),
    )


def _page(request: Request, error: ApiError) -> Response:
    status = status_of(error)
    visit = visit_of(request)
    return (
        error_page(error, status)
        if visit is None
        else visit.page("error.html", status, error=error)
    )
