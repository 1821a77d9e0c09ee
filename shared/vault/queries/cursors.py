"""Stores cursors, the positions in paged results, and makes the addresses of pages from them."""

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
    from shared.vault.storage.database import Connection, Database

CURSOR_HOURS = 72  # from the query or the last page asked for
MAX_POSITIONS = 1000  # pages whose place is stored; others are found by counting
STARTED = "started"
# A source of one row for a statement whose commit does not wait for the disk: that takes longer than a page's rows.
AT_ONCE = "set_config('synchronous_commit', 'off', true)"


@dataclass(frozen=True, slots=True)
class Cursor:
    """A query whose pages are being read: its text, the size of its result, its time, and the starts of its pages.

    ``positions`` maps the offset of a page to the last record id of the page before it, for the pages served so far.
    """

    id: UUID
    query: str
    total: int
    started: datetime
    positions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ChildPage:
    """A page of one sub-select's rows: of the record ``parent_id``, in the sub-select with this number."""

    number: int
    parent_id: str


def no_such_page() -> VaultFault:
    """Return the error for an address that belongs to no page."""
    return VaultFault(ErrorType.INVALID_DATA, "There is no such query page")


def read_address(address: str) -> tuple[UUID, ChildPage | None]:
    """Return the cursor's id in an address, and the sub-select that it names: ``{uuid}.{number}.{record id}``.

    The sub-select is None for ``{uuid}`` alone.

    :raises VaultFault: INVALID_DATA when the address has neither form.
    """
    identifier, _, rest = address.partition(".")
    number, _, parent_id = rest.partition(".")
    try:
        child = ChildPage(int(number), parent_id) if rest else None
        return UUID(identifier), child
    except ValueError as error:
        raise no_such_page() from error


class CursorStore:
    """Stores the cursors of a Vault; each belongs to the user who ran the query."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(
        self, connection: Connection, caller: Caller, cursor: Cursor
    ) -> None:
        """Store a new cursor, over the connection of its query.

        If PostgreSQL crashes within a second, the cursor may be gone, and its pages are refused.
        """
        positions = _positions_json(cursor, cursor.positions)
        await connection.execute(
            "INSERT INTO platform.query_cursor (id, user_id, query, total, positions)"
            f" SELECT $1, $2, $3, $4, $5::jsonb FROM {AT_ONCE}",
            cursor.id,
            caller.user_id,
            cursor.query,
            cursor.total,
            positions,
        )

    async def purge(self) -> None:
        """Delete the cursors that are too old to be found."""
        async with self._database.connection() as connection:
            await connection.execute(
                "DELETE FROM platform.query_cursor WHERE created_date < now() - $1 * interval '1 hour'",
                CURSOR_HOURS,
            )

    async def find(self, caller: Caller, identifier: UUID) -> Cursor:
        """Return the cursor with this id.

        :raises VaultFault: INVALID_DATA when the cursor is not the caller's, or has expired.
        """
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
        # A cursor without a moment of its own began when it was stored.
        moment = row["created_date"]
        if started is not None:
            moment = datetime.fromisoformat(started)
        return Cursor(identifier, row["query"], row["total"], moment, positions)

    async def record_served(
        self, connection: Connection, cursor: Cursor, following: Mapping[str, str]
    ) -> None:
        """Record that a page was served: restart the cursor's time, and store the positions of ``following`` pages."""
        # This waits for the disk: without its place, a later page would be found by counting, and might repeat records.
        # Beyond the limit the places begin anew: the row stays small, and earlier pages are found by counting.
        known = cursor.positions
        if len(known) >= MAX_POSITIONS:
            known = {}
        every = {**known, **following}
        positions = _positions_json(cursor, every)
        await connection.execute(
            "UPDATE platform.query_cursor SET created_date = now(), positions = $2::jsonb WHERE id = $1",
            cursor.id,
            positions,
        )


def _positions_json(cursor: Cursor, positions: Mapping[str, str]) -> str:
    """Return the positions of pages as JSON, with the moment of the query, which has no column of its own."""
    document = {STARTED: cursor.started.isoformat(), **positions}
    return orjson.dumps(document).decode()
