"""The cookies of the pages: a Vault's own session id, a message for the next page, and seals that only we can make."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

import orjson

from shared.vault.api.request_context import origin

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection
    from starlette.responses import Response

PATH = "/ui"
MAX_NOTE = 1000  # characters


def session_cookie(vault_id: int) -> str:
    """The cookie of the session; Vaults on one host, at different ports, share a browser's cookies."""
    return f"vault_{vault_id}_session"


def visitor_cookie(vault_id: int) -> str:
    """The cookie that ties the sign-in form to the browser that asked for it."""
    return f"vault_{vault_id}_visitor"


def note_cookie(vault_id: int) -> str:
    """The cookie that carries a message over a redirect."""
    return f"vault_{vault_id}_note"


def new_visitor() -> str:
    """A value for a browser without a session."""
    return secrets.token_hex(32)


def set_cookie(
    request: HTTPConnection,
    response: Response,
    name: str,
    value: str,
    max_age: int | None = None,
) -> None:
    """Set a cookie that no script reads and no other site sends; over TLS it is sent over TLS only."""
    secure = origin(request).startswith("https:")
    response.set_cookie(
        name, value, max_age, path=PATH, secure=secure, httponly=True, samesite="strict"
    )


def clear_cookie(response: Response, name: str) -> None:
    """Have the browser forget a cookie."""
    response.delete_cookie(name, path=PATH, httponly=True, samesite="strict")


def seal(secret: str, text: str) -> str:
    """What only who knows the secret can have made of the text."""
    return hmac.new(
        secret.encode("utf-8", "surrogatepass"), text.encode(), hashlib.sha256
    ).hexdigest()


def form_token(secret: str) -> str:
    """The token that each form carries: of the session, or of the visitor before there is one."""
    return seal(secret, "form")


def is_form_token(secret: str, given: str) -> bool:
    """Whether a form came from a page of ours."""
    return hmac.compare_digest(
        form_token(secret).encode(), given.encode("utf-8", "surrogatepass")
    )


def write_note(secret: str, kind: str, text: str) -> str:
    """A message of a kind (``done`` or ``refused``) for the page after a redirect, as a cookie's value."""
    body = base64.urlsafe_b64encode(orjson.dumps([kind, text[:MAX_NOTE]])).decode()
    return f"{body}.{seal(secret, body)}"


def read_note(secret: str, value: str) -> tuple[str, str] | None:
    """The kind and text of a message, None unless it was written for this session."""
    body, _, given = value.partition(".")
    if not body.isascii() or not hmac.compare_digest(
        seal(secret, body), given if given.isascii() else ""
    ):
        return None
    try:
        kind, text = orjson.loads(base64.urlsafe_b64decode(body))
    except (binascii.Error, ValueError):
        return None
    return str(kind), str(text)
