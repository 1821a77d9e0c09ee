"""Publishing to a real broker: a confirmed message is on its queue; everything else is an error."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from shared.spark.broker_errors import BrokerUnavailable, Unroutable
from shared.spark.connection import BrokerConnection
from shared.spark.publisher import Outgoing, Publisher
from shared.spark.topology import (
    DEAD_LETTER,
    Direction,
    declare_exchanges,
    declare_queue,
    purge_queue,
    queue_state,
)
from tests.service.spark.proxy import proxy_to
from tests.service.spark.waiting import until

INBOUND = Direction.INBOUND.exchange


def outgoing(queue: str, number: int = 0) -> Outgoing:
    return Outgoing(
        queue, b'{"n": %d}' % number, f"{uuid4()}", {"vault_id": 10101, "x-attempt": 1}
    )


async def waiting(connection: BrokerConnection, queue: str) -> int:
    state = await queue_state(connection, queue)
    assert state is not None
    return state.messages


async def test_what_is_published_is_on_its_queue_in_order(
    publishing: BrokerConnection, queue: str
) -> None:
    publisher = Publisher(publishing, INBOUND, in_flight=50)
    messages = [outgoing(queue, number) for number in range(300)]
    await publisher.publish_all(messages)
    await publisher.publish_all([])
    read = []
    async with publishing.short_channel() as channel:
        source = await channel.get_queue(queue, ensure=False)
        for _ in messages:
            message = await source.get(no_ack=True)
            assert message is not None
            read.append(
                (
                    message.message_id,
                    message.body,
                    message.headers["vault_id"],
                    message.delivery_mode,
                )
            )
    assert read == [
        (message.message_id, message.body, 10101, 2) for message in messages
    ]
    await publisher.close()


async def test_a_message_without_a_queue_is_unroutable_and_the_others_arrive(
    publishing: BrokerConnection, queue: str
) -> None:
    publisher = Publisher(publishing, INBOUND)
    lost = [outgoing("no_such_queue__v"), outgoing("no_such_queue__v")]
    with pytest.raises(Unroutable) as caught:
        await publisher.publish_all(
            [lost[0], *(outgoing(queue) for _ in range(20)), lost[1]]
        )
    assert caught.value.queue == "no_such_queue__v"
    assert set(caught.value.message_ids) == {message.message_id for message in lost}
    assert await waiting(publishing, queue) == 20
    await publisher.publish(outgoing(queue))
    assert await waiting(publishing, queue) == 21


async def test_twins_of_one_id_are_distinguished(
    publishing: BrokerConnection, queue: str
) -> None:
    publisher = Publisher(publishing, INBOUND)
    for number in range(20):
        good, bad = (
            Outgoing(queue, b"1", f"twin {number}"),
            Outgoing("no_such_queue__v", b"1", f"twin {number}"),
        )
        with pytest.raises(Unroutable):
            await publisher.publish_all([good, bad] if number % 2 else [bad, good])
    assert await waiting(publishing, queue) == 20


async def test_a_missing_exchange_is_an_error_and_does_not_hang(
    publishing: BrokerConnection, queue: str
) -> None:
    publisher = Publisher(publishing, "no.such.exchange", timeout=5)
    for _ in range(2):
        with pytest.raises(BrokerUnavailable):
            await publisher.publish_all([outgoing(queue) for _ in range(5)])
    assert publishing.is_open


async def test_a_cut_connection_is_reported_and_the_next_call_connects_again(
    amqp_url: str, queue: str
) -> None:
    async with (
        proxy_to(amqp_url) as proxy,
        BrokerConnection(proxy.url, "cut") as connection,
    ):
        publisher = Publisher(connection, INBOUND, timeout=30)
        await publisher.publish(outgoing(queue))
        proxy.freeze()
        under_way = asyncio.gather(
            publisher.publish_all([outgoing(queue) for _ in range(10)]),
            return_exceptions=True,
        )
        await until(lambda: bool(publisher._sending))
        proxy.cut()
        (outcome,) = await under_way
        assert isinstance(outcome, BrokerUnavailable)
        with pytest.raises(BrokerUnavailable):
            await publisher.publish(outgoing(queue))
        proxy.restore()
        await publisher.publish(outgoing(queue))


async def test_a_silent_broker_is_unavailable_after_the_timeout(
    amqp_url: str, queue: str
) -> None:
    async with (
        proxy_to(amqp_url) as proxy,
        BrokerConnection(proxy.url, "frozen") as connection,
    ):
        # The way is open; how long that takes says nothing of a silent broker.
        publisher = Publisher(connection, INBOUND)
        await publisher.publish(outgoing(queue))
        publisher._timeout = 0.3
        proxy.freeze()
        with pytest.raises(BrokerUnavailable):
            await publisher.publish_all([outgoing(queue) for _ in range(3)])


async def test_cancelling_is_cancelling(amqp_url: str, queue: str) -> None:
    async with (
        proxy_to(amqp_url) as proxy,
        BrokerConnection(proxy.url, "cancelled") as connection,
    ):
        publisher = Publisher(connection, INBOUND, timeout=60)
        await publisher.publish(outgoing(queue))
        proxy.freeze()
        task = asyncio.create_task(publisher.publish(outgoing(queue)))
        await until(lambda: bool(publisher._sending))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_declaring_again_changes_nothing_and_differing_arguments_are_an_error(
    publishing: BrokerConnection, queue: str
) -> None:
    async with publishing.short_channel() as channel:
        await declare_exchanges(channel)
        await declare_queue(channel, queue, "inbound")
    with pytest.raises(BrokerUnavailable):
        async with publishing.short_channel() as channel:
            await channel.declare_queue(queue, durable=True)
    assert publishing.is_open


async def test_the_state_of_a_queue_and_emptying_it(
    publishing: BrokerConnection, queue: str
) -> None:
    publisher = Publisher(publishing, INBOUND)
    await publisher.publish_all([outgoing(queue) for _ in range(3)])
    assert await waiting(publishing, queue) == 3
    assert await purge_queue(publishing, queue) == 3
    assert await waiting(publishing, queue) == 0
    assert await queue_state(publishing, "no_such_queue__v") is None
    assert await queue_state(publishing, DEAD_LETTER) is not None


async def test_the_first_connect_waits_for_the_broker(amqp_url: str) -> None:
    async with proxy_to(amqp_url) as proxy:
        proxy.cut()
        connection = BrokerConnection(proxy.url, "early")
        opening = asyncio.create_task(connection.open())
        await until(lambda: proxy.accepted >= 2)
        assert not opening.done()
        proxy.restore()
        await opening
        assert connection.is_open
        await connection.close()
        with pytest.raises(BrokerUnavailable):
            await connection.channel()


async def test_the_first_connect_can_be_bounded(amqp_url: str) -> None:
    async with proxy_to(amqp_url) as proxy:
        proxy.cut()
        with pytest.raises(BrokerUnavailable):
            await BrokerConnection(proxy.url, "early").open(give_up_after=0.3)
