"""Finds the sessions that a visitor of the pages has: of this Vault, and of another one on the same host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.vault.admin.cookies import session_cookie
from shared.vault.connections.connector_questions import AskerSessions

if TYPE_CHECKING:
    from shared.vault.admin.visit import Visit

# Header values are ASCII; ids of sessions are short.
MAX_SESSION = 500


def asker_sessions(visit: Visit, source: int | None = None) -> AskerSessions:
    """Return the sessions with which the connector is asked; of the Vault ``source`` only if the browser sends one."""
    other = ""
    if source is not None:
        other = visit.request.cookies.get(session_cookie(source), "")
    usable = other.isascii() and other.isprintable() and len(other) <= MAX_SESSION
    return AskerSessions(visit.secret, other if usable else "")
