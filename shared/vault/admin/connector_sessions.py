"""Finds the caller's sessions: in this Vault, and in the remote Vault of a connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.vault.access.permissions import Operation, may
from shared.vault.admin.cookies import session_cookie
from shared.vault.admin.listing import selected
from shared.vault.connections.connection_rules import OBJECT
from shared.vault.connections.connector_questions import PageSessions
from shared.vault.vql import literal

if TYPE_CHECKING:
    from shared.vault.admin.listing import Row
    from shared.vault.admin.page_context import PageContext

# Header values are ASCII; ids of sessions are short.
MAX_SESSION = 500


@dataclass(frozen=True, slots=True)
class Source:
    """The source Vault of a connection, and the caller's sessions for questions to the connector about it.

    ``connection`` is the API name, ``connection_id`` the record's id.
    """

    connection_id: str
    connection: str
    vault_id: int
    vault_name: str
    sessions: PageSessions

    @property
    def has_session(self) -> bool:
        """Return whether the caller has a session in the source Vault; without one, none of its records are shown."""
        return bool(self.sessions.source)


def page_sessions(context: PageContext, source: int | None = None) -> PageSessions:
    """Return the caller's sessions for a question to the connector.

    ``source`` is the id of the source Vault; its session is empty unless the browser sends one.
    """
    other = ""
    if source is not None:
        other = context.request.cookies.get(session_cookie(source), "")
    usable = other.isascii() and other.isprintable() and len(other) <= MAX_SESSION
    return PageSessions(context.secret, other if usable else "")


async def source_of(
    context: PageContext, connection: str, key: str = "id"
) -> Source | None:
    """Return the source Vault of the connection whose field ``key`` has the value ``connection``.

    None when there is no such connection, or it has no remote Vault.
    """
    # PostgreSQL takes NUL in no text.
    wanted = literal(connection.replace("\x00", ""))
    found = await _sources(context, f" WHERE {key} = {wanted}") if connection else []
    return next(iter(found), None)


async def sources_of(context: PageContext) -> list[Source]:
    """Return the remote Vaults of all connections that the caller may read, each once."""
    if not may(context.caller, OBJECT, Operation.READ):
        return []
    found = await _sources(context, "")
    return list({source.vault_id: source for source in found}.values())


async def _sources(context: PageContext, where: str) -> list[Source]:
    columns = "id, api_name__sys, remote_vault_id__sys, remote_vault_name__sys"
    rows = await selected(context, f"SELECT {columns} FROM {OBJECT}{where}")
    return [_source(context, row) for row in rows if row["remote_vault_id__sys"]]


def _source(context: PageContext, row: Row) -> Source:
    vault_id = int(row["remote_vault_id__sys"])
    return Source(
        connection_id=str(row["id"]),
        connection=str(row["api_name__sys"]),
        vault_id=vault_id,
        vault_name=str(row["remote_vault_name__sys"] or f"Vault {vault_id}"),
        sessions=page_sessions(context, vault_id),
    )
