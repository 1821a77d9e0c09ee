"""A broker in memory for the connector's consumers: queues that exist or not, and consumers that record their state."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from aio_pika.exceptions import ChannelNotFoundEntity

from shared.spark.consumer import Handler


@dataclass
class MemoryBroker:
    """A connection with a broker that has these queues."""

    queues: set[str] = field(default_factory=set)
    opened: bool = False
    closed: bool = False

    async def open(self) -> None:
        """Open the connection."""
        self.opened = True

    async def close(self) -> None:
        """Close it."""
        self.closed = True

    @asynccontextmanager
    async def short_channel(self, _timeout: float = 10.0) -> AsyncIterator[Any]:
        """A channel that can ask for queues."""
        yield self

    async def declare_queue(self, name: str, *, passive: bool) -> Any:
        """Return whether a queue exists."""
        assert passive
        if name not in self.queues:
            raise ChannelNotFoundEntity("no such queue")
        result = SimpleNamespace(message_count=0, consumer_count=0)
        return SimpleNamespace(declaration_result=result)


@dataclass
class MemoryConsumer:
    """A consumer of one queue of the broker."""

    connection: object
    queue: str
    handler: Handler | None = None
    prefetch: int = 0
    concurrency: int = 0
    max_batch: int = 0
    is_subscribed: bool = False
    stopped: bool = False

    async def start(self) -> None:
        """Subscribe."""
        self.is_subscribed = True

    async def stop(self, grace: float) -> None:
        """Unsubscribe."""
        assert grace >= 0
        self.is_subscribed, self.stopped = False, True
