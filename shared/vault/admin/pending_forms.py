"""Keeps the input of a form whose session has expired until the user has signed in, so that it need not be retyped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.vault.admin.page_context import safe_target
from shared.vault.api.file_body import upload_form
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

MAX_FORM = 64_000  # bytes of a form that is kept; a longer one is typed again
_PREFIX = "kept:"
_AGAIN = "again"


@dataclass(frozen=True, slots=True)
class PendingForm:
    """The address to which a form was sent, and its fields without the token of the ended session."""

    address: str
    fields: Mapping[str, str]

    def hidden_fields(self) -> dict[str, str]:
        """Return the hidden fields by which the sign-in form carries this form."""
        kept = {f"{_PREFIX}{name}": value for name, value in self.fields.items()}
        return {_AGAIN: self.address, **kept}


def is_from_this_vault(request: Request) -> bool:
    """Return whether a form was sent from a page of this Vault, according to the browser.

    A form from another site is not saved: a user who signs in would submit it in their own name.
    """
    named = request.headers.get("origin") or request.headers.get("referer", "")
    here = f"{request.url.scheme}://{request.url.netloc}"
    return named == here or named.startswith(f"{here}/")


async def form_of_expired_session(request: Request) -> PendingForm | None:
    """Return the form of a request whose session has expired; None for a form that is too long or has a file.

    Because the form is read without a session, it may be as long as a sign-in form only.
    """
    length = request.headers.get("content-length", "")
    if not length.isascii() or not length.isdigit() or len(length) > len(str(MAX_FORM)):
        return None
    if int(length) > MAX_FORM:
        return None
    try:
        async with upload_form(request, 0) as form:
            if form.file is not None and form.file.size:
                return None
            fields = {"token": "", **form.fields}
    except VaultFault:
        # The request is not a form: there is nothing to keep.
        return None
    del fields["token"]
    # The form has only a button and no typed values: its page is opened again.
    if not fields.keys() - {"form_id"}:
        return None
    url = request.url
    address = f"{url.path}?{url.query}" if url.query else url.path
    return PendingForm(safe_target(address), fields)


def pending_form_of(fields: Mapping[str, str]) -> PendingForm | None:
    """Return the saved form in the fields of a sign-in form; None when there is none."""
    address = fields.get(_AGAIN)
    if address is None:
        return None
    kept = {
        name.removeprefix(_PREFIX): value
        for name, value in fields.items()
        if name.startswith(_PREFIX)
    }
    return PendingForm(safe_target(address), kept)
