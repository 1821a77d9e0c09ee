"""Cursors: what later pages of a query need, kept in the database so that any process can serve them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import orjson

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.storage.database import Database

CURSOR_HOURS = 72  # from the query or the last page asked for
MAX_POSITIONS = 1000  # pages whose place is kept; others are found by counting
STARTED = "started"


@dataclass(frozen=True, slots=True)
class Cursor:
    """A query under way: its text, the rows of its result, when it was first run, and where its pages begin.

    ``positions`` holds the last record id of each page served so far, by the offset that follows it.
    """

    id: UUID
    query: str
    total: int
    started: datetime
    positions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ChildPage:
    """Which children a page is of: those of one record, by the number of the sub-select that shows them."""

    number: int
    parent_id: str


def no_such_page() -> VaultFault:
    """The error about an address that no page gave."""
    return VaultFault(ErrorType.INVALID_DATA, "There is no such query page")


def read_address(address: str) -> tuple[UUID, ChildPage | None]:
    """A cursor's id, and the children it is followed by: ``{uuid}`` or ``{uuid}.{number}.{record id}``."""
    identifier, _, rest = address.partition(".")
    number, _, parent_id = rest.partition(".")
    try:
        child = ChildPage(int(number), parent_id) if rest else None
        return UUID(identifier), child
    except ValueError as error:
        raise no_such_page() from error


class CursorStore:
    """The cursors of a Vault; each belongs to the user who ran the query."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, caller: Caller, cursor: Cursor) -> None:
        """Keep a new cursor."""
        positions = {STARTED: cursor.started.isoformat(), **cursor.positions}
        async with self._database.connection() as connection:
            await connection.execute(
                "INSERT INTO platform.query_cursor (id, user_id, query, total, positions)"
                " VALUES ($1, $2, $3, $4, $5::jsonb)",
                cursor.id,
                caller.user_id,
                cursor.query,
                cursor.total,
                orjson.dumps(positions).decode(),
            )

    async def purge(self) -> None:
        """Forget the cursors that are too old to be found."""
        async with self._database.connection() as connection:
            await connection.execute(
                "DELETE FROM platform.query_cursor WHERE created_date < now() - $1 * interval '1 hour'",
                CURSOR_HOURS,
            )

    async def find(self, caller: Caller, identifier: UUID) -> Cursor:
        """The cursor with this id; raises VaultFault INVALID_DATA unless it is the caller's and not too old."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(
                "SELECT query, total, positions, created_date FROM platform.query_cursor"
                " WHERE id = $1 AND user_id = $2 AND created_date > now() - $3 * interval '1 hour'",
                identifier,
                caller.user_id,
                CURSOR_HOURS,
            )
        if row is None:
            raise no_such_page()
        positions = orjson.loads(row["positions"])
        started = positions.pop(STARTED, None)
        moment = (
            row["created_date"] if started is None else datetime.fromisoformat(started)
        )
        return Cursor(identifier, row["query"], row["total"], moment, positions)

    async def keep(self, cursor: Cursor, following: tuple[int, str] | None) -> None:
        """Note that a page was served: its time starts anew, and the page behind it begins after an id."""
        added = {} if following is None else {str(following[0]): following[1]}
        kept = {} if len(cursor.positions) >= MAX_POSITIONS else cursor.positions
        positions = {STARTED: cursor.started.isoformat(), **kept, **added}
        async with self._database.connection() as connection:
            await connection.execute(
                "UPDATE platform.query_cursor SET created_date = now(), positions = $2::jsonb WHERE id = $1",
                cursor.id,
                orjson.dumps(positions).decode(),
            )
