"""Cancellation and faults as callers of the broker see them."""

from __future__ import annotations

import asyncio
import gc

import aio_pika
import pytest
from yarl import URL

from local.state import free_port
from shared.spark import connection as spark_connection
from shared.spark.broker_errors import BrokerUnavailable
from shared.spark.connection import BrokerConnection, bounded


async def asking(answer: Exception | None) -> None:
    """A call of the driver, which answers its cancellation with ``answer``."""
    async with bounded("ask", 30):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if answer is None:
                raise
            raise answer from None


@pytest.mark.parametrize(
    "answer", [None, ConnectionError("closed"), RuntimeError("closed")]
)
async def test_a_cancellation_stays_one_whatever_the_driver_makes_of_it(
    answer: Exception | None,
) -> None:
    task = asyncio.create_task(asking(answer))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


@pytest.mark.parametrize(
    "fault", [asyncio.CancelledError(), ConnectionError("closed"), TimeoutError()]
)
async def test_a_fault_of_the_driver_is_none_of_the_callers_doing(
    fault: BaseException,
) -> None:
    with pytest.raises(BrokerUnavailable):
        async with bounded("ask", 30):
            raise fault


class SilentTransport:
    """A transport whose broker answers nothing, not even that it is closed."""

    async def close(self, _: object) -> None:
        await asyncio.Event().wait()


async def test_a_connection_that_the_broker_does_not_close_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spark_connection, "CLOSE_TIMEOUT", 0.01)
    connection = aio_pika.Connection(URL("amqp://127.0.0.1/"))
    monkeypatch.setattr(connection, "transport", SilentTransport())
    await spark_connection.close_connection(connection)
    assert connection.is_closed


async def test_a_connection_that_fails_is_closed() -> None:
    port = free_port()
    connection = BrokerConnection(f"amqp://127.0.0.1:{port}/", "test")
    # The traceback refers to what the driver has made.
    with pytest.raises(BrokerUnavailable) as failure:
        await connection.channel()
    known = gc.get_objects()
    made = [each for each in known if isinstance(each, aio_pika.Connection)]
    assert [each.is_closed for each in made if each.url.port == port] == [True], failure
