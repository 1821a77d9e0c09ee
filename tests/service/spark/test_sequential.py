"""Sequential queues: strict order, one message at a time, with any number of consumers, also when one dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import uuid4

import pytest

from shared.runtime.retry_policies import REDELIVERY
from shared.spark.connection import BrokerConnection
from shared.spark.consumer import Consumer, Delivery
from shared.spark.publisher import Outgoing, Publisher
from shared.spark.topology import (
    Direction,
    declare_exchanges,
    declare_queue,
    queue_state,
    sequential_queue,
    unbind_sequential,
)
from tests.service.spark.waiting import until


@pytest.fixture
async def name(publishing: BrokerConnection) -> AsyncIterator[str]:
    """A sequential Spark queue of this test alone."""
    name = f"test_{uuid4().hex}__v"
    async with publishing.short_channel() as channel:
        await declare_exchanges(channel)
        await declare_queue(channel, name, Direction.INBOUND, sequential=True)
    yield name
    async with publishing.short_channel() as channel:
        for queue in (name, sequential_queue(name)):
            await channel.queue_delete(queue)


async def publish(connection: BrokerConnection, name: str, ids: list[str]) -> None:
    publisher = Publisher(connection, Direction.INBOUND.exchange)
    for message_id in ids:
        await publisher.publish(Outgoing(name, b"{}", message_id))
    await publisher.close()


async def test_several_consumers_keep_the_order_also_when_the_active_one_goes(
    amqp_url: str, publishing: BrokerConnection, name: str
) -> None:
    ids = [f"m{n}" for n in range(30)]
    seen: list[tuple[int, str]] = []
    at_work = 0

    def handler(number: int) -> object:
        async def handle(deliveries: list[Delivery]) -> None:
            nonlocal at_work
            at_work += 1
            assert at_work == 1, "two messages of a sequential queue at once"
            await asyncio.sleep(0)
            at_work -= 1
            (delivery,) = deliveries
            if delivery.message_id == "m5" and not delivery.redelivered:
                raise ValueError
            seen.append((number, delivery.message_id))

        return handle

    consumers = []
    connections = [BrokerConnection(amqp_url, f"consumer {n}") for n in range(3)]
    for number, connection in enumerate(connections):
        consumer = Consumer(
            connection,
            sequential_queue(name),
            handler(number),  # type: ignore[arg-type]
            prefetch=1,
            concurrency=1,
            max_batch=1,
            redelivery=replace(REDELIVERY, first_pause=0.01, longest_pause=0.1),
        )
        await consumer.start()
        await consumer.subscribed()
        consumers.append(consumer)
    await publish(publishing, name, ids[:15])
    await until(lambda: len(seen) == 15)
    active = seen[-1][0]
    await consumers[active].stop()
    await publish(publishing, name, ids[15:])
    await until(lambda: len(seen) == 30)
    assert [message_id for _, message_id in seen] == ids
    assert seen[-1][0] != active
    for consumer in consumers:
        await consumer.stop()
    for connection in connections:
        await connection.close()


async def test_the_routing_follows_the_mode_and_nothing_is_lost(
    publishing: BrokerConnection, name: str
) -> None:
    await publish(publishing, name, ["a"])
    async with publishing.short_channel() as channel:
        await declare_queue(channel, name, Direction.INBOUND)
        await unbind_sequential(channel, name, Direction.INBOUND)
    await publish(publishing, name, ["b", "c"])
    async with publishing.short_channel() as channel:
        await declare_queue(channel, name, Direction.INBOUND, sequential=True)
    await publish(publishing, name, ["d"])
    states = [
        await queue_state(publishing, queue) for queue in (sequential_queue(name), name)
    ]
    assert [state.messages for state in states if state] == [2, 2]


async def test_a_queue_that_never_was_sequential_is_unbound_without_an_error(
    publishing: BrokerConnection,
) -> None:
    name = f"test_{uuid4().hex}__v"
    async with publishing.short_channel() as channel:
        await declare_exchanges(channel)
        await unbind_sequential(channel, name, Direction.INBOUND)
        # The channel is open still: the broker closes one, and logs why, when it refuses something.
        await declare_queue(channel, name, Direction.INBOUND)
        await channel.queue_delete(name)
