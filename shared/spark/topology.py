"""Declares the exchanges and queues of a virtual host; here only, so that their arguments never differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity

from shared.runtime.retry_policies import REDELIVERY, SUSPECT
from shared.spark.connection import BrokerConnection, bounded

DEAD_LETTER = "spark.dead_letter"
# Then its Vault puts the message back: an outage returns messages any number of times.
DELIVERY_LIMIT = REDELIVERY.attempts - 1
# The dead-letter queue is read by people; looking at its messages must never drop them.
DEAD_LETTER_DELIVERY_LIMIT = 1_000_000

ROUNDS_HEADER = "x-rounds"
"""AMQP header of a message that its Vault has put back: how often it reached the delivery limit."""
BEGUN_HEADER = "x-begun"
"""AMQP header of a message that was put back: how often its processing has begun, all its Vaults being reachable."""
REVISION_HEADER = "x-configuration-revision"
"""AMQP header of the sender's: the revision of the Vault ``vault_id`` when the message was queued, or a later one."""
COPY_HEADERS = (
    "vault_id",
    "x-attempt",
    REVISION_HEADER,
    ROUNDS_HEADER,
    BEGUN_HEADER,
)
"""AMQP headers of a copy: those that senders set, and none that the broker has set."""
MAX_BEGUN = SUSPECT.attempts - 1
"""A message that has begun so often, and never came to an end, is taken for one that ends its connector."""

SEQUENTIAL = ".sequential"
# RabbitMQ moves a message at least once only together with ``reject-publish``; quorum queues alone count deliveries.
_ARGUMENTS: Mapping[str, str | int] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": DELIVERY_LIMIT,
    "x-dead-letter-exchange": DEAD_LETTER,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}


class Direction(StrEnum):
    """The direction in which a Spark queue carries messages, as its Vault sees it."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"

    @property
    def exchange(self) -> str:
        """Return the name of the durable direct exchange in front of the queues of this direction."""
        return f"spark.{self.value}"


@dataclass(frozen=True, slots=True)
class QueueState:
    """Counts of a queue at the broker: messages ready to be delivered, and consumers."""

    messages: int
    consumers: int


async def declare_exchanges(channel: AbstractChannel, timeout: float = 30.0) -> None:
    """Declare the exchanges and the dead-letter queue; repeating it changes nothing.

    :raises BrokerUnavailable: the broker is away, or something else was declared by these names.
    """
    async with bounded("declare exchanges", timeout):
        for direction in Direction:
            await channel.declare_exchange(
                direction.exchange, ExchangeType.DIRECT, durable=True
            )
        dead = await channel.declare_exchange(
            DEAD_LETTER, ExchangeType.FANOUT, durable=True
        )
        queue = await channel.declare_queue(
            DEAD_LETTER,
            durable=True,
            arguments={
                "x-queue-type": "quorum",
                "x-delivery-limit": DEAD_LETTER_DELIVERY_LIMIT,
            },
        )
        await queue.bind(dead)


def sequential_queue(name: str) -> str:
    """Return the name of the broker's queue for the Spark queue ``name`` while that is sequential."""
    # A queue of its own, because a single active consumer is fixed when a queue is declared.
    return f"{name}{SEQUENTIAL}"


def spark_queue(broker_queue: str) -> str:
    """Return the name of the Spark queue whose messages a queue of the broker has."""
    return broker_queue.removesuffix(SEQUENTIAL)


def is_sequential(broker_queue: str) -> bool:
    """Return whether this is the broker's queue of a sequential Spark queue."""
    return broker_queue.endswith(SEQUENTIAL)


async def declare_queue(
    channel: AbstractChannel,
    name: str,
    direction: Direction | str,
    timeout: float = 30.0,
    *,
    sequential: bool = False,
) -> None:
    """Declare the Spark queue ``name`` behind the exchange of ``direction``; needs the exchanges.

    The queue is replicated and durable. A message that comes back more than ``DELIVERY_LIMIT`` times is moved to the
    dead-letter queue by the strategy at-least-once, so that it cannot be lost on the way; the Vault then puts it back.

    With ``sequential``, a second queue is declared, which delivers to one consumer at a time. Only one of the two is
    bound to the exchange; the other keeps the messages that it has.

    :raises BrokerUnavailable: the broker is away, or the queue exists with other arguments.
    """
    exchange = Direction(direction).exchange
    async with bounded(f"declare queue {name}", timeout):
        plain = await channel.declare_queue(
            name, durable=True, arguments=dict(_ARGUMENTS)
        )
        if sequential:
            ordered = await channel.declare_queue(
                sequential_queue(name),
                durable=True,
                arguments={**_ARGUMENTS, "x-single-active-consumer": True},
            )
            # Bound before the other is unbound: in between a message comes twice, where it would else be lost.
            await ordered.bind(exchange, routing_key=name)
            await plain.unbind(exchange, routing_key=name)
        else:
            await plain.bind(exchange, routing_key=name)


async def unbind_sequential(
    channel: AbstractChannel,
    name: str,
    direction: Direction | str,
) -> None:
    """Route no more messages to the sequential queue of a name, if there is one; its messages stay in it.

    :raises BrokerUnavailable: the broker is away.
    """
    async with bounded(f"unbind queue {name}", 10.0):
        queue = await channel.get_queue(sequential_queue(name), ensure=False)
        await queue.unbind(Direction(direction).exchange, routing_key=name)


async def queue_state(
    connection: BrokerConnection,
    name: str,
    timeout: float = 10.0,
) -> QueueState | None:
    """Ask the broker about a queue; ``None`` when it does not exist.

    :raises BrokerUnavailable: the broker did not answer.
    """
    async with connection.short_channel(timeout) as channel:
        try:
            queue = await channel.declare_queue(name, passive=True)
        except ChannelNotFoundEntity:
            # The broker has closed the channel; it was opened for this question only.
            return None
        result = queue.declaration_result
        return QueueState(result.message_count or 0, result.consumer_count or 0)


async def purge_queue(
    connection: BrokerConnection,
    name: str,
    timeout: float = 10.0,
) -> int:
    """Delete the messages waiting in a queue (those being handled stay) and return how many.

    :raises BrokerUnavailable: the broker did not answer, or the queue does not exist.
    """
    async with connection.short_channel(timeout) as channel:
        queue = await channel.get_queue(name, ensure=False)
        result = await queue.purge()
        return result.message_count or 0
