"""Connections to a broker as the driver makes them, closed also when they fail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractConnection
from yarl import URL

from shared.spark.connection import close_connection

TIMEOUT = 10


@asynccontextmanager
async def broker_connection(url: str) -> AsyncIterator[AbstractConnection]:
    """Yield an open connection; one that cannot be opened is not left to the garbage collector."""
    connection = aio_pika.Connection(URL(url))
    try:
        await connection.connect(timeout=TIMEOUT)
        yield connection
    finally:
        await close_connection(connection)
