"""Starts and stops a service process: one ASGI application under uvicorn, stopped within a bound."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import cast

import uvicorn
from fastapi import FastAPI

from shared.runtime.acceptor import accepting
from shared.runtime.bounded_protocol import BoundedProtocol
from shared.runtime.connection_bounds import ConnectionBounds, ConnectionCount
from shared.runtime.health import stop_being_ready
from shared.runtime.http_layers import AnswersInPieces, HeadRequests, PrivateAnswers
from shared.runtime.logging import get_logger
from shared.runtime.strict_transport import StrictTransport
from shared.runtime.tls_server import Handshake, TlsServer, listening_socket
from shared.runtime.workers import SharedSockets

Protocols = Callable[..., BoundedProtocol]
_log = get_logger(__name__)

# Longer than any pooled client keeps an idle connection, so the server is never the one to close it.
KEEP_ALIVE_SECONDS = 75
# New objects, and collections of each younger generation, before a generation is searched for garbage. The objects of
# four units of 500 inquiries, all of which are in use, stay below the first number.
COLLECT_AFTER = (200_000, 5, 20)


@dataclass(frozen=True, slots=True)
class TlsListener:
    """A second port that serves the same application by TLS; ``certificate`` (with its chain) and ``key`` are PEM."""

    port: int
    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """Return the server's side of TLS 1.2 and later.

        :raises OSError: a file cannot be read, or is no certificate or key, or they do not belong together.
        """
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key)
        # Without it a client could choose HTTP/2, which this server does not speak.
        context.set_alpn_protocols(["http/1.1"])
        return context


class _Server(uvicorn.Server):
    """A uvicorn server whose whole stop is bounded, which answers signals while starting and may also serve TLS."""

    def __init__(
        self,
        app: FastAPI,
        config: uvicorn.Config,
        grace: float,
        drain: float,
        tls: TlsListener | None,
        count: ConnectionCount,
        shared: SharedSockets | None,
    ) -> None:
        super().__init__(config)
        self._count = count
        self._app = app
        self._grace = grace
        self._drain = drain
        self._tls = tls
        self._shared = shared
        self._timer: threading.Timer | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application and listen; both ports share the state of connections, so that they stop together."""
        # Read before the application starts, so that a wrong file ends the process at once.
        context = self._tls.context() if self._tls else None
        await super().startup(sockets)
        if self.should_exit:
            return
        share = self._count.share
        if self._shared is not None and share is not None:
            # Not before: the other workers would leave connections to one that does not listen yet.
            share.note(0)
            listener = self._shared_listener(self._shared.http)
            server = accepting(listener, self._connection, share)
            self.servers.append(cast("asyncio.Server", server))
        if self._tls is not None and context is not None:
            await self._start_tls(self._tls, context, sockets)

    async def _start_tls(
        self,
        tls: TlsListener,
        context: ssl.SSLContext,
        sockets: list[socket.socket] | None,
    ) -> None:
        try:
            listener = self._listen_tls(tls)
        except OSError as error:
            _log.error("cannot listen for TLS", port=tls.port, reason=error.strerror)
            await self.shutdown(sockets)
            raise SystemExit(3) from error
        server = TlsServer(listener, context, self._count, self._tls_connection)
        # Stopped as the server of the other port is.
        self.servers.append(cast("asyncio.Server", server))

    def _listen_tls(self, tls: TlsListener) -> socket.socket:
        """Return a socket that listens on the TLS port; the workers of a process share one.

        :raises OSError: the address is in use.
        """
        if self._shared is not None and self._shared.tls is not None:
            return self._shared_listener(self._shared.tls)
        return listening_socket(self.config.host, tls.port, self.config.backlog)

    def _shared_listener(self, descriptor: int) -> socket.socket:
        """Return a socket that listens on a port of all workers."""
        listener = socket.socket(fileno=descriptor)
        listener.listen(self.config.backlog)
        listener.setblocking(False)
        return listener

    def _connection(self, *, handshake: Handshake | None = None) -> BoundedProtocol:
        """Return the HTTP protocol of a connection."""
        protocol = cast("Protocols", self.config.http_protocol_class)
        return protocol(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            handshake=handshake,
        )

    def _tls_connection(self, *, handshake: Handshake) -> asyncio.Protocol:
        """Return the HTTP protocol of a TLS connection; a connection on the other port never counts as HTTPS."""
        connection = self._connection(handshake=handshake)
        connection.app = StrictTransport(self.config.loaded_app)
        return connection

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Redirect new clients elsewhere while still answering all requests, then stop."""
        # Each connection is closed with an answer: closing an idle one may lose a request that is on its way.
        if self._drain > 0:
            stop_being_ready(self._app)
            self.server_state.default_headers = [
                *self.server_state.default_headers,
                (b"connection", b"close"),
            ]
            await asyncio.sleep(self._drain)
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  the base names them
        """Begin the stop; end a process that is still running after its grace period."""
        if self._timer is None:
            # A start that waits for a peer, or a stop that hangs, must not outlive the grace.
            limit = self._grace if self.started else min(self._grace, 5.0)
            # A thread, because an event loop that hangs runs no timers.
            self._timer = threading.Timer(limit, _end_process, args=(limit,))
            self._timer.daemon = True
            self._timer.start()
        self.should_exit = True

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal stops it."""
        super().run(sockets)
        if self._timer is not None:
            self._timer.cancel()


def _end_process(limit: float) -> None:
    _log.error("stop took too long, ending the process", seconds=limit)
    os._exit(1)


def serve(
    app: FastAPI,
    host: str,
    port: int,
    *,
    bounds: ConnectionBounds | None = None,
    tls: TlsListener | None = None,
    grace: float = 25.0,
    drain: float = 0.0,
    shared: SharedSockets | None = None,
) -> None:
    """Serve ``app`` on uvloop and httptools until SIGTERM or SIGINT, then return; with ``tls`` on its port as well.

    For ``drain`` seconds it then still serves, reports that it is not ready, and closes each connection with its next
    answer. Requests under way get half of ``grace`` (seconds) to finish; the application's lifespan then has
    the rest to stop what it started. A process still alive after both is ended with status 1.
    Connections of both ports share ``bounds``, by default those of ``ConnectionBounds``. A worker has ``shared``
    sockets instead of ports of its own.
    Requests are not logged; they are counted by the telemetry.

    :raises SystemExit: the application did not start or an address is in use.
    :raises OSError: certificate or key cannot be used.
    """
    _collect_seldom()
    share = None if shared is None else shared.share()
    count = ConnectionCount(bounds or ConnectionBounds(), share)
    protocol = partial(BoundedProtocol, count=count)
    config = uvicorn.Config(
        AnswersInPieces(PrivateAnswers(HeadRequests(app))),
        host=host,
        port=port,
        loop="uvloop",
        # Called as the class would be.
        http=cast("type[asyncio.Protocol]", protocol),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # Anyone may send these headers; an application that has proxies to trust reads them itself.
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, int(grace / 2)),
    )
    server = _Server(app, config, grace + drain, drain, tls, count, shared)
    if shared is None:
        server.run()
    else:
        shared.end_with_parent()
        # No sockets for uvicorn: ``_Server`` itself accepts the connections of the port that workers share.
        server.run([])
    # The exit status has a supervisor see that the start failed.
    if not server.started:
        raise SystemExit(3)


def _collect_seldom() -> None:
    """Run the collector of cyclic garbage less often, and exempt all objects that exist by now.

    The measurements are in docs/performance.md.
    """
    # A page of a thousand records is more objects than the usual threshold: nearly every answer would be a search
    # through all that lives.
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(*COLLECT_AFTER)
