"""Serves signing in and out, and changing a password that must be changed before signing in."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from shared.protocol.error_types import ErrorType
from shared.vault.admin import cookies
from shared.vault.admin.page_context import (
    SIGN_IN,
    CurrentPage,
    require_form_token,
    safe_target,
)
from shared.vault.admin.pending_forms import PendingForm, pending_form_of
from shared.vault.admin.rendering import render
from shared.vault.api import request_context as session
from shared.vault.api.file_body import UploadForm, upload_form
from shared.vault.api.signing_in import client_of
from shared.vault.api.signing_in import sign_in as sign_in_with
from shared.vault.errors import ApiError, VaultFault

router = APIRouter()

MAX_BYTES = 10_000

Context = Mapping[str, str | ApiError | Mapping[str, str] | None]


@router.get("/sign-in")
async def sign_in_form(
    request: Request,
    next: str = "",
) -> Response:
    """Show the sign-in form."""
    # Before it stands in the form: a link to the sign-in may name any address.
    target = safe_target(next)
    return sign_in_page(request, target)


def sign_in_page(
    request: Request, target: str, kept: PendingForm | None = None
) -> Response:
    """Return the sign-in form with the address of the next page; ``kept`` is the form of an expired session, if any."""
    context: Context = {
        "next": target,
        "username": "",
        "error": None,
        "carried": kept.hidden_fields() if kept else {},
    }
    return _form(request, "sign_in.html", context)


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Open a new session and redirect to the page from which the browser was sent here."""
    vault = session.vault_of(request)
    async with upload_form(request, MAX_BYTES) as form:
        require_form_token(_visitor(request), form)
        fields = form.fields
    kept = pending_form_of(fields)
    username = fields.get("username", "")
    target = safe_target(fields.get("next", ""))
    try:
        opened = await sign_in_with(request, username, fields.get("password", ""))
    except VaultFault as fault:
        refused: Context = {
            "next": target,
            "username": username,
            "error": fault.error,
            "carried": kept.hidden_fields() if kept else {},
        }
        return _form(request, "sign_in.html", refused, 401)
    response = _onward(request, opened.session_id, target, kept)
    # A new session each time: one that somebody planted in the browser before is not taken over.
    name = cookies.session_cookie(vault.vault_id)
    cookies.set_cookie(request, response, name, opened.session_id)
    cookies.clear_cookie(response, cookies.visitor_cookie(vault.vault_id))
    return response


def _onward(
    request: Request, session_id: str, target: str, kept: PendingForm | None
) -> Response:
    """Return a redirect to the requested page, or a page on which the user submits the saved form again."""
    if kept is None:
        return RedirectResponse(target, 303)
    context = {
        "context": None,
        "note": None,
        "vault": session.vault_of(request).definition,
        "token": cookies.form_token(session_id),
        "kept": kept,
    }
    return render("again.html", context)


@router.get("/password")
async def password_form(request: Request) -> Response:
    """Show the form in which a user changes their password."""
    context: Context = {"username": "", "error": None}
    return _form(request, "password.html", context)


@router.post("/password")
async def change_password(request: Request) -> Response:
    """Change a password after checking the current one, and redirect to the sign-in."""
    async with upload_form(request, MAX_BYTES) as form:
        require_form_token(_visitor(request), form)
    username = form.fields.get("username", "")
    try:
        await _change(request, form)
    except VaultFault as fault:
        refused: Context = {"username": username, "error": fault.error}
        return _form(request, "password.html", refused, 401)
    return RedirectResponse(SIGN_IN, 303)


async def _change(request: Request, form: UploadForm) -> None:
    """Change the password of the user that a form names.

    :raises VaultFault: INVALID_DATA when the repeated password differs; and as ``SignInService.change_password``.
    """
    fields = form.fields
    new = fields.get("new_password", "")
    if new != fields.get("repeated", ""):
        raise VaultFault(
            ErrorType.INVALID_DATA, "The new password and its repetition differ"
        )
    security = session.vault_of(request).security
    username, current = fields.get("username", ""), fields.get("password", "")
    client = client_of(request)
    await security.change_password(username, current, new, client, None)


@router.post("/sign-out")
async def sign_out(context: CurrentPage) -> Response:
    """End the session."""
    await context.vault.security.sign_out(context.caller)
    response = RedirectResponse(SIGN_IN, 303)
    cookies.clear_cookie(response, cookies.session_cookie(context.vault.vault_id))
    return response


def _visitor(request: Request) -> str:
    """Return the value of the visitor's cookie, which ties forms to this browser; empty before the first form."""
    vault_id = session.vault_of(request).vault_id
    return request.cookies.get(cookies.visitor_cookie(vault_id), "")


def _form(
    request: Request,
    template: str,
    context: Context,
    status: int = 200,
) -> Response:
    """Return a form that needs no session, tied to the browser by a cookie."""
    vault = session.vault_of(request)
    visitor = _visitor(request) or cookies.new_visitor()
    shared = {
        "context": None,
        "note": None,
        "vault": vault.definition,
        "rehearsed": vault.rehearsal.switches.on(),
        "token": cookies.form_token(visitor),
    }
    response = render(template, {**shared, **context}, status)
    # Without it, another site could sign a browser in to an account of its own.
    name = cookies.visitor_cookie(vault.vault_id)
    cookies.set_cookie(request, response, name, visitor)
    return response
