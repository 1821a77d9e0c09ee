"""The one door to PostgreSQL: a bounded pool, transactions with timeouts, retry of a unit of work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import asyncpg

from shared.runtime.retry_policies import UNIT_OF_WORK
from shared.runtime.waiting import state_log

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]
    Addition = Callable[[Connection, object], Awaitable[None]]

T = TypeVar("T")

ACQUIRE_TIMEOUT = 10.0
STATEMENT_TIMEOUT = 60.0
CANCEL_TIME = 5.0  # that the server has to stop a statement by itself, before the driver gives it up
CLOSE_TIMEOUT = 5.0

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


_addition: ContextVar[Addition | None] = ContextVar("addition", default=None)


@contextmanager
def also_in_unit_of_work(addition: Addition) -> Iterator[None]:
    """Within the block, end every unit of work of this task with ``addition(connection, result)``, inside it.

    So a job notes how far it has come in the very transaction of the change that it asked a service for.
    """
    token = _addition.set(addition)
    try:
        yield
    finally:
        _addition.reset(token)


class Database:
    """Connections to one Vault's database."""

    def __init__(
        self,
        dsn: str,
        *,
        max_size: int = 12,
        statement_timeout: float = STATEMENT_TIMEOUT,
    ) -> None:
        self._dsn = dsn
        self._max_size = max_size
        self._statement_timeout = statement_timeout
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def open(self) -> None:
        """Open the pool; raises OSError or asyncpg errors while the server cannot be reached."""
        self._pool = await asyncpg.create_pool(
            self._dsn,
            min_size=1,
            max_size=self._max_size,
            command_timeout=self._statement_timeout + CANCEL_TIME,
            timeout=ACQUIRE_TIMEOUT,
            max_cached_statement_lifetime=300,
            server_settings=SERVER_SETTINGS
            | {"statement_timeout": str(int(self._statement_timeout * 1000))},
            init=_carry_every_date,
            reset=_keep_session,
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

    @asynccontextmanager
    async def schema_transaction(self) -> AsyncIterator[Connection]:
        """A transaction that may change tables and go on using them: its connection keeps no prepared statements."""
        pool = asyncpg.create_pool(
            self._dsn,
            min_size=1,
            max_size=1,
            command_timeout=STATEMENT_TIMEOUT + CANCEL_TIME,
            timeout=ACQUIRE_TIMEOUT,
            statement_cache_size=0,
            init=_carry_every_date,
            server_settings=SERVER_SETTINGS,
        )
        async with pool, pool.acquire() as connection, connection.transaction():
            yield connection

    async def unit_of_work(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run ``work`` in a transaction, again from its start after a deadlock or a changed table."""
        for attempt in range(1, UNIT_OF_WORK.attempts + 1):
            try:
                async with self.transaction() as connection:
                    result = await work(connection)
                    if (addition := _addition.get()) is not None:
                        await addition(connection, result)
                    return result
            except RETRYABLE as error:
                if attempt == UNIT_OF_WORK.attempts:
                    raise
                if isinstance(
                    error,
                    asyncpg.InvalidCachedStatementError
                    | asyncpg.OutdatedSchemaCacheError,
                ):
                    await self.forget_statements()
                await asyncio.sleep(UNIT_OF_WORK.pause_before(attempt + 1))
        raise AssertionError  # the loop returns or raises


class OneTransaction(Database):
    """A database whose every unit of work is part of one transaction, which somebody else commits or undoes."""

    def __init__(self, connection: Connection) -> None:
        super().__init__("")
        self._connection = connection

    async def forget_statements(self) -> None:
        """Nothing to forget here: whoever commits tells the others."""

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """The transaction's connection."""
        yield self._connection

    async def unit_of_work(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run ``work`` once, undone alone when it fails; a deadlock undoes the transaction, so that is not for here."""
        async with self.transaction() as connection:
            return await work(connection)


async def _give_back(
    pool: asyncpg.Pool[asyncpg.Record], connection: Connection
) -> None:
    """Return a connection to its pool; one that is lost by now is replaced, and what was done on it stays done."""
    try:
        await pool.release(connection)
    except (*UNREACHABLE, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        state_log.failed("postgresql (pool)", error)
    else:
        state_log.succeeded("postgresql (pool)")


async def _keep_session(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Save the round trip of a reset: sessions of the pool have no settings, locks, cursors or listeners of their own.

    A transaction that is still open has been undone by the driver before.
    """


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


NOW = """
SELECT greatest(date_trunc('milliseconds', clock_timestamp()), (SELECT given FROM platform.clock))
"""


TELL = """
UPDATE platform.clock SET given = greatest(given, date_trunc('milliseconds', clock_timestamp())) RETURNING given
"""


async def moment(connection: Connection) -> datetime:
    """The moment with which a change made now is dated; one clock for all processes of the Vault."""
    now: datetime = await connection.fetchval(NOW)
    return now


async def tell(connection: Connection) -> datetime:
    """The moment for a caller who will ask what changed since it.

    No transaction that begins after this dates a change before it, also when the server's clock is set back.
    """
    told: datetime = await connection.fetchval(TELL)
    return told
