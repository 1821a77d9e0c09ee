"""Subscribes to a queue, buffers and settles deliveries, and remembers the handled ones when a channel is lost."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from aio_pika.abc import AbstractChannel
from aiormq.abc import AbstractChannel as WireChannel
from aiormq.abc import ArgumentsType, DeliveredMessage
from pamqp.commands import Basic

from shared.spark.connection import BrokerConnection, bounded, close_channel
from shared.spark.topology import BEGUN_HEADER, ROUNDS_HEADER

SETTLE_TIMEOUT = 20.0
# A handler may hold its delivery for as long as a peer is away; the broker's 30 minutes would count
# each half hour as a failed delivery. Brokers before 3.12 ignore the argument.
CONSUMER_TIMEOUT_MILLISECONDS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as delivered by a queue.

    ``message_id`` is empty when the sender set none. ``redelivered`` says that it was delivered before and not
    acknowledged.
    """

    body: bytes
    message_id: str
    headers: Mapping[str, object]
    redelivered: bool
    queue: str

    @property
    def returns(self) -> int:
        """Return how often the message was returned to the queue, as far as the broker counts that."""
        return self._count("x-delivery-count")

    @property
    def rounds(self) -> int:
        """Return how often the message reached the delivery limit and was put back."""
        return self._count(ROUNDS_HEADER)

    @property
    def begun(self) -> int:
        """Return how often the message's processing has begun since it was first put back."""
        return self._count(BEGUN_HEADER)

    @property
    def alone(self) -> bool:
        """Return whether to handle the message alone: it may have made its batch fail before."""
        return self.redelivered or self.rounds > 0

    def _count(self, header: str) -> int:
        # Anybody who may publish here sets headers.
        count = self.headers.get(header, 0)
        return count if isinstance(count, int) and count > 0 else 0


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A delivery with the tag that settles it, valid on its own channel only."""

    tag: int
    delivery: Delivery


class Subscription:
    """Deliveries of one consumer tag. Once :attr:`lost` is set, none of them can be acknowledged."""

    def __init__(
        self,
        channel: AbstractChannel,
        wire: WireChannel,
        queue: str,
        arrived: Callable[[], None],
    ) -> None:
        """Take an open channel; :meth:`open` makes one."""
        self._channel = channel
        self._wire = wire
        self._queue = queue
        self._arrived = arrived
        self._waiting: deque[Unsettled] = deque()
        self._unsettled: set[int] = set()
        self._tag: str | None = None
        self._closing: asyncio.Task[None] | None = None
        self.arrivals = 0
        self.lost = asyncio.Event()

    @classmethod
    async def open(
        cls,
        connection: BrokerConnection,
        queue: str,
        *,
        prefetch: int,
        arrived: Callable[[], None],
    ) -> Subscription:
        """Subscribe on a new channel; ``arrived`` is called for every delivery.

        :raises BrokerUnavailable: the broker is away, or there is no such queue.
        """
        channel = await connection.channel(confirms=False)
        try:
            async with bounded(f"consume {queue}", SETTLE_TIMEOUT):
                await channel.set_qos(prefetch_count=prefetch)
                wire = await channel.get_underlay_channel()
                subscription = cls(channel, wire, queue, arrived)
                # Before the subscription begins, so that a loss in between is noticed.
                subscription._closing = asyncio.create_task(subscription._note_close())
                wire.on_consumer_cancel_callbacks.add(subscription._cancelled)
                arguments: ArgumentsType = {
                    "x-consumer-timeout": CONSUMER_TIMEOUT_MILLISECONDS
                }
                answer = await wire.basic_consume(
                    queue,
                    subscription._deliver,
                    arguments=arguments,
                )
                subscription._tag = answer.consumer_tag
        except BaseException:
            await close_channel(channel)
            raise
        return subscription

    @property
    def unsettled_count(self) -> int:
        """Return how many deliveries are not settled yet."""
        return len(self._unsettled)

    def take(self, limit: int) -> list[Unsettled]:
        """Take 1..``limit`` of the waiting deliveries, or none when none wait.

        A redelivered one is taken alone: if it made its batch fail before, it must not do so again.
        """
        batch: list[Unsettled] = []
        while self._waiting and len(batch) < limit:
            if batch and self._waiting[0].delivery.alone:
                break
            batch.append(self._waiting.popleft())
            if batch[0].delivery.alone:
                break
        return batch

    async def ack(self, batch: Sequence[Unsettled]) -> None:
        """Acknowledge deliveries, with one frame where the tags allow it.

        :raises BrokerUnavailable: the channel is gone; the broker will deliver them again.
        """
        tags = [each.tag for each in batch]
        last = max(tags)
        # Even if the channel is gone: its tags are void then, and nothing of them is left to settle.
        self._unsettled.difference_update(tags)
        async with bounded("ack", SETTLE_TIMEOUT):
            # ``multiple`` acknowledges all tags up to this one, so that none below it may be in another's hands.
            are_lowest = all(tag > last for tag in self._unsettled)
            if are_lowest and len(tags) > 1:
                await self._wire.basic_ack(last, multiple=True, wait=False)
            else:
                for tag in tags:
                    await self._wire.basic_ack(tag, wait=False)

    async def requeue(self, batch: Iterable[Unsettled]) -> None:
        """Return deliveries to the queue, counted by the broker as one more failed delivery each.

        :raises BrokerUnavailable: the channel is gone; the broker has taken them back already.
        """
        async with bounded("requeue", SETTLE_TIMEOUT):
            for each in batch:
                self._unsettled.discard(each.tag)
                # Reject, because newer brokers do not count a nack towards the delivery limit.
                await self._wire.basic_reject(each.tag, requeue=True, wait=False)

    async def cancel(self) -> None:
        """Stop deliveries; waiting ones return to the queue when the channel is closed.

        :raises BrokerUnavailable: the channel is gone.
        """
        self._waiting.clear()
        if self._tag is not None and not self.lost.is_set():
            async with bounded("cancel", SETTLE_TIMEOUT):
                await self._wire.basic_cancel(self._tag)
        # Again, because deliveries arrive until the broker has confirmed.
        self._waiting.clear()

    async def close(self) -> None:
        """Close the channel; the broker returns unsettled deliveries to the queue."""
        self._waiting.clear()
        await close_channel(self._channel)
        if self._closing is not None:
            self._closing.cancel()

    async def _deliver(self, message: DeliveredMessage) -> None:
        properties = message.header.properties
        tag = message.delivery_tag
        if tag is None or self.lost.is_set():
            return
        delivery = Delivery(
            body=message.body,
            message_id=properties.message_id or "",
            headers=properties.headers or {},
            redelivered=bool(message.redelivered),
            queue=self._queue,
        )
        self._unsettled.add(tag)
        self._waiting.append(Unsettled(tag, delivery))
        self.arrivals += 1
        self._arrived()

    async def _cancelled(self, _frame: Basic.Cancel) -> None:
        self._end()

    async def _note_close(self) -> None:
        await self._channel.closed()
        self._end()

    def _end(self) -> None:
        self._waiting.clear()
        self.lost.set()


# Bounds the memory; forgetting a delivery has it handled twice, which changes nothing.
MAX_REMEMBERED = 10_000
REMEMBERED_SECONDS = 600.0

Key = tuple[str, int]


class Handled:
    """Remembers handled deliveries of one queue by id and body.

    A channel that is lost while a handler works can no longer acknowledge its deliveries. The broker delivers them
    again on the next channel, where they are acknowledged without being handled again.
    """

    def __init__(self) -> None:
        self._in_hand: dict[Key, asyncio.Event] = {}
        self._done: OrderedDict[Key, float] = OrderedDict()

    @contextmanager
    def in_hand(self, deliveries: Sequence[Delivery]) -> Iterator[None]:
        """Run the body while these deliveries are marked as being handled; when it raises nothing, they are done."""
        keys = [_key(delivery) for delivery in deliveries if not delivery.rounds]
        ended = asyncio.Event()
        for key in keys:
            self._in_hand.setdefault(key, ended)
        try:
            yield
            now = time.monotonic()
            for key in keys:
                self._done[key] = now
            self._forget(now)
        finally:
            for key in keys:
                if self._in_hand.get(key) is ended:
                    del self._in_hand[key]
            ended.set()

    async def is_done(self, delivery: Delivery) -> bool:
        """Return whether a redelivered message was handled here before, after waiting for one that is being handled."""
        # One that was put back is an instance of its own, with its own count, and never taken for another.
        if not delivery.redelivered or delivery.rounds:
            return False
        key = _key(delivery)
        if key in self._in_hand:
            await self._in_hand[key].wait()
        return key in self._done

    def _forget(self, now: float) -> None:
        while self._done:
            at = next(iter(self._done.values()))
            if len(self._done) <= MAX_REMEMBERED and now - at < REMEMBERED_SECONDS:
                return
            self._done.popitem(last=False)


def _key(delivery: Delivery) -> Key:
    return delivery.message_id, hash(delivery.body)
