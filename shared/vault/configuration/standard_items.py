"""Records which items of the standard configuration a Vault has, and which were withheld from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import structlog

from shared.vault.access.permissions import Grant, authorize

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.storage.database import Connection, Database

log = structlog.get_logger(__name__)

# The items of a kind.
NOTES = "SELECT name, given, withheld FROM platform.standard_item WHERE kind = $1"
INSTALLED = "SELECT given FROM platform.standard_item WHERE kind = $1 AND name = $2"
# Items that the Vault has now, in this version.
RECORD_INSTALLED = """
INSERT INTO platform.standard_item (kind, name, given) SELECT $1, * FROM unnest($2::text[], $3::text[])
ON CONFLICT (kind, name) DO UPDATE SET given = excluded.given, withheld = NULL, reason = NULL, withheld_date = NULL
"""
# An item that was withheld. The row is returned only when it is new, for it to be logged once.
WITHHOLD = """
INSERT INTO platform.standard_item AS i (kind, name, withheld, reason, withheld_date) VALUES ($1, $2, $3, $4, now())
ON CONFLICT (kind, name) DO UPDATE
SET withheld = excluded.withheld, reason = excluded.reason, withheld_date = excluded.withheld_date
WHERE i.withheld IS DISTINCT FROM excluded.withheld
RETURNING name
"""
# All items that are withheld.
WITHHELD = """
SELECT kind, name, withheld, reason, withheld_date FROM platform.standard_item
WHERE withheld IS NOT NULL ORDER BY kind, name
"""


class StandardLoadFailed(Exception):
    """Raised when a new Vault refuses an item of its standard configuration, which is a fault of the installation."""


class Note(NamedTuple):
    """The text of an item as last installed, and of a later version that was withheld; None where there is none."""

    installed: str | None = None
    withheld: str | None = None


class StandardPass:
    """One pass through a part of the standard configuration; ``first`` in a Vault that has no item of the part yet."""

    def __init__(self, connection: Connection, *, first: bool) -> None:
        self._connection = connection
        self._first = first

    async def notes(self, kind: str) -> Mapping[str, Note]:
        """Return the notes of the items of a kind that were installed or withheld before, by name."""
        rows = await self._connection.fetch(NOTES, kind)
        return {row["name"]: Note(row["given"], row["withheld"]) for row in rows}

    async def record_installed(self, kind: str, items: Mapping[str, str]) -> None:
        """Store that items were installed; ``items`` are their texts by name."""
        names, texts = list(items), list(items.values())
        await self._connection.execute(RECORD_INSTALLED, kind, names, texts)

    async def withhold(
        self,
        kind: str,
        name: str,
        text: str,
        reason: str,
    ) -> None:
        """Store that an item could not be installed, and log it the first time.

        :raises StandardLoadFailed: in a new Vault, where every item has to be accepted.
        """
        if self._first:
            message = f"{kind} {name}: {reason}"
            raise StandardLoadFailed(message)
        if await self._connection.fetchval(WITHHOLD, kind, name, text, reason):
            log.warning("standard.withheld", kind=kind, name=name, reason=reason)

    async def fetch(self, sql: str, *values: object) -> list[Record]:
        """Return rows of the database, within the transaction of the pass."""
        return await self._connection.fetch(sql, *values)


async def withheld(database: Database, caller: Caller) -> list[Record]:
    """Return the withheld items, which administrators have to look at.

    :raises VaultFault: INSUFFICIENT_ACCESS when the caller is no administrator.
    """
    authorize(caller, Grant.EXECUTE_MDL)
    async with database.connection() as connection:
        return await connection.fetch(WITHHELD)


async def delivered_mdl(
    database: Database, caller: Caller, kind: str, name: str
) -> str | None:
    """Return a component of the standard configuration as MDL; None for one that it does not contain.

    :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not read the configuration.
    """
    authorize(caller, Grant.READ_CONFIGURATION)
    async with database.connection() as connection:
        found: str | None = await connection.fetchval(INSTALLED, kind, name)
    return found
