"""One request to a page: whose session its cookie names, the form that came with it, and how it is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, cast
from urllib.parse import quote, urlsplit

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, Operation, granted, may, may_change
from shared.vault.admin import cookies
from shared.vault.admin.navigation import menu_of
from shared.vault.admin.rendering import render
from shared.vault.api.body import MAX_ROWS_BYTES
from shared.vault.api.file_body import UploadForm, upload_form
from shared.vault.api.request_session import admitted, vault_of
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.assembly.vault import Vault
    from shared.vault.components.registry import Registry
    from shared.vault.records.rows import RowResult

HOME = "/ui/"
SIGN_IN = "/ui/sign-in"
READING = frozenset({"GET", "HEAD"})
NOTE_SECONDS = 60
DONE, REFUSED = "done", "refused"


@dataclass(slots=True)
class Visit:
    """What a page works with; a form has been checked to come from a page of this session."""

    request: Request
    vault: Vault
    caller: Caller
    secret: str  # the session's id, as the cookie has it
    form: UploadForm = field(default_factory=lambda: UploadForm({}, None))

    @property
    def registry(self) -> Registry:
        """The components as they are now."""
        return self.vault.components.registry

    def page(
        self, template: str, http_status: int = 200, /, **context: object
    ) -> Response:
        """A page in the layout of the Vault, with the message that a redirect has left."""
        name = cookies.note_cookie(self.vault.vault_id)
        given = self.request.cookies.get(name, "")
        note = cookies.read_note(self.secret, given) if given else None
        response = render(
            template, {"visit": self, "note": note, **context}, http_status
        )
        if given:
            cookies.clear_cookie(response, name)
        return response

    def go(self, path: str, text: str = "", *, refused: bool = False) -> Response:
        """Answer a form: on to another page, which tells what has come of it."""
        response = RedirectResponse(path, 303)
        if text:
            note = cookies.write_note(self.secret, REFUSED if refused else DONE, text)
            name = cookies.note_cookie(self.vault.vault_id)
            cookies.set_cookie(self.request, response, name, note, NOTE_SECONDS)
        return response

    def told(self, path: str, result: RowResult, text: str) -> Response:
        """As ``go``, with what became of one record: ``text``, or why it was refused."""
        if result.errors:
            error = result.errors[0]
            return self.go(path, f"{error.type}: {error.message}", refused=True)
        return self.go(path, result.warning or text)

    @property
    def token(self) -> str:
        """What a form of this session carries."""
        return cookies.form_token(self.secret)

    @property
    def menu(self) -> list[object]:
        """The entries of the menu that this caller is shown, each with whether it is where they are."""
        return list(menu_of(self.caller, self.request.url.path))

    def may(self, object_name: str, operation: str) -> bool:
        """Whether the caller may do this with the records of an object."""
        return may(self.caller, object_name, Operation(operation))

    def granted(self, grant: str) -> bool:
        """Whether the caller holds a grant."""
        return granted(self.caller, Grant(grant))

    def may_change(self, component_type: str) -> bool:
        """Whether the caller may change components of a type."""
        return may_change(self.caller, component_type)

    def address(self, **changed: object) -> str:
        """The address of this page with some of its parameters changed."""
        url = (
            self.request.url.include_query_params(**changed)
            if changed
            else self.request.url
        )
        return f"{url.path}?{url.query}" if url.query else url.path


async def visit(request: Request) -> AsyncIterator[Visit]:
    """The visit that a request makes.

    :raises VaultFault: INVALID_SESSION_ID without a live session; OPERATION_NOT_ALLOWED for a form that does not
        come from a page of this session.
    """
    vault = vault_of(request)
    secret = request.cookies.get(cookies.session_cookie(vault.vault_id), "")
    caller = await admitted(request, secret or None)
    made = Visit(request, vault, caller, secret)
    request.state.visit = made
    if request.method in READING:
        yield made
        return
    async with upload_form(request, MAX_ROWS_BYTES) as form:
        require_form_token(secret, form)
        made.form = form
        yield made


Visiting = Annotated[Visit, Depends(visit)]


def require_form_token(secret: str, form: UploadForm) -> None:
    """Refuse a form that another site may have had the browser send; raises VaultFault."""
    if not secret or not cookies.is_form_token(secret, form.fields.pop("token", "")):
        message = "The form does not come from a page of this session; open the page again and repeat what you did"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)


def visit_of(request: Request) -> Visit | None:
    """The visit of a request, None where it has not come to be one."""
    return cast("Visit | None", getattr(request.state, "visit", None))


def safe_target(given: str) -> str:
    """A page of ours to go on to; the home page where the address given is none."""
    parts = urlsplit(given)
    ours = (
        not parts.scheme
        and not parts.netloc
        and parts.path.startswith(HOME)
        and "\\" not in given
    )
    printable = given.isascii() and given.isprintable()
    return given if ours and printable else HOME


def sign_in_address(request: Request) -> str:
    """Where to sign in, and to come back from: to the page itself, or to the one whose form was sent."""
    if request.method in READING:
        back = (
            f"{request.url.path}?{request.url.query}"
            if request.url.query
            else request.url.path
        )
    else:
        referrer = urlsplit(request.headers.get("referer", ""))
        back = referrer.path
    target = safe_target(back)
    return SIGN_IN if target == HOME else f"{SIGN_IN}?next={quote(target, safe='')}"
