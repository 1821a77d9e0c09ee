"""Reaches the Vault's database: a bounded pool, transactions, repeated units of work, notifications."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import asyncpg

from shared.protocol.error_types import ErrorType
from shared.runtime.retry_policies import UNIT_OF_WORK, VAULT_LOOP
from shared.runtime.waiting import end, run_until_cancelled, state_log
from shared.vault.errors import VaultFault
from shared.vault.storage.driver_types import DriverSession, session_type
from shared.vault.storage.fair_slots import QueryLimits, QuerySlots
from shared.vault.storage.server_faults import SERVER_FAULTS

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]
    Addition = Callable[[Connection, object], Awaitable[None]]

T = TypeVar("T")

ACQUIRE_TIMEOUT = 10.0
STATEMENT_TIMEOUT = 60.0
CANCEL_TIME = 5.0  # that the server has to stop a statement by itself, before the driver gives it up
CLOSE_TIMEOUT = 5.0


# Channels of notifications.
COMPONENT_CHANGED = "component_changed"
OUTBOX = "outbox"
FAULT_SWITCHED = "fault_switched"
LISTEN_TIMEOUT = 10.0

# The whole unit of work is run again after these; each leaves nothing committed behind.
RETRYABLE = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.OutdatedSchemaCacheError,
)
# Those of the pool's prepared statements, whose tables have been changed since.
STALE = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)


class DatabaseUnavailable(Exception):
    """Raised when no connection was available in time; nothing was done."""


UNREACHABLE = (
    DatabaseUnavailable,
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
)
"""Errors of a server that is away or starting; a process that starts waits for it."""
OUTAGES = (*UNREACHABLE, *SERVER_FAULTS)
"""Errors of a server that is away or cannot do its work; they pass."""

SERVER_SETTINGS = {
    "application_name": "vault",
    "statement_timeout": "60000",
    "lock_timeout": "15000",
    "idle_in_transaction_session_timeout": "60000",
    "timezone": "UTC",
    # Statements here are short and many; compiling them never pays.
    "jit": "off",
    # Data is in memory or on solid disks. By the price of a turning disk, all persons are read to find a thousand.
    "random_page_cost": "1.1",
}


_addition: ContextVar[Addition | None] = ContextVar("addition", default=None)


@contextmanager
def also_in_unit_of_work(addition: Addition) -> Iterator[None]:
    """Extend every unit of work that this task runs in the block by ``addition(connection, result)``.

    The addition runs last in the unit's transaction. So a job records its progress in the transaction of the change.
    """
    token = _addition.set(addition)
    try:
        yield
    finally:
        _addition.reset(token)


def extends_units_of_work() -> bool:
    """Return whether this task runs in a block of ``also_in_unit_of_work``."""
    return _addition.get() is not None


class Database:
    """Connections to one Vault's database; queries get at most half of them, which leaves some for short calls."""

    def __init__(
        self,
        dsn: str,
        *,
        max_size: int = 12,
        limits: QueryLimits | None = None,
    ) -> None:
        limits = limits or QueryLimits()
        self._dsn = dsn
        self._max_size = max_size
        self._statement_timeout = limits.timeout_seconds
        self.query_slots = QuerySlots(limits, max(1, max_size // 2))
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._in_use: set[Connection] = set()
        self._demand = 0  # connections in use, and waits for one

    async def open(self) -> None:
        """Open the pool.

        :raises OSError: the server cannot be reached; asyncpg raises errors of its own while the server starts.
        """
        self._pool = await asyncpg.create_pool(
            self._dsn,
            min_size=1,
            max_size=self._max_size,
            command_timeout=self._statement_timeout + CANCEL_TIME,
            timeout=ACQUIRE_TIMEOUT,
            max_cached_statement_lifetime=300,
            connection_class=session_type(),
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
        """Drop prepared statements after tables were changed."""
        if self._pool is not None:
            await self._pool.expire_connections()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Yield a connection outside a transaction, for single statements.

        :raises DatabaseUnavailable: no connection is available in time.
        :raises VaultFault: INVALID_DATA for a parameter with NUL, which PostgreSQL takes in no text.
        """
        # Kept here: a close meanwhile waits for the connections that are returned to it.
        pool = self._pool
        if pool is None:
            message = "the database is not open"
            raise DatabaseUnavailable(message)
        # A free connection is not waited for, and a timer that guards no wait costs as much as a small statement; a new
        # connection has its own. They are counted here, for the pool would look at each of its connections.
        timeout = None if self._demand < self._max_size else ACQUIRE_TIMEOUT
        self._demand += 1
        try:
            connection = await pool.acquire(timeout=timeout)
        except BaseException as error:
            self._demand -= 1
            if isinstance(error, (*OUTAGES, asyncpg.InterfaceError)):
                message = str(error) or "no connection in time"
                raise DatabaseUnavailable(message) from error
            raise
        self._in_use.add(connection)
        try:
            yield connection
        except asyncpg.CharacterNotInRepertoireError as error:
            # Whatever names something may be any text of a caller: no reader before this has to think of NUL.
            message = "A text has a character that no text of a Vault may have (NUL)"
            raise VaultFault(ErrorType.INVALID_DATA, message) from error
        except (asyncpg.InternalClientError, asyncpg.InterfaceError) as error:
            # What the driver makes of a connection that went away between two statements.
            message = "the connection was lost"
            raise asyncpg.ConnectionDoesNotExistError(message) from error
        finally:
            self._in_use.discard(connection)
            try:
                await _give_back(pool, connection)
            finally:
                self._demand -= 1

    def end_waiting(self) -> None:
        """Break the connections in use when the server does not answer; statements on them fail at once."""
        for connection in tuple(self._in_use):
            connection.terminate()

    @asynccontextmanager
    async def query_connection(self, user_id: int) -> AsyncIterator[Connection]:
        """Yield a connection for statements that may take long, in a slot of the user's queries.

        :raises VaultFault: API_LIMIT_EXCEEDED when no slot becomes free in time; OPERATION_NOT_ALLOWED when a statement
            takes too long.
        :raises DatabaseUnavailable: no connection is available in time.
        """
        async with self.query_slots.slot(user_id), self.connection() as connection:
            with self.query_slots.timed():
                yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Yield a connection inside one transaction, which is committed at the end, and undone by any exception."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def schema_transaction(self) -> AsyncIterator[Connection]:
        """Yield a connection inside a transaction that may change tables and continue to use them.

        The connection is not one of the pool, and caches no prepared statements.
        """
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
        """Run ``work`` in a transaction and return its result; run it again after a deadlock or a changed table."""
        for attempt in range(1, UNIT_OF_WORK.attempts + 1):
            try:
                return await self._attempt(work)
            except RETRYABLE as error:
                if attempt == UNIT_OF_WORK.attempts:
                    raise
                if isinstance(error, STALE):
                    await self.forget_statements()
                # Longer each time, for both sides of a deadlock not to meet again.
                await asyncio.sleep(UNIT_OF_WORK.pause_before(attempt + 1))
        raise AssertionError  # the loop returns or raises

    async def _attempt(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run ``work``, and this task's ``also_in_unit_of_work``, in one transaction."""
        async with self.transaction() as connection:
            result = await work(connection)
            addition = _addition.get()
            if addition is not None:
                await addition(connection, result)
            return result


class OneTransaction(Database):
    """A database whose units of work are all part of one transaction, which the caller ends."""

    def __init__(self, connection: Connection) -> None:
        super().__init__("")
        self._connection = connection

    async def forget_statements(self) -> None:
        """Do nothing: the tables have not changed for the other connections."""

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Yield the transaction's connection."""
        yield self._connection

    async def unit_of_work(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run ``work`` once, and return its result; when it fails, undo only the changes of ``work``."""
        # Not repeated: a deadlock undoes the whole transaction, which only its owner can begin again.
        async with self.transaction() as connection:
            return await work(connection)


POOL = "postgresql (pool)"


async def _give_back(
    pool: asyncpg.Pool[asyncpg.Record], connection: Connection
) -> None:
    """Return a connection to its pool, which replaces a lost connection; committed changes stay."""
    try:
        await pool.release(connection)
    except (*OUTAGES, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        state_log.failed(POOL, error)
    else:
        if POOL in state_log.outages:
            state_log.succeeded(POOL)


async def _keep_session(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Skip the reset of a session, to save its round trip.

    Sessions of the pool have no settings, locks, cursors or listeners of their own, and the driver has rolled back
    an open transaction.
    """


EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
EPOCH_DAY = EPOCH.date().toordinal()
MICROSECOND = timedelta(microseconds=1)


async def _carry_every_date(connection: DriverSession) -> None:
    """Register codecs that store the first and the last day of the calendar, which the driver converts to infinity."""
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


class Notifications:
    """Calls back on every notification, and once after each reconnection."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._callbacks: dict[str, Callable[[str], None]] = {}
        self._task: asyncio.Task[None] | None = None

    def on(self, channel: str, callback: Callable[[], None]) -> None:
        """Register a ``callback`` for notifications of ``channel``; must be called before ``start``."""
        self._callbacks[channel] = lambda _: callback()

    def on_text(self, channel: str, callback: Callable[[str], None]) -> None:
        """Register a ``callback`` as ``on`` does; it gets the text of a notification, "" after a reconnection."""
        self._callbacks[channel] = callback

    async def start(self) -> None:
        """Start listening, until ``stop``."""
        # A connection of its own: one of the pool would be missing there for good.
        listening = run_until_cancelled("notifications", self._listen)
        self._task = asyncio.create_task(listening, name="notifications")

    async def stop(self) -> None:
        """End the listening connection."""
        await end(self._task)

    async def _listen(self) -> None:
        """Connect and listen; connect again whenever the connection is lost."""
        pauses = VAULT_LOOP.pauses()
        while True:
            try:
                connection = await asyncpg.connect(self._dsn, timeout=LISTEN_TIMEOUT)
            except OUTAGES as error:
                state_log.failed("postgresql (notifications)", error)
                await asyncio.sleep(next(pauses))
                continue
            state_log.succeeded("postgresql (notifications)")
            pauses = VAULT_LOOP.pauses()
            try:
                await self._listen_on(connection)
            finally:
                connection.terminate()

    async def _listen_on(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        """Listen on a connection until it is lost."""
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            for channel in self._callbacks:
                await connection.add_listener(channel, self._on_notification)
            # Notifications that were sent while nobody listened are lost.
            for callback in self._callbacks.values():
                callback("")
            await lost.wait()
        except (*OUTAGES, asyncpg.InterfaceError) as error:
            state_log.failed("postgresql (notifications)", error)

    def _on_notification(
        self,
        connection: asyncpg.Connection[asyncpg.Record]
        | PoolConnectionProxy[asyncpg.Record],
        pid: int,
        channel: str,
        payload: object,
    ) -> None:
        """Call the callback of a channel; the driver's other arguments are not used."""
        del connection, pid
        self._callbacks[channel](str(payload))
