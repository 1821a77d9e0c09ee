"""Listens for TLS: counts each connection when it is opened, and bounds its handshake, before HTTP begins."""

from __future__ import annotations

import asyncio
import socket
import ssl
from functools import partial
from typing import Protocol

from shared.runtime.acceptor import Acceptor
from shared.runtime.connection_bounds import TOO_MANY, ConnectionCount, Refusal
from shared.runtime.telemetry import metrics

# To wait for a client's close_notify: a process that stops waits this long for clients that never send it.
SHUTDOWN_SECONDS = 1.0


class ServesHandshake(Protocol):
    """Makes the protocol of a connection; the protocol replaces the handshake in the count of connections."""

    def __call__(self, *, handshake: Handshake) -> asyncio.Protocol:
        """Return the protocol of one connection."""


class Handshake:
    """A connection during its handshake, counted like others: it may be closed when connections are crowded.

    Otherwise a client could have any number of connections without a handshake.
    """

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None

    @property
    def awaits_request(self) -> bool:
        """Return True: no request has begun yet."""
        return True

    @property
    def awaits_body(self) -> bool:
        """Return False: there is no body yet."""
        return False

    def displace(self) -> None:
        """Close the connection, without an answer, which the client could not read."""
        _count_refusal(TOO_MANY)
        if self.task is not None:
            self.task.cancel()


class TlsServer:
    """Accepts connections on one socket, as an asyncio server does; ``close`` leaves its open connections."""

    def __init__(
        self,
        listener: socket.socket,
        context: ssl.SSLContext,
        count: ConnectionCount,
        protocol: ServesHandshake,
    ) -> None:
        self._context = context
        self._count = count
        self._protocol = protocol
        self._shaking: set[asyncio.Task[None]] = set()
        self._acceptor = Acceptor(listener, self._begin, count.share)

    def close(self) -> None:
        """Accept no more connections, and end those whose handshake is not over."""
        self._acceptor.close()
        for task in self._shaking:
            task.cancel()

    async def wait_closed(self) -> None:
        """Wait until no more connections are accepted, and release the port."""
        await self._acceptor.wait_closed()

    async def _begin(self, connection: socket.socket, address: str) -> None:
        """Count a connection and begin its handshake; close it when there are too many."""
        handshake = Handshake()
        refusal = self._count.enter(handshake, address)
        if refusal is not None:
            _count_refusal(refusal)
            connection.close()
            return
        task = asyncio.create_task(self._shake_hands(connection, handshake))
        handshake.task = task
        self._shaking.add(task)
        task.add_done_callback(partial(self._end, connection))

    def _end(self, connection: socket.socket, task: asyncio.Task[None]) -> None:
        self._shaking.discard(task)
        # One that was cancelled before its first step has closed nothing.
        if task.cancelled():
            connection.close()

    async def _shake_hands(
        self, connection: socket.socket, handshake: Handshake
    ) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: self._protocol(handshake=handshake),
                connection,
                ssl=self._context,
                ssl_handshake_timeout=self._count.bounds.handshake_seconds,
                ssl_shutdown_timeout=SHUTDOWN_SECONDS,
            )
        # The client has gone, speaks no TLS, or takes too long: nobody waits for an answer.
        except OSError:
            return
        finally:
            self._count.leave(handshake)


def listening_socket(host: str, port: int, backlog: int) -> socket.socket:
    """Return a socket that listens on a port.

    :raises OSError: the address is in use, or none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=backlog)
    listener.setblocking(False)
    return listener


def _count_refusal(refusal: Refusal) -> None:
    metrics.connections_refused.labels(str(refusal.status.value)).inc()
