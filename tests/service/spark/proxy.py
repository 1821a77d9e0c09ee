"""A TCP proxy to a server that can cut, freeze, slow down and restore its connections, also repeatedly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from yarl import URL

from tests.service.spark.waiting import until

T = TypeVar("T")


class Proxy:
    def __init__(self, target: URL) -> None:
        self._target = target
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._accepting = True
        self._writers: set[asyncio.StreamWriter] = set()
        self.accepted = 0
        self.arrived = 0  # chunks of bytes, from either side
        self.latency = 0.0
        self.url = ""

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.url = str(self._target.with_host("127.0.0.1").with_port(port))
        return server

    def cut(self) -> None:
        """Break all connections at once; new ones are refused until :meth:`restore`."""
        self._accepting = False
        for writer in self._writers:
            writer.transport.abort()

    def freeze(self) -> None:
        """Stop forwarding, without closing connections."""
        self._flowing.clear()

    def restore(self) -> None:
        self._accepting = True
        self._flowing.set()

    @asynccontextmanager
    async def flapping(self, seconds: float) -> AsyncIterator[None]:
        """Break all connections repeatedly: ``seconds`` open, then ``seconds`` closed."""

        async def flap() -> None:
            while True:
                await asyncio.sleep(seconds)
                self.cut()
                await asyncio.sleep(seconds)
                self.restore()

        task = asyncio.create_task(flap())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.restore()

    async def interrupted(self, work: Coroutine[object, object, T]) -> T:
        """Cut the connection of ``work`` after its first bytes, refuse the next one, and return its result.

        The steps follow the bytes and not a clock, so that a slow machine sees the same faults.
        """
        self.freeze()
        arrived = self.arrived
        task = asyncio.create_task(work)
        await until(lambda: self.arrived > arrived)
        self.cut()
        accepted = self.accepted
        await until(lambda: self.accepted > accepted)
        self.restore()
        return await task

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.accepted += 1
        if not self._accepting:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection(
            self._target.host, self._target.port
        )
        self._writers |= {writer, back}
        await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        self._writers -= {writer, back}

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                self.arrived += 1
                await self._flowing.wait()
                if not self.latency:
                    writer.write(data)
                    await writer.drain()
                else:
                    # In order, as all wait equally long; what comes behind does not wait for it.
                    loop = asyncio.get_running_loop()
                    loop.call_later(self.latency, writer.write, data)
        if self.latency:
            await asyncio.sleep(self.latency)
        writer.close()


@asynccontextmanager
async def proxy_to(url: str) -> AsyncIterator[Proxy]:
    proxy = Proxy(URL(url))
    server = await proxy.start()
    try:
        yield proxy
    finally:
        proxy.restore()
        proxy.cut()
        server.close()
