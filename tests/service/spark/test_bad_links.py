"""Work is done over a link that flaps, and over a slow one; handled messages are not started again."""

from __future__ import annotations

from collections import Counter

from aiohttp import web

from shared.client import VaultClient
from shared.spark.connection import BrokerConnection
from shared.spark.consumer import Delivery
from shared.spark.topology import queue_state
from tests.service.spark.proxy import proxy_to
from tests.service.spark.test_consumer import Recorder, consuming, publish
from tests.service.spark.waiting import emptied, until
from tests.unit.client.fake_vault import faulty_vault, success

ACCOUNT = "/api/v25.1/vobjects/account__v/V1"


async def test_a_message_that_outlasts_its_connection_is_handled_once(
    amqp_url: str, publishing: BrokerConnection, queue: str
) -> None:
    ids = await publish(publishing, queue, 12)
    handled: Counter[str] = Counter()
    async with proxy_to(amqp_url) as proxy:
        connection = BrokerConnection(proxy.url, "flapping")

        async def handler(deliveries: list[Delivery]) -> None:
            # Longer than any connection lasts.
            accepted = proxy.accepted
            await until(lambda: proxy.accepted > accepted + 1)
            handled.update(delivery.message_id for delivery in deliveries)

        async with (
            consuming(connection, queue, handler, max_batch=3),
            proxy.flapping(0.5),
        ):
            await until(lambda: set(handled) == set(ids))

            # Acknowledged, too, while the link goes on flapping.
            async def has_messages() -> bool:
                state = await queue_state(publishing, queue)
                return state is not None and state.messages > 0

            while await has_messages():
                accepted = proxy.accepted
                await until(lambda accepted=accepted: proxy.accepted > accepted)  # type: ignore[misc]
        await connection.close()
    await emptied(publishing, queue)
    assert set(handled.values()) == {1}


async def test_publishes_get_through_a_link_that_flaps(
    amqp_url: str, publishing: BrokerConnection, queue: str
) -> None:
    recorder = Recorder()
    async with proxy_to(amqp_url) as proxy:
        connection = BrokerConnection(proxy.url, "flapping")
        for number in range(10):
            await proxy.interrupted(publish(connection, queue, 3, f"round {number} "))
        await connection.close()
    async with consuming(publishing, queue, recorder):
        await until(lambda: len(set(recorder.ids)) == 30)


async def test_calls_get_through_a_link_that_flaps() -> None:
    async def record(_: web.Request) -> web.Response:
        return success(data={"id": "V1"})

    async with faulty_vault() as vault, proxy_to(vault.url) as proxy:
        vault.on(ACCOUNT, record)
        async with VaultClient(proxy.url.rstrip("/"), "u", "right") as client:
            for _ in range(10):
                record_read = client.record("account__v", "V1")
                assert await proxy.interrupted(record_read) == {"id": "V1"}


async def test_messages_get_through_a_slow_link(
    amqp_url: str, publishing: BrokerConnection, queue: str
) -> None:
    await publish(publishing, queue, 1, "first")
    recorder = Recorder()
    async with proxy_to(amqp_url) as proxy:
        proxy.latency = 1.0  # each way
        connection = BrokerConnection(proxy.url, "slow")
        async with consuming(connection, queue, recorder):
            await until(lambda: recorder.ids == ["first0"])
            await publish(connection, queue, 1, "second")
            await until(lambda: recorder.ids == ["first0", "second0"])
        await connection.close()
    await emptied(publishing, queue)
