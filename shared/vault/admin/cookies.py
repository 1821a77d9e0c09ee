"""Reads and writes the cookies of the pages: session, visitor and message, and the tokens that protect forms."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from enum import StrEnum
from typing import TYPE_CHECKING

import orjson

from shared.vault.api.own_address import origin

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection
    from starlette.responses import Response

PATH = "/ui"


class NoteKind(StrEnum):
    """The kinds of messages, after success or refusal; also the CSS class that colours a message.

    A message of what has begun goes when its page shows the end (redraw.js).
    """

    DONE = "done"
    BEGUN = "begun"
    REFUSED = "refused"


MAX_NOTE = 1000  # characters


def session_cookie(vault_id: int) -> str:
    """Return the name of the session's cookie."""
    # With the Vault's id, as Vaults at different ports of one host share a browser's cookies.
    return f"vault_{vault_id}_session"


def visitor_cookie(vault_id: int) -> str:
    """Return the name of the cookie that ties the sign-in form to the browser that opened it."""
    return f"vault_{vault_id}_visitor"


def note_cookie(vault_id: int) -> str:
    """Return the name of the cookie that carries a message over a redirect."""
    return f"vault_{vault_id}_note"


def new_visitor() -> str:
    """Return a random value for a browser without a session."""
    return secrets.token_hex(32)


def set_cookie(
    request: HTTPConnection,
    response: Response,
    name: str,
    value: str,
    max_age: int | None = None,
) -> None:
    """Set a cookie that scripts cannot read and other sites cannot send; with TLS, one for TLS only."""
    secure = origin(request).startswith("https:")
    response.set_cookie(
        name, value, max_age, path=PATH, secure=secure, httponly=True, samesite="strict"
    )


def clear_cookie(response: Response, name: str) -> None:
    """Remove a cookie from the browser."""
    response.delete_cookie(name, path=PATH, httponly=True, samesite="strict")


def seal(secret: str, text: str) -> str:
    """Return the HMAC-SHA256 of a text, in hexadecimal."""
    # A cookie may have any bytes, which arrive as lone surrogates: they must not end in an error.
    key = secret.encode("utf-8", "surrogatepass")
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def form_token(secret: str) -> str:
    """Return the token of all forms of a session; before sign-in, ``secret`` is the value of the visitor's cookie."""
    return seal(secret, "form")


def is_form_token(secret: str, token: str) -> bool:
    """Return whether a token is the one that the forms of this session have."""
    expected = form_token(secret).encode()
    # In constant time, so that the time does not say how much of it is right.
    return hmac.compare_digest(expected, token.encode("utf-8", "surrogatepass"))


def write_note(secret: str, kind: NoteKind, text: str) -> str:
    """Return the value of a cookie with a message for the page after a redirect; cut the text to 1,000 characters."""
    # Browsers take cookies of 4 KB.
    message = orjson.dumps([kind, text[:MAX_NOTE]])
    body = base64.urlsafe_b64encode(message).decode()
    # Sealed, so that nobody else can put words onto a page.
    return f"{body}.{seal(secret, body)}"


def read_note(secret: str, value: str) -> tuple[NoteKind, str] | None:
    """Return kind and text of a message; None unless it was written for this session."""
    body, _, written = value.partition(".")
    # compare_digest() takes ASCII text only.
    if not value.isascii() or not hmac.compare_digest(seal(secret, body), written):
        return None
    try:
        kind, text = orjson.loads(base64.urlsafe_b64decode(body))
        return NoteKind(kind), str(text)
    except (binascii.Error, ValueError):
        return None
