from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from shared.spark.connection import BrokerConnection
from shared.spark.topology import Direction, declare_exchanges, declare_queue


@pytest.fixture
async def connection(amqp_url: str) -> AsyncIterator[BrokerConnection]:
    async with BrokerConnection(amqp_url, "tests") as connection:
        yield connection


@pytest.fixture
async def publishing(amqp_url: str) -> AsyncIterator[BrokerConnection]:
    async with BrokerConnection(amqp_url, "tests publishing") as connection:
        yield connection


@pytest.fixture
async def queue(publishing: BrokerConnection) -> AsyncIterator[str]:
    """A Spark queue of this test alone, behind the inbound exchange."""
    name = f"test_{uuid4().hex}__v"
    async with publishing.short_channel() as channel:
        await declare_exchanges(channel)
        await declare_queue(channel, name, Direction.INBOUND)
    yield name
    async with publishing.short_channel() as channel:
        await channel.queue_delete(name)
