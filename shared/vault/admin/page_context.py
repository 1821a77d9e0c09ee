"""Provides pages with the caller, the session and the form of a request, and with ways to answer it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, cast
from urllib.parse import quote, urlsplit
from uuid import UUID, uuid4, uuid5

import orjson
from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from shared.protocol.error_types import ErrorType
from shared.protocol.plain_paths import is_plain_path
from shared.vault.access.caller import Caller
from shared.vault.access.permissions import Grant, Operation, granted, may, may_change
from shared.vault.admin import cookies
from shared.vault.admin.cookies import NoteKind
from shared.vault.admin.error_advice import in_labels
from shared.vault.admin.navigation import menu_of
from shared.vault.admin.rendering import render
from shared.vault.api.file_body import UploadForm, upload_form
from shared.vault.api.request_context import admitted, vault_of
from shared.vault.errors import ApiError, VaultFault
from shared.vault.security.sent_forms import Outcome
from shared.vault.security.sessions import invalid_session

if TYPE_CHECKING:
    from shared.vault.assembly.vault import Vault
    from shared.vault.components.registry import Registry
    from shared.vault.model.component_model import VaultObject
    from shared.vault.records.rows import RowResult

HOME = "/ui/"
SIGN_IN = "/ui/sign-in"
# Sent by htmx, which asks for pages in the name of nobody.
REDRAWN = "HX-Request"
FORM_ID = "form_id"
THEN = "then"  # what the pressed button of a form with several of them sends
READING = frozenset({"GET", "HEAD"})
NOTE_SECONDS = 60


@dataclass(slots=True)
class PageContext:
    """The context of one request to a page: its signed-in caller, and its form, which a page of this session sent."""

    request: Request
    vault: Vault
    caller: Caller
    secret: str  # the session's id, as the cookie has it
    unread: int = 0  # notifications of the caller
    form: UploadForm = field(default_factory=lambda: UploadForm({}, None))

    @property
    def registry(self) -> Registry:
        """Return the present components."""
        return self.vault.components.registry

    def page(
        self, template: str, http_status: int = 200, /, **values: object
    ) -> Response:
        """Return a page in the layout of the Vault, with the message of a preceding redirect, if any."""
        name = cookies.note_cookie(self.vault.vault_id)
        # What is drawn anew of another page, perhaps in another tab, would not show the message.
        is_part = "hx-request" in self.request.headers
        cookie = "" if is_part else self.request.cookies.get(name, "")
        note = cookies.read_note(self.secret, cookie) if cookie else None
        shared = {"context": self, "note": note}
        response = render(template, {**shared, **values}, http_status)
        # Shown once: the next page must not repeat it.
        if cookie:
            cookies.clear_cookie(response, name)
        return response

    def go(self, path: str, text: str = "", kind: NoteKind = NoteKind.DONE) -> Response:
        """Return a redirect from a form to another page, which shows ``text`` as a message of this kind."""
        # 303, so that a browser that reloads the page does not send the form again.
        response = RedirectResponse(path, 303)
        if text:
            note = cookies.write_note(self.secret, kind, text)
            name = cookies.note_cookie(self.vault.vault_id)
            cookies.set_cookie(self.request, response, name, note, NOTE_SECONDS)
        return response

    def go_with(
        self,
        path: str,
        result: RowResult,
        text: str,
        target: VaultObject | None = None,
        kind: NoteKind = NoteKind.DONE,
    ) -> Response:
        """Return a redirect with the result of one record (of ``target``): ``text``, a warning, or the error."""
        if result.errors:
            return self.refuse(path, result.errors[0], target)
        return self.go(path, result.warning or text, kind)

    def refuse(
        self, path: str, error: ApiError, target: VaultObject | None = None
    ) -> Response:
        """Return a redirect with the text of a refusal, labels in place of names, the error's type last."""
        text = in_labels(error.message, self.registry, target)
        return self.go(path, f"{text} ({error.type})", NoteKind.REFUSED)

    async def once(self, carry_out: Callable[[], Awaitable[Outcome]]) -> Outcome | str:
        """Carry out the request's form unless it was carried out before, and return the result, or the earlier result.

        None when the form was refused.

        :raises VaultFault: as ``SentForms.once``.
        """
        form_id = self._form_id()
        if form_id is None:
            return await carry_out()
        forms = self.vault.sent_forms
        return await forms.once(form_id, self.caller.user_id, carry_out)

    async def earlier(self) -> str | None:
        """Return the result of an earlier submission of the request's form; None if there was none, or it was refused.

        :raises VaultFault: as ``SentForms.once``.
        """

        async def not_carried_out() -> str | None:
            return None

        return await self.once(not_carried_out)

    def _form_id(self) -> UUID | None:
        """Return the id of the submitted form with its input; None for a form that no page of this Vault has made."""
        try:
            form_id = UUID(self.form.fields.get(FORM_ID, ""))
        except ValueError:
            return None
        # A form that is sent again with other values, after going back, counts as another form.
        fields = self.form.fields.items()
        typed = sorted(each for each in fields if each[0] not in (FORM_ID, THEN))
        return uuid5(form_id, orjson.dumps(typed).decode())

    @property
    def form_id(self) -> UUID:
        """Return a new id for a form on this page, by which a second submission is recognized."""
        return uuid4()

    @property
    def token(self) -> str:
        """Return the token of the forms of this session."""
        return cookies.form_token(self.secret)

    @property
    def menu(self) -> list[object]:
        """Return the entries of the menu that the caller sees, each with whether this page belongs to it."""
        path = self.request.url.path
        return list(menu_of(self.caller, path))

    def may(self, object_name: str, operation: str) -> bool:
        """Return whether the caller may do the operation on the records of an object."""
        # By name, as templates have no enumerations.
        wanted = Operation(operation)
        return may(self.caller, object_name, wanted)

    def granted(self, grant: str) -> bool:
        """Return whether the caller has a grant."""
        return granted(self.caller, Grant(grant))

    def may_change(self, component_type: str) -> bool:
        """Return whether the caller may change components of a type."""
        return may_change(self.caller, component_type)

    def address(self, **changed: object) -> str:
        """Return the address of this page with some parameters changed; those that are None are omitted."""
        url = self.request.url
        # Without changes the query stays as it is: encoded anew, it might look different.
        if changed:
            kept = {name: each for name, each in changed.items() if each is not None}
            url = url.remove_query_params(list(changed)).include_query_params(**kept)
        return f"{url.path}?{url.query}" if url.query else url.path


