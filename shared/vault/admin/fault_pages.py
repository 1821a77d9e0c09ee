"""Shows faults as pages: the documented error type, and a text with advice."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from shared.protocol.error_types import ErrorType
from shared.vault.admin.error_advice import advice_on
from shared.vault.admin.page_context import (
    READING,
    REDRAWN,
    page_context_of,
    sign_in_address,
)
from shared.vault.admin.pending_forms import form_of_expired_session, is_from_this_vault
from shared.vault.admin.rendering import render
from shared.vault.admin.sign_in import sign_in_page
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
"""The HTTP statuses of errors' pages; those of all others are 400, the request's fault."""


def status_of(error: ApiError) -> int:
    """Return the HTTP status of a page that shows the error."""
    # Most errors are the request's fault, which is what 400 says.
    return STATUSES.get(error.type, HTTPStatus.BAD_REQUEST)


def error_page(error: ApiError, status: int) -> Response:
    """Return the page of an error for a request without a session: without a menu."""
    advice = advice_on(error)
    context = {"error": error, "advice": advice, "context": None, "note": None}
    return render("error.html", context, status)


async def on_fault(request: Request, error: Exception) -> Response:
    """Show a service's refusal; without a live session, redirect to the sign-in, which returns to this page."""
    if not isinstance(error, VaultFault):
        raise error
    if error.error.type is ErrorType.INVALID_SESSION_ID:
        return await _to_sign_in(request)
    return _page(request, error.error)


async def _to_sign_in(request: Request) -> Response:
    """Redirect to the sign-in, and keep the input of a submitted form of these pages."""
    if request.method not in READING and REDRAWN in request.headers:
        # A script has asked for a part of a form: without a redirect, the page keeps what was typed.
        return Response(status_code=HTTPStatus.UNAUTHORIZED)
    if request.method not in READING and is_from_this_vault(request):
        kept = await form_of_expired_session(request)
        if kept is not None:
            return sign_in_page(request, kept.address, kept)
    return RedirectResponse(sign_in_address(request), 303)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Show that the page does not exist, or that it does not support the HTTP method."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        message = f"This address accepts only submitted forms, not {request.method}"
        return _page(request, ApiError(ErrorType.METHOD_NOT_SUPPORTED, message))
    return _page(
        request, ApiError(ErrorType.MALFORMED_URL, "There is no page at this address")
    )


async def on_invalid_parameter(request: Request, error: Exception) -> Response:
    """Show that a parameter is of the wrong type."""
    if not isinstance(error, RequestValidationError):
        raise error
    # Names only: a value may be personal data.
    names = ", ".join(str(problem["loc"][-1]) for problem in error.errors())
    message = f"The address has an invalid value for [{names[:200]}]"
    return _page(request, ApiError(ErrorType.INVALID_DATA, message))


def _page(request: Request, error: ApiError) -> Response:
    """Return the page of an error, with the menu when the request has a session."""
    status = status_of(error)
    context = page_context_of(request)
    if context is None:
        return error_page(error, status)
    advice = advice_on(error)
    return context.page("error.html", status, error=error, advice=advice)
