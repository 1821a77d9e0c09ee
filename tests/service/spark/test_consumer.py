"""Consuming from a real broker: no message is lost, no failure loops, and every lost connection is survived."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import pytest

from shared.runtime.retry_policies import REDELIVERY
from shared.spark.connection import BrokerConnection
from shared.spark.consumer import Consumer, Delivery, Handler
from shared.spark.publisher import Outgoing, Publisher
from shared.spark.topology import (
    DEAD_LETTER,
    DELIVERY_LIMIT,
    Direction,
    declare_exchanges,
    declare_queue,
)
from tests.service.spark.proxy import proxy_to
from tests.service.spark.waiting import emptied, until

INBOUND = Direction.INBOUND.exchange
FAST = replace(REDELIVERY, first_pause=0.001, longest_pause=0.001)


async def publish(
    connection: BrokerConnection, queue: str, count: int, prefix: str = "m"
) -> list[str]:
    ids = [f"{prefix}{number}" for number in range(count)]
    publisher = Publisher(connection, INBOUND)
    await publisher.publish_all(
        [Outgoing(queue, name.encode(), name, {"vault_id": 1}) for name in ids]
    )
    await publisher.close()
    return ids


@asynccontextmanager
async def consuming(
    connection: BrokerConnection, queue: str, handler: Handler, **options: object
) -> AsyncIterator[Consumer]:
    consumer = Consumer(connection, queue, handler, **options)  # type: ignore[arg-type]
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop(grace=5)


class Recorder:
    """A handler that records its deliveries."""

    def __init__(self) -> None:
        self.batches: list[list[Delivery]] = []

    async def __call__(self, deliveries: list[Delivery]) -> None:
        self.batches.append(deliveries)

    @property
    def ids(self) -> list[str]:
        return [delivery.message_id for batch in self.batches for delivery in batch]


async def test_all_are_handled_and_acknowledged(
    connection: BrokerConnection, publishing: BrokerConnection, queue: str
) -> None:
    ids = await publish(publishing, queue, 500)
    recorder = Recorder()
    async with consuming(connection, queue, recorder, prefetch=100, max_batch=20):
        await until(lambda: len(recorder.ids) == 500)
    await emptied(publishing, queue)
    assert sorted(recorder.ids) == sorted(ids)
    assert max(map(len, recorder.batches)) <= 20
    first = recorder.batches[0][0]
    assert (first.body, first.headers["vault_id"], first.redelivered, first.queue) == (
        b"m0",
        1,
        False,
        queue,
    )


async def test_one_message_is_not_made_to_wait_for_more(
    connection: BrokerConnection, publishing: BrokerConnection, queue: str
) -> None:
    recorder = Recorder()
    async with consuming(connection, queue, recorder, max_batch=50):
        await publish(publishing, queue, 1)
        await until(lambda: recorder.ids == ["m0"])


async def test_what_waits_is_grouped(
    connection: BrokerConnection, publishing: BrokerConnection, queue: str
) -> None:
    await publish(publishing, queue, 1, "first")
    entered, go_on = asyncio.Event(), asyncio.Event()
    recorder = Recorder()

    async def handler(deliveries: list[Delivery]) -> None:
        await recorder(deliveries)
        entered.set()
        await go_on.wait()

    async with consuming(
        connection, queue, handler, concurrency=1, max_batch=10
    ) as consumer:
        await entered.wait()
        await publish(publishing, queue, 25)
        await until(
            lambda: (
                consumer._subscription is not None
                and consumer._subscription.unsettled_count == 26
            )
        )
        go_on.set()
        await until(lambda: len(recorder.ids) == 26)
    assert [len(batch) for batch in recorder.batches] == [1, 10, 10, 5]
    assert recorder.ids == ["first0", *(f"m{number}" for number in range(25))]


async def test_no_more_handlers_run_than_allowed(
    connection: BrokerConnection, publishing: BrokerConnection, queue: str
) -> None:
    await publish(publishing, queue, 50)
    running, most, done = 0, 0, 0

    async def handler(_deliveries: list[Delivery]) -> None:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        done += 1

    async with consuming(connection, queue, handler, concurrency=3, max_batch=1):
        await until(lambda: done == 50)
    assert most == 3


async def test_a_failed_batch_returns_and_each_is_given_alone(
    connection: BrokerConnection, publishing: BrokerConnection, queue: str
) -> None:
    ids = await publish(publishing, queue, 20)
    handled: list[str] = []
    sizes: dict[str, list[int]] = {name: [] for name in ids}

    async def handler(deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            sizes[delivery.message_id].append(len(deliveries))
        if (
            any(delivery.message_id == "m7" for delivery in deliveries)
            and sum(map(len, sizes.values())) < 60
        ):
            raise ValueError("m7 is bad")
        handled.extend(delivery.message_id for delivery in deliveries)

    async with consuming(
        connection, queue, handler, concurrency=1, max_batch=20, redelivery=FAST
    ):
        await until(lambda: len(set(handled)) >= 19)
        assert set(handled) >= set(ids) - {"m7"}
    assert all(size == 1 for name in ids for size in sizes[name][1:])


async def test_a_message_that_always_fails_ends_in_the_dead_letter_queue(
    connection: BrokerConnection, publishing: BrokerConnection, queue: str
) -> None:
    attempts: Counter[str] = Counter()

    async def handler(deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            attempts[delivery.message_id] += 1
        if any(delivery.message_id.startswith("bad") for delivery in deliveries):
            raise ValueError

    (bad,) = await publish(publishing, queue, 1, f"bad{uuid4()}")
    dead = Recorder()
    async with (
        consuming(connection, queue, handler, redelivery=FAST),
        consuming(connection, DEAD_LETTER, dead, watch_interval=0.5),
    ):
        await until(lambda: bad in dead.ids)
        await publish(publishing, queue, 3, "good")
        await until(lambda: attempts["good2"] == 1)
    assert attempts[bad] == DELIVERY_LIMIT + 1
    await emptied(publishing, queue)


async def test_failures_do_not_spin(
    connection: BrokerConnection, publishing: BrokerConnection, queue: str
) -> None:
    """During its pause a failed message occupies no worker, and stopping does not wait for it."""
    await publish(publishing, queue, 1, "bad")
    recorder = Recorder()

    async def handler(deliveries: list[Delivery]) -> None:
        await recorder(deliveries)
        if deliveries[0].message_id == "bad0":
            raise ValueError

    async with consuming(
        connection,
        queue,
        handler,
        concurrency=1,
        redelivery=replace(REDELIVERY, first_pause=3600, longest_pause=3600),
    ):
        await until(lambda: recorder.ids == ["bad0"])
        await publish(publishing, queue, 20, "good")
        await until(lambda: len(recorder.ids) == 21)
        assert Counter(recorder.ids)["bad0"] == 1
    again = Recorder()
    async with consuming(connection, queue, again):
        await until(lambda: again.ids == ["bad0"])
    assert again.batches[0][0].redelivered


async def test_a_handler_cancelled_from_within_is_a_failure_and_no_end(
    connection: BrokerConnection, publishing: BrokerConnection, queue: str
) -> None:
    await publish(publishing, queue, 1)
    calls = 0

    async def handler(_deliveries: list[Delivery]) -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise asyncio.CancelledError

    async with consuming(connection, queue, handler, redelivery=FAST):
        await until(lambda: calls == 3)
    await emptied(publishing, queue)


async def test_stopping_lets_handlers_finish_and_returns_the_rest(
    connection: BrokerConnection, publishing: BrokerConnection, queue: str
) -> None:
    ids = await publish(publishing, queue, 30)
    entered, go_on = asyncio.Event(), asyncio.Event()
    recorder = Recorder()

    async def handler(deliveries: list[Delivery]) -> None:
        entered.set()
        await go_on.wait()
        await recorder(deliveries)

    consumer = Consumer(connection, queue, handler, concurrency=2, max_batch=3)
    await consumer.start()
    await entered.wait()
    await until(
        lambda: (
            consumer._subscription is not None
            and consumer._subscription.unsettled_count == 30
        )
    )
    stopping = asyncio.create_task(consumer.stop(grace=30))
    await until(lambda: consumer._subscription is None)
    go_on.set()
    await stopping
    finished = len(recorder.ids)
    assert 0 < finished <= 6
    rest = Recorder()
    async with consuming(connection, queue, rest):
        await until(lambda: len(rest.ids) == 30 - finished)
    assert sorted(recorder.ids + rest.ids) == sorted(ids)


async def test_a_handler_that_does_not_finish_is_ended_and_its_delivery_returns(
    connection: BrokerConnection, publishing: BrokerConnection, queue: str
) -> None:
    await publish(publishing, queue, 1)
    entered = asyncio.Event()

    async def handler(_deliveries: list[Delivery]) -> None:
        entered.set()
        await asyncio.Event().wait()

    consumer = Consumer(connection, queue, handler)
    await consumer.start()
    await entered.wait()
    await consumer.stop(grace=0.05)
    recorder = Recorder()
    async with consuming(connection, queue, recorder):
        await until(lambda: recorder.ids == ["m0"])


async def test_it_can_be_started_again(
    connection: BrokerConnection, publishing: BrokerConnection, queue: str
) -> None:
    recorder = Recorder()
    consumer = Consumer(connection, queue, recorder)
    for number in range(3):
        await consumer.start()
        with pytest.raises(RuntimeError):
            await consumer.start()
        await publish(publishing, queue, 1, f"round{number} ")
        await until(lambda number=number: len(recorder.ids) == number + 1)  # type: ignore[misc]
        await consumer.stop()
        await consumer.stop()
    await emptied(publishing, queue)


async def test_a_cut_connection_loses_nothing(
    amqp_url: str, publishing: BrokerConnection, queue: str
) -> None:
    ids = await publish(publishing, queue, 200)
    entered, go_on = asyncio.Event(), asyncio.Event()
    recorder = Recorder()

    async def handler(deliveries: list[Delivery]) -> None:
        entered.set()
        await go_on.wait()
        await recorder(deliveries)

    async with proxy_to(amqp_url) as proxy:
        connection = BrokerConnection(proxy.url, "cut")
        async with consuming(
            connection, queue, handler, prefetch=50, max_batch=5
        ) as consumer:
            await entered.wait()
            proxy.cut()
            await until(lambda: not consumer.is_subscribed)
            # These hold deliveries of a channel that is gone: their acknowledgement is void. How many they
            # are is the broker's pace: a worker takes what has arrived, which may be one message.
            go_on.set()
            await until(lambda: bool(recorder.ids))
            proxy.restore()
            await until(lambda: set(recorder.ids) == set(ids))
            await consumer.subscribed()
            assert await consumer.check() is None
        await connection.close()
    await emptied(publishing, queue)


async def test_a_frozen_connection_is_replaced_by_the_watchdog(
    amqp_url: str, publishing: BrokerConnection, queue: str
) -> None:
    recorder = Recorder()
    async with proxy_to(amqp_url) as proxy:
        connection = BrokerConnection(proxy.url, "frozen")
        async with consuming(
            connection, queue, recorder, watch_interval=0.1
        ) as consumer:
            await consumer.subscribed()
            proxy.freeze()
            await until(lambda: not consumer.is_subscribed)
            proxy.restore()
            await publish(publishing, queue, 5)
            await until(lambda: len(set(recorder.ids)) == 5)
        await connection.close()


async def test_a_deleted_queue_is_consumed_again_once_it_is_back(
    connection: BrokerConnection, publishing: BrokerConnection, queue: str
) -> None:
    recorder = Recorder()
    async with consuming(connection, queue, recorder) as consumer:
        await consumer.subscribed()
        async with publishing.short_channel() as channel:
            await channel.queue_delete(queue)
        await until(lambda: not consumer.is_subscribed)
        async with publishing.short_channel() as channel:
            await declare_queue(channel, queue, Direction.INBOUND)
        await publish(publishing, queue, 2)
        await until(lambda: len(recorder.ids) == 2)


async def test_a_queue_of_its_own_is_declared_before_the_first_subscription(
    connection: BrokerConnection, publishing: BrokerConnection
) -> None:
    name, prepared, handler = f"q_{uuid4().hex}", [], Recorder()

    async def prepare(broker: BrokerConnection) -> None:
        async with broker.short_channel() as channel:
            await declare_exchanges(channel)
            await declare_queue(channel, name, Direction.INBOUND)
        prepared.append(name)

    async with consuming(connection, name, handler, prepare=prepare) as consumer:
        async with asyncio.timeout(60):
            await consumer.subscribed()
        assert prepared == [
            name
        ]  # a first subscription without it would have failed, and been tried again
        await publish(publishing, name, 1)
        await until(lambda: handler.ids == ["m0"])


async def test_a_queue_that_is_not_there_yet_is_waited_for(
    connection: BrokerConnection, publishing: BrokerConnection, queue: str
) -> None:
    late = f"{queue}_late"
    recorder = Recorder()
    async with consuming(connection, late, recorder) as consumer:
        await until(lambda: consumer._supervisor is not None and connection.is_open)
        async with publishing.short_channel() as channel:
            await declare_queue(channel, late, Direction.INBOUND)
        await publish(publishing, late, 1)
        await until(lambda: recorder.ids == ["m0"])
    async with publishing.short_channel() as channel:
        await channel.queue_delete(late)


async def test_many_consumers_share_a_queue(
    amqp_url: str, publishing: BrokerConnection, queue: str
) -> None:
    recorders = [Recorder() for _ in range(3)]
    connections = [
        BrokerConnection(amqp_url, f"shared {number}") for number in range(3)
    ]
    consumers = [
        Consumer(connection, queue, recorder, prefetch=10, max_batch=5)
        for connection, recorder in zip(connections, recorders, strict=True)
    ]
    for consumer in consumers:
        await consumer.start()
        await consumer.subscribed()
    ids = await publish(publishing, queue, 300)
    await until(lambda: sum(len(recorder.ids) for recorder in recorders) == 300)
    for consumer, connection in zip(consumers, connections, strict=True):
        await consumer.stop()
        await connection.close()
    assert sorted(name for recorder in recorders for name in recorder.ids) == sorted(
        ids
    )
    assert all(recorder.ids for recorder in recorders)
