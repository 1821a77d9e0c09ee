"""Signing in and out in the browser, and changing a password that has to be changed first."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from shared.protocol.error_types import ErrorType
from shared.vault.admin import cookies
from shared.vault.admin.rendering import render
from shared.vault.admin.visit import SIGN_IN, Visiting, require_form_token, safe_target
from shared.vault.api import request_context as session
from shared.vault.api.file_body import UploadForm, upload_form
from shared.vault.errors import ApiError, VaultFault

router = APIRouter()

MAX_BYTES = 10_000


@router.get("/sign-in")
async def sign_in_form(request: Request, next: str = "") -> Response:
    """The form."""
    return _form(
        request,
        "sign_in.html",
        {"next": safe_target(next), "username": "", "error": None},
    )


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Opens a session, a new one each time, and goes on to where the browser was sent from."""
    vault = session.vault_of(request)
    async with upload_form(request, MAX_BYTES) as form:
        require_form_token(_visitor(request), form)
        fields = form.fields
    username, target = fields.get("username", ""), safe_target(fields.get("next", ""))
    try:
        opened = await session.sign_in(request, username, fields.get("password", ""))
    except VaultFault as fault:
        return _form(
            request,
            "sign_in.html",
            {"next": target, "username": username, "error": fault.error},
            401,
        )
    response = RedirectResponse(target, 303)
    cookies.set_cookie(
        request, response, cookies.session_cookie(vault.vault_id), opened.session_id
    )
    cookies.clear_cookie(response, cookies.visitor_cookie(vault.vault_id))
    return response


@router.get("/password")
async def password_form(request: Request) -> Response:
    """The form."""
    return _form(request, "password.html", {"username": "", "error": None})


@router.post("/password")
async def change_password(request: Request) -> Response:
    """Changes a password for which the current one is known; the way goes on to the sign-in."""
    async with upload_form(request, MAX_BYTES) as form:
        require_form_token(_visitor(request), form)
    username = form.fields.get("username", "")
    try:
        await _change(request, form)
    except VaultFault as fault:
        return _form(
            request, "password.html", {"username": username, "error": fault.error}, 401
        )
    return RedirectResponse(SIGN_IN, 303)


async def _change(request: Request, form: UploadForm) -> None:
    fields = form.fields
    new = fields.get("new_password", "")
    if new != fields.get("repeated", ""):
        raise VaultFault(
            ErrorType.INVALID_DATA, "The new password and its repetition differ"
        )
    security = session.vault_of(request).security
    await security.change_password(
        fields.get("username", ""), fields.get("password", ""), new, None
    )


@router.post("/sign-out")
async def sign_out(visit: Visiting) -> Response:
    """Ends the session."""
    await visit.vault.security.sign_out(visit.caller)
    response = RedirectResponse(SIGN_IN, 303)
    cookies.clear_cookie(response, cookies.session_cookie(visit.vault.vault_id))
    return response


def _visitor(request: Request) -> str:
    return request.cookies.get(
        cookies.visitor_cookie(session.vault_of(request).vault_id), ""
    )


def _form(
    request: Request,
    template: str,
    context: dict[str, str | ApiError | None],
    status: int = 200,
) -> Response:
    """A form for who has no session yet, tied to their browser by a cookie."""
    vault = session.vault_of(request)
    visitor = _visitor(request) or cookies.new_visitor()
    shared = {
        "visit": None,
        "note": None,
        "vault": vault.definition,
        "token": cookies.form_token(visitor),
    }
    response = render(template, {**shared, **context}, status)
    cookies.set_cookie(
        request, response, cookies.visitor_cookie(vault.vault_id), visitor
    )
    return response
