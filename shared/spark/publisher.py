"""Publishes messages with confirms: a call that returns without an error has its messages safely on the queue."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractExchange, HeadersType
from aio_pika.exceptions import DeliveryError, PublishError

from shared.runtime.retry_policies import LOST_CALL
from shared.runtime.telemetry import metrics
from shared.spark.broker_errors import BrokerSilent, BrokerUnavailable, Unroutable
from shared.spark.connection import BrokerConnection, bounded, close_channel


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish: to which queue, its body, its id, and AMQP headers (``vault_id``, ``x-attempt``)."""

    queue: str
    body: bytes
    message_id: str
    headers: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(slots=True)
class _Progress:
    """The progress of one :meth:`Publisher.publish_all`."""

    waiting: Iterator[Outgoing]
    returned: list[Outgoing] = field(default_factory=list)
    failure: BrokerUnavailable | None = None


class Publisher:
    """Publishes to one exchange, up to ``in_flight`` messages awaiting their confirm at a time."""

    def __init__(
        self,
        connection: BrokerConnection,
        exchange: str,
        *,
        in_flight: int = 100,
        timeout: float = 15.0,
    ) -> None:
        """Take the connection and the exchange; a message waits ``timeout`` seconds at most for its confirm."""
        self._connection = connection
        self._exchange_name = exchange
        self._in_flight = in_flight
        self._timeout = timeout
        self._places = asyncio.Semaphore(in_flight)
        self._channel: AbstractChannel | None = None
        self._exchange: AbstractExchange | None = None
        self._opening = asyncio.Lock()
        self._sending: dict[str, asyncio.Event] = {}

    async def publish(self, message: Outgoing) -> None:
        """Publish one message and wait for its confirm; errors as :meth:`publish_all`."""
        await self.publish_all([message])

    async def publish_all(self, messages: Sequence[Outgoing]) -> None:
        """Publish messages, sent in order, and wait until each is confirmed.

        :raises BrokerUnavailable: some may not have arrived; publish all of them again later, under
            the same ids, because some may have.
        :raises Unroutable: the named messages have no queue; all others are confirmed.
        """
        # Hardly a call needs any.
        pauses: Iterator[float] | None = None
        for _ in range(LOST_CALL.attempts - 1):
            try:
                return await self._publish_once(messages)
            except BrokerSilent:
                raise
            except BrokerUnavailable:
                pauses = pauses or LOST_CALL.pauses()
                pause = next(pauses)
            await asyncio.sleep(pause)
        return await self._publish_once(messages)

    async def _publish_once(self, messages: Sequence[Outgoing]) -> None:
        if not messages:
            return
        exchange = await self._open()
        progress = _Progress(waiting=iter(messages))
        senders = min(self._in_flight, len(messages))
        # Most calls publish one message, which needs no task of its own.
        if senders == 1:
            await self._send_all(exchange, progress)
        else:
            async with asyncio.TaskGroup() as group:
                for _ in range(senders):
                    group.create_task(self._send_all(exchange, progress))
        # An outage outweighs messages without a queue: all of them will be published again anyway.
        if progress.failure is not None:
            await self._drop(exchange)
            raise progress.failure
        if progress.returned:
            queue = progress.returned[0].queue
            ids = tuple(message.message_id for message in progress.returned)
            raise Unroutable(queue, ids)

    async def close(self) -> None:
        """Close the channel; the connection stays open."""
        async with self._opening:
            channel, self._channel, self._exchange = self._channel, None, None
        if channel is not None:
            await close_channel(channel)

    async def _send_all(self, exchange: AbstractExchange, progress: _Progress) -> None:
        """Send the waiting messages until there are none, or until the broker proves to be away."""
        for message in progress.waiting:
            try:
                async with self._places:
                    await self._send(exchange, message)
            except BrokerUnavailable as error:
                progress.failure = progress.failure or error
            except Unroutable:
                progress.returned.append(message)
            if progress.failure is not None:
                return

    async def _send(self, exchange: AbstractExchange, message: Outgoing) -> None:
        # The driver finds a returned message by its id: with two of one id under way it could blame
        # the wrong one, and the lost one would count as confirmed.
        while message.message_id in self._sending:
            await self._sending[message.message_id].wait()
        done = asyncio.Event()
        self._sending[message.message_id] = done
        headers: HeadersType = dict(message.headers)
        outgoing = Message(
            message.body,
            content_type="application/json",
            delivery_mode=DeliveryMode.PERSISTENT,
            message_id=message.message_id,
            headers=headers,
        )
        try:
            async with bounded(f"publish to {message.queue}", self._timeout):
                await exchange.publish(outgoing, routing_key=message.queue)
        except PublishError as error:
            raise Unroutable(message.queue, (message.message_id,)) from error
        # A broker refuses a publish while the queue is full or has no leader, which passes.
        except DeliveryError as error:
            refused = f"publish to {message.queue}: refused by the broker"
            raise BrokerUnavailable(refused) from error
        finally:
            del self._sending[message.message_id]
            done.set()
        metrics.published.labels(message.queue).inc()

    async def _open(self) -> AbstractExchange:
        async with self._opening:
            known = self._channel
            if self._exchange is None or known is None or known.is_closed:
                channel = await self._connection.channel(confirms=True)
                # Asked for before anything is sent: publishes to an exchange that is not there would
                # cross the broker's close of the channel, and that costs the whole connection.
                doing = f"look up exchange {self._exchange_name}"
                try:
                    async with bounded(doing, self._timeout):
                        self._exchange = await channel.get_exchange(
                            self._exchange_name, ensure=True
                        )
                except BaseException:
                    await close_channel(channel)
                    raise
                self._channel = channel
            return self._exchange

    async def _drop(self, exchange: AbstractExchange) -> None:
        """Drop the channel of a failed publish, unless another call has replaced it already."""
        if self._exchange is exchange:
            await self.close()