def page_context(
    file_bytes: int | Callable[[Vault], int] = 0,
    admit: Callable[[Caller], None] = lambda _: None,
) -> Callable[[Request], AsyncIterator[PageContext]]:
    """Return a dependency that yields the context of a request, whose form may have a file of at most ``file_bytes``.

    ``file_bytes`` may be a function of the Vault. ``admit`` raises a fault for callers who may not send the form,
    before the form is read.
    """

    async def context(request: Request) -> AsyncIterator[PageContext]:
        """Yield the context.

        :raises VaultFault: INVALID_SESSION_ID without a live session; OPERATION_NOT_ALLOWED for a form that does not
            come from a page of this session.
        """
        vault = vault_of(request)
        secret = request.cookies.get(cookies.session_cookie(vault.vault_id), "")
        # An open page that draws itself anew does not keep the session alive.
        by_user = REDRAWN not in request.headers
        caller = await admitted(request, secret or None, used=by_user)
        # Pages are for people; a remote Vault has its session for calls.
        if caller.connection_id is not None:
            raise invalid_session()
        # A page that draws itself anew keeps its head, which shows the number.
        unread = await vault.notifications.unread(caller) if by_user else 0
        current = PageContext(request, vault, caller, secret, unread)
        request.state.page_context = current
        if request.method in READING:
            yield current
            return
        admit(caller)
        most = file_bytes(vault) if callable(file_bytes) else file_bytes
        async with upload_form(request, most) as form:
            require_form_token(secret, form)
            current.form = form
            yield current

    return context


CurrentPage = Annotated[PageContext, Depends(page_context())]


def require_form_token(secret: str, form: UploadForm) -> None:
    """Check that a form comes from a page of this session, not from another site.

    :raises VaultFault: OPERATION_NOT_ALLOWED when it does not.
    """
    # Taken out: what is left are the fields of the page.
    token = form.fields.pop("token", "")
    if not secret or not cookies.is_form_token(secret, token):
        message = "The form does not come from a page of this session; open the page again and repeat what you did"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)


def page_context_of(request: Request) -> PageContext | None:
    """Return the context of a request; None when the request has no live session."""
    return cast("PageContext | None", getattr(request.state, "page_context", None))


def safe_target(address: str) -> str:
    """Return an address if it is a page of this Vault, else the home page."""
    parts = urlsplit(address)
    own = (
        not parts.scheme
        and not parts.netloc
        # The address and not its path, which hides repeated slashes: browsers take the name after them for a host.
        and address.startswith(HOME)
        # Browsers treat a backslash like a slash.
        and "\\" not in address
        and is_plain_path(parts.path)
    )
    printable = address.isascii() and address.isprintable()
    return address if own and printable else HOME


def sign_in_address(request: Request) -> str:
    """Return the address of the sign-in, after which the browser returns to this page, or to that of the sent form."""
    if request.method in READING:
        url = request.url
        back = f"{url.path}?{url.query}" if url.query else url.path
    else:
        # A form cannot be sent again after the sign-in: back to the page that had it.
        referrer = urlsplit(request.headers.get("referer", ""))
        back = referrer.path
    target = safe_target(back)
    return SIGN_IN if target == HOME else f"{SIGN_IN}?next={quote(target, safe='')}"
