"""Accepts connections on a listening socket, alone or in turn with other processes that share it."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable

from shared.runtime.connection_shares import ConnectionShare
from shared.runtime.logging import get_logger
from shared.runtime.waiting import end

_log = get_logger(__name__)

# The process or the machine has no more of what a connection takes; some is given back when others end.
SHORT_OF = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
SHORT_SECONDS = 1.0

Begin = Callable[[socket.socket, str], Awaitable[None]]
"""Begins to serve a connection from an address; the connection is counted when it returns."""


class Acceptor:
    """Accepts connections on one socket, as an asyncio server does; ``close`` leaves its open connections.

    With a ``share``, a worker that has more connections than another leaves new ones to the other.
    """

    def __init__(
        self,
        listener: socket.socket,
        begin: Begin,
        share: ConnectionShare | None = None,
    ) -> None:
        self._listener = listener
        self._begin = begin
        self._share = share
        self._accepting: asyncio.Task[None] | None = asyncio.create_task(
            self._accept(), name="accept"
        )

    def close(self) -> None:
        """Accept no more connections."""
        if self._accepting is not None:
            self._accepting.cancel()

    async def wait_closed(self) -> None:
        """Wait until no more connections are accepted, and release the port."""
        await end(self._accepting)
        self._listener.close()

    async def _accept(self) -> None:
        while True:
            await self._arrival()
            if self._share is not None:
                await self._share.turn()
            try:
                connection, address = self._listener.accept()
            except OSError as error:
                # Any other error: another worker has accepted the connection, or the client has closed it.
                if error.errno in SHORT_OF:
                    _log.error("cannot accept connections", reason=error.strerror)
                    await asyncio.sleep(SHORT_SECONDS)
                continue
            connection.setblocking(False)
            try:
                await self._begin(connection, address[0])
            except Exception as error:  # noqa: BLE001  the next connection is still to be accepted
                _log.error("cannot serve a connection", exc_info=error)
                connection.close()

    async def _arrival(self) -> None:
        """Wait until a connection arrives; another worker may still accept it first."""
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        loop.add_reader(self._listener, arrived.set)
        try:
            await arrived.wait()
        finally:
            loop.remove_reader(self._listener)


def accepting(
    listener: socket.socket,
    protocol: Callable[[], asyncio.Protocol],
    share: ConnectionShare,
) -> Acceptor:
    """Return an acceptor of the port that workers share; each connection gets a protocol of its own."""

    async def begin(connection: socket.socket, _address: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(protocol, connection)
        except OSError:
            connection.close()  # the client has gone already

    return Acceptor(listener, begin, share)
