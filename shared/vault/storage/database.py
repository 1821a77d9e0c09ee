"""The one door to PostgreSQL: a bounded pool, transactions with timeouts, retry of a unit of work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import asyncpg

from shared.runtime.waiting import state_log

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]

T = TypeVar("T")

ACQUIRE_TIMEOUT = 10.0
COMMAND_TIMEOUT = 60.0
CLOSE_TIMEOUT = 5.0
ATTEMPTS = 5

# The whole unit of work is run again after these; each leaves nothing committed behind.
RETRYABLE = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.OutdatedSchemaCacheError,
)


class DatabaseUnavailable(Exception):
    """No connection could be had in time; nothing was done."""


UNREACHABLE = (
    DatabaseUnavailable,
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
)
"""Faults of a server that is away or starting; they pass."""

SERVER_SETTINGS = {
    "application_name": "vault",
    "statement_timeout": "60000",
    "lock_timeout": "15000",
    "idle_in_transaction_session_timeout": "60000",
    "timezone": "UTC",
    # Statements here are short and many; compiling them never pays.
    "jit": "off",
}


class Database:
    """Connections to one Vault's database."""

    def __init__(self, dsn: str, *, max_size: int = 12) -> None:
        self._dsn = dsn
        self._max_size = max_size
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def open(self) -> None:
        """Open the pool; raises OSError or asyncpg errors while the server cannot be reached."""
        self._pool = await asyncpg.create_pool(
            self._dsn,
            min_size=1,
            max_size=self._max_size,
            command_timeout=COMMAND_TIMEOUT,
            timeout=ACQUIRE_TIMEOUT,
            max_cached_statement_lifetime=300,
            server_settings=SERVER_SETTINGS,
            init=_carry_every_date,
        )

    async def close(self) -> None:
        """Close the pool, by force when connections do not come back in time."""
        if self._pool is None:
            return
        pool, self._pool = self._pool, None
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    async def forget_statements(self) -> None:
        """Drop prepared statements after the tables' shape changed."""
        if self._pool is not None:
            await self._pool.expire_connections()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection outside a transaction, for single statements; raises DatabaseUnavailable."""
        pool = self._pool  # a close meanwhile waits for what is given back to it
        if pool is None:
            message = "the database is not open"
            raise DatabaseUnavailable(message)
        try:
            connection = await pool.acquire(timeout=ACQUIRE_TIMEOUT)
        except (*UNREACHABLE, asyncpg.InterfaceError) as error:
            raise DatabaseUnavailable(str(error) or "no connection in time") from error
        try:
            yield connection
        except asyncpg.InternalClientError as error:
            # What the driver makes of a connection that went away between two statements.
            message = "the connection was lost"
            raise asyncpg.ConnectionDoesNotExistError(message) from error
        finally:
            await _give_back(pool, connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside one transaction: committed at the end, undone by any exception."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def unit_of_work(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run ``work`` in a transaction, again from its start after a deadlock or a changed table."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self.transaction() as connection:
                    return await work(connection)
            except RETRYABLE as error:
                if attempt == ATTEMPTS:
                    raise
                if isinstance(error, asyncpg.InvalidCachedStatementError | asyncpg.OutdatedSchemaCacheError):
                    await self.forget_statements()
                await asyncio.sleep(0.01 * 2**attempt)
        raise AssertionError  # the loop returns or raises


async def _give_back(pool: asyncpg.Pool[asyncpg.Record], connection: Connection) -> None:
    """Return a connection to its pool; one that is lost by now is replaced, and what was done on it stays done."""
    try:
        await pool.release(connection)
    except (*UNREACHABLE, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        state_log.failed("postgresql (pool)", error)
    else:
        state_log.succeeded("postgresql (pool)")


EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
EPOCH_DAY = EPOCH.date().toordinal()
MICROSECOND = timedelta(microseconds=1)


async def _carry_every_date(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Store the first and the last day of the calendar as what they are; the driver makes infinities of them."""
    await connection.set_type_codec(
        "date",
        schema="pg_catalog",
        format="tuple",
        encoder=lambda day: (day.toordinal() - EPOCH_DAY,),
        decoder=lambda parts: date.fromordinal(parts[0] + EPOCH_DAY),
    )
    await connection.set_type_codec(
        "timestamptz",
        schema="pg_catalog",
        format="tuple",
        encoder=lambda moment: ((moment - EPOCH) // MICROSECOND,),
        decoder=lambda parts: EPOCH + parts[0] * MICROSECOND,
    )
