"""Connects to the broker when needed, and again when the connection is lost, with typed errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, DeliveryError
from yarl import URL

from shared.runtime.waiting import state_log, wait_for
from shared.spark.broker_errors import BrokerSilent, BrokerUnavailable

# A broker that vanished without a word is noticed within two heartbeats that stay out.
HEARTBEAT_SECONDS = 15
# Connecting takes up to eight exchanges, one after the other, of which each may take seconds.
CONNECT_TIMEOUT = 40.0
OPEN_TIMEOUT = 15.0
CLOSE_TIMEOUT = 5.0


@asynccontextmanager
async def bounded(doing: str, timeout: float) -> AsyncIterator[None]:
    """Run the body for at most ``timeout`` seconds, and convert every broker fault to BrokerUnavailable.

    A lost connection reaches waiting callers as ``CancelledError`` although nobody cancelled them; the task's own count
    of cancellations distinguishes the two.

    :raises BrokerUnavailable: saying what was being done and why it failed.
    """
    task = asyncio.current_task()
    cancellations = task.cancelling() if task else 0
    try:
        async with asyncio.timeout(timeout):
            yield
    except TimeoutError as error:
        raise BrokerSilent(f"{doing}: no answer within {timeout:g} s") from error
    except asyncio.CancelledError as error:
        if task is None or task.cancelling():
            raise
        raise BrokerUnavailable(f"{doing}: connection lost") from error
    # About one message and not the connection; only the publisher knows which.
    except DeliveryError:
        raise
    except CONNECTION_EXCEPTIONS as error:
        # The driver answers a cancelled call by closing its channel, and may speak of that instead.
        if task is not None and task.cancelling() > cancellations:
            raise asyncio.CancelledError from error
        raise BrokerUnavailable(f"{doing}: {type(error).__name__}: {error}") from error


class BrokerConnection:
    """One AMQP connection, shared by the channels of one purpose.

    A lost connection is not repaired behind the caller's back: its channels are closed, and the next
    :meth:`channel` connects again, so that the user of a channel knows that deliveries and unconfirmed
    publishes on it are void. Use one connection to publish and another to consume: a broker short of
    memory or disk stops reading from connections that publish.
    """

    def __init__(self, url: str, name: str) -> None:
        """Take the address, ``amqp[s]://user:password@host:port/vhost``, and the name that the broker shows."""
        target = URL(url)
        # The address may set a heartbeat of its own.
        query = {
            "heartbeat": str(HEARTBEAT_SECONDS),
            **dict(target.query),
            "name": name,
        }
        self._url = target.update_query(query)
        self.name = name
        self._connection: AbstractConnection | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    @property
    def is_open(self) -> bool:
        """Return whether the connection is up, as far as this side knows."""
        connection = self._connection
        return connection is not None and connection.connected.is_set()

    async def open(self, give_up_after: float | None = None) -> None:
        """Connect, waiting with growing pauses for a broker that is not reachable yet.

        :raises BrokerUnavailable: after ``give_up_after`` seconds, or when closed meanwhile.
        """
        if self._closed:
            raise BrokerUnavailable(f"connection {self.name} is closed")
        await wait_for(
            f"broker ({self.name})",
            self._connected,
            retry_on=BrokerUnavailable,
            give_up_after=give_up_after,
        )

    async def channel(
        self,
        *,
        confirms: bool = True,
        timeout: float = OPEN_TIMEOUT,
    ) -> AbstractChannel:
        """Open a new channel, connecting first if needed; returned messages raise.

        :raises BrokerUnavailable: the broker is away.
        """
        connection = await self._connected()
        try:
            async with bounded("open channel", timeout):
                channel = connection.channel(
                    publisher_confirms=confirms, on_return_raises=confirms
                )
                await channel.initialize()
        except BrokerUnavailable:
            # A connection that opens no channel is stuck, long before its heartbeat notices.
            # Another call may have replaced it already, and that one is not to be dropped.
            if self._connection is connection:
                await self.reset()
            raise
        return channel

    @asynccontextmanager
    async def short_channel(
        self,
        timeout: float = OPEN_TIMEOUT,
    ) -> AsyncIterator[AbstractChannel]:
        """Open a channel for questions to the broker that are answered within ``timeout`` seconds.

        :raises BrokerUnavailable: the broker is away or refused.
        """
        channel = await self.channel(confirms=False, timeout=timeout)
        try:
            async with bounded("ask the broker", timeout):
                yield channel
        finally:
            await close_channel(channel)

    async def reset(self) -> None:
        """Drop the connection, so that the next :meth:`channel` makes a new one."""
        # Taken out before the wait, so that nobody opens a channel on a connection that is being closed.
        connection, self._connection = self._connection, None
        if connection is not None:
            await close_connection(connection)

    async def close(self) -> None:
        """Close the connection for good, within 5 seconds. Channels should be closed before."""
        self._closed = True
        await self.reset()

    async def __aenter__(self) -> Self:
        """Connect; see :meth:`open`."""
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        await self.close()

    async def _connected(self) -> AbstractConnection:
        # One at a time, so that callers who find it lost at the same moment share one new connection.
        async with self._opening:
            if self._closed:
                raise BrokerUnavailable(f"connection {self.name} is closed")
            if self._connection is not None and self._connection.connected.is_set():
                return self._connection
            await self.reset()
            connection = aio_pika.Connection(URL(self._url))
            try:
                async with bounded("connect", CONNECT_TIMEOUT):
                    await connection.connect(timeout=CONNECT_TIMEOUT)
            except BaseException:
                # The driver leaves that to the garbage collector.
                await close_connection(connection)
                raise
            self._connection = connection
            state_log.succeeded(f"broker ({self.name})")
            return connection


async def close_channel(channel: AbstractChannel) -> None:
    """Close a channel within 5 seconds; one that is already lost needs nothing."""
    if channel.is_closed:
        return
    try:
        async with bounded("close channel", CLOSE_TIMEOUT):
            await channel.close()
    except BrokerUnavailable:
        return  # lost while closing: the broker has returned its deliveries already


async def close_connection(connection: AbstractConnection) -> None:
    """Close a connection within 5 seconds, also one that is lost or was never opened."""
    try:
        async with bounded("close connection", CLOSE_TIMEOUT):
            await connection.close()
    except BrokerUnavailable:
        pass  # nothing is left to close on this side
    finally:
        # A close that was cut off has dropped the transport, and left the connection open in name: the driver would
        # close it from the garbage collector, which runs outside of the loop as well.
        await connection.close()
