"""Keeps the components of what a transaction writes as they are until it ends, and no others."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.vault.storage.database import Connection

# Locks tables as writing them does; returns the revision of the components.
HOLD = "SELECT platform.hold_tables($1)"
# Waits for those who write the table, and lets readers pass.
LOCK_TABLE = "LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"

_written: ContextVar[set[str] | None] = ContextVar("written", default=None)


class ComponentsChanged(Exception):
    """Raised when components changed while they were used; the transaction is repeated with the new ones."""


@contextmanager
def noting_written() -> Iterator[set[str]]:
    """Yield the tables that this task writes in the block, as SQL names them; more of them as it writes."""
    written: set[str] = set()
    token = _written.set(written)
    try:
        yield written
    finally:
        _written.reset(token)


def note_written(table: str) -> None:
    """Note a table that is about to be written by the components of its rows."""
    written = _written.get()
    if written is not None:
        written.add(table)


async def hold_tables(connection: Connection, tables: Collection[str]) -> int:
    """Keep the components of tables as they are until the transaction ends; return the revision that they have now."""
    revision: int = await connection.fetchval(HOLD, list(tables))
    return revision


async def lock_tables(connection: Connection, tables: Sequence[str]) -> None:
    """Wait until nobody writes the tables, and keep everybody from it until the transaction ends."""
    for name in tables:
        await connection.execute(LOCK_TABLE.format(table=name))
