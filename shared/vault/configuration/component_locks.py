"""Locks, until a transaction ends, the components of those tables that it writes, and no others."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterator,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

import asyncpg

from shared.runtime.retry_policies import BUSY_TABLE

if TYPE_CHECKING:
    from shared.vault.storage.database import Connection

T = TypeVar("T")

# Locks tables as writing them does; returns the revision of the components.
LOCK_FOR_WRITING = "SELECT platform.lock_for_writing($1)"
# Waits for those who write the table, and lets readers pass.
LOCK_TABLE = "LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"
CANCEL_INDEX_BUILDS = """
SELECT pg_cancel_backend(pid) FROM pg_stat_progress_create_index WHERE relid = to_regclass($1)
"""
# Whoever wants a table waits behind those who already wait for it, and so behind what they wait for.
WAIT_BRIEFLY = "SET LOCAL lock_timeout = '500ms'"
WAIT_AS_OTHERS = "SET LOCAL lock_timeout = DEFAULT"

_written: ContextVar[set[str] | None] = ContextVar("written", default=None)


class ComponentsChanged(Exception):
    """Raised when components changed while a transaction used them; the transaction is repeated with the new ones."""


class TablesBusy(Exception):
    """Raised when other transactions use a table for longer than a change may wait; nothing was changed."""


@asynccontextmanager
async def short_lock_timeout(connection: Connection) -> AsyncIterator[None]:
    """Limit the wait for each table's lock to half a second within the block.

    :raises TablesBusy: a table was in use for longer; its cause is the driver's error.
    """
    await connection.execute(WAIT_BRIEFLY)
    try:
        yield
    except asyncpg.LockNotAvailableError as error:
        raise TablesBusy from error
    await connection.execute(WAIT_AS_OTHERS)


async def repeated_while_busy(change: Callable[[], Awaitable[T]]) -> T:
    """Run a change in a transaction of its own, and return its result; repeat it while its tables are busy.

    :raises LockNotAvailableError: the tables were busy in each attempt.
    """
    for attempt in range(2, BUSY_TABLE.attempts + 1):
        try:
            return await change()
        except TablesBusy:
            await asyncio.sleep(BUSY_TABLE.pause_before(attempt))
    try:
        return await change()
    except TablesBusy as busy:
        raise busy.__cause__ or busy from None


@contextmanager
def collecting_written_tables() -> Iterator[set[str]]:
    """Yield a set that collects the SQL names of the tables that this task writes within the block."""
    written: set[str] = set()
    token = _written.set(written)
    try:
        yield written
    finally:
        _written.reset(token)


def add_written_table(table: str) -> None:
    """Add a table to the set of ``collecting_written_tables`` before writing rows that depend on its components."""
    written = _written.get()
    if written is not None:
        written.add(table)


async def lock_for_writing(connection: Connection, tables: Collection[str]) -> int:
    """Lock the components of tables until the transaction ends; return their present revision."""
    revision: int = await connection.fetchval(LOCK_FOR_WRITING, list(tables))
    return revision


async def lock_tables(connection: Connection, tables: Sequence[str]) -> None:
    """Wait until no transaction writes the tables, and block writes until the transaction ends.

    The building of a search index on one of them, which may take minutes, is cancelled.
    """
    for name in tables:
        await connection.execute(CANCEL_INDEX_BUILDS, name)
        await connection.execute(LOCK_TABLE.format(table=name))
