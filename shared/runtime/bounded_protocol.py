"""Serves HTTP on one connection as uvicorn does, and closes it when it exceeds a bound of connections."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import (
    HttpToolsProtocol,
    RequestResponseCycle,
)

from shared.runtime.connection_bounds import (
    BODY_TOO_SLOW,
    BODY_UNREAD,
    HEAD_TOO_LARGE,
    HEAD_TOO_SLOW,
    SEVERAL_HOSTS,
    TOO_MANY,
    TOO_MANY_PIPELINED,
    UNKNOWN_CODING,
    URL_TOO_LONG,
    WASTEFUL_CHUNKS,
    ConnectionBounds,
    ConnectionCount,
    CountedConnection,
    Observed,
    Refusal,
    moved,
)
from shared.runtime.http_layers import UNSENT
from shared.runtime.telemetry import metrics
from shared.runtime.upgrade_offers import FurtherParser

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application
    from uvicorn.config import Config
    from uvicorn.server import ServerState

MAX_HEADER_FIELDS = 100
# Requests that wait for the answer of an earlier one on the same connection.
MAX_PIPELINED = 8
# A body may have so many chunks whatever their length, and further ones of this length on the average.
FREE_CHUNKS = 10_000
LEAST_CHUNK = 16


class _Refused(Exception):
    """Raised to stop the parser on a refused request."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol of one connection, within the bounds of ``count``, which all connections of a process share.

    A TLS connection was counted as ``handshake`` before.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        count: ConnectionCount,
        handshake: CountedConnection | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._count = count
        self._handshake = handshake
        self._bounds: ConnectionBounds = count.bounds
        self._url_bytes = count.bounds.url_bytes
        self._first_byte_timer: asyncio.TimerHandle | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._review_timer: asyncio.TimerHandle | None = None
        self._refusal: Refusal | None = None
        # Of the message that is arriving; ``_bare_bytes`` came without any part of a body between them.
        self._messages = 0
        self._in_body = False
        self._head_bytes = 0
        self._header_fields = 0
        self._has_host = False
        self._body_bytes = 0
        self._bare_bytes = 0
        self._chunks = 0
        self._answered: RequestResponseCycle | None = None
        self._write_pauses = 0
        self._observed_body: Observed | None = None
        self._observed_answer: Observed | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection and wait for its first request; close it when there are too many."""
        super().connection_made(transport)
        # Its place is counted for the connection from here on.
        if self._handshake is not None:
            self._count.leave(self._handshake)
        address = self.client[0] if self.client else None
        refusal = self._count.enter(self, address)
        if refusal is not None:
            self._refuse(refusal)
            return
        self._await_first_byte()
        self._await_head()
        self._await_review()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop counting and watching the connection."""
        self._count.leave(self)
        self._count.unread.remove(self)
        self._first_byte_arrived()
        self._head_arrived()
        if self._review_timer is not None:
            self._review_timer.cancel()
        self._disconnect()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse received data, and count the bytes that are neither a body nor a whole header field."""
        if self.transport.is_closing():
            return
        self._first_byte_arrived()
        if not self._in_body:
            self._await_head()
        before = self._messages, self._body_bytes
        self._parse(data)
        # Counted here as well as by field: the parser keeps a field to itself until it is whole.
        if (self._messages, self._body_bytes) != before:
            self._bare_bytes = 0
            return
        self._bare_bytes += len(data)
        if self._bare_bytes > self._bounds.head_bytes:
            self._refuse(WASTEFUL_CHUNKS if self._in_body else HEAD_TOO_LARGE)

    def _parse(self, data: bytes) -> None:
        """Parse received data; answer 400 when it is not valid HTTP."""
        self._unset_keepalive_if_required()
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            further = FurtherParser(self)
            self.parser = further.parser
            further.begin(self.headers)
            self._feed(data[upgrade.args[0] :])

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that cannot be parsed, or whose parsing a bound has stopped."""
        self._refuse(self._refusal or Refusal(HTTPStatus.BAD_REQUEST, msg))

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Begin to count a request."""
        super().on_message_begin()
        self._messages += 1
        self._head_bytes = self._header_fields = 0
        self._has_host = False
        self._body_bytes = self._chunks = 0
        self._await_head()

    def on_url(self, url: bytes) -> None:
        """Take a part of the URL."""
        super().on_url(url)
        self._head_bytes += len(url)
        if len(self.url) > self._url_bytes:
            self._stop(URL_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field; a trailer after a body is counted and ignored, since the headers are already checked."""
        self._head_bytes += len(name) + len(value)
        self._header_fields += 1
        too_many = self._header_fields > MAX_HEADER_FIELDS
        if too_many or self._head_bytes > self._bounds.head_bytes:
            self._stop(HEAD_TOO_LARGE)
        if not self._in_body:
            self._check_field(name.lower(), value)
            super().on_header(name, value)

    def _check_field(self, name: bytes, value: bytes) -> None:
        """Refuse what programs on the way may each read differently (RFC 9112): a second Host, and unknown codings."""
        if name == b"transfer-encoding" and value.strip().lower() != b"chunked":
            self._stop(UNKNOWN_CODING)
        if name != b"host":
            return
        if self._has_host:
            self._stop(SEVERAL_HOSTS)
        self._has_host = True

    def on_headers_complete(self) -> None:
        """Begin to answer the request, or queue it for later."""
        if len(self.pipeline) >= MAX_PIPELINED:
            self._stop(TOO_MANY_PIPELINED)
        self._head_arrived()
        super().on_headers_complete()
        self._in_body = True

    def on_chunk_header(self) -> None:
        """Count the chunks of a body, since a short chunk costs as much as a long one."""
        self._chunks += 1
        if self._chunks > FREE_CHUNKS + self._body_bytes // LEAST_CHUNK:
            self._stop(WASTEFUL_CHUNKS)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request, unless its body is still to be read by a further parser."""
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        self._in_body = False

    def _start_asgi_task(
        self, cycle: RequestResponseCycle, app: ASGI3Application
    ) -> None:
        """Begin to answer a request; further requests may be queued already."""
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def pause_writing(self) -> None:
        """Note that nothing more is written until the client has read the answer so far."""
        self._write_pauses += 1
        super().pause_writing()
        self._count.unread.add(self)

    def resume_writing(self) -> None:
        """Note that the client has read most of the answer so far."""
        self._count.unread.remove(self)
        super().resume_writing()

    @property
    def unread_bytes(self) -> int:
        """Return the bytes of answers that wait for the client, here and in the layer that sends them in pieces."""
        sent = self.transport.get_write_buffer_size()
        if self._answered is None:
            return sent
        unsent = cast("dict[str, Any]", self._answered.scope).get(UNSENT, 0)
        return sent + int(unsent)

    def cut_off(self) -> None:
        """Close the connection of a client that reads more slowly than others while too much is unread."""
        metrics.connections_refused.labels(str(TOO_MANY.status.value)).inc()
        self.loop.call_soon(self.transport.abort)  # not now: it may be writing

    # What makes room for another client.

    @property
    def awaits_request(self) -> bool:
        """Return whether no request is being answered, and no head has arrived since the last."""
        return not self._in_body and self._all_answered and self._all_written

    @property
    def awaits_body(self) -> bool:
        """Return whether the rest of a body may still arrive, and no byte of its answer has been sent."""
        if self._body() is None or self.pipeline:
            return False
        started = self.cycle.response_started and not self.cycle.response_complete
        return not started and self._all_written

    def displace(self) -> None:
        """Close the connection; without an answer when no request has begun."""
        in_head = self._messages and self._head_timer is not None
        if in_head or self._in_body:
            self._refuse(TOO_MANY)
            return
        metrics.connections_refused.labels(str(TOO_MANY.status.value)).inc()
        # By TLS, closing would wait for the client.
        self.transport.abort()

    # What ends a connection.

    def _stop(self, refusal: Refusal) -> None:
        """Have the parser stop, which calls ``send_400_response``."""
        self._refusal = refusal
        raise _Refused(refusal)

    def _refuse(self, refusal: Refusal) -> None:
        """Close the connection, with an answer if the client expects one."""
        if self.transport.is_closing():
            return
        metrics.connections_refused.labels(str(refusal.status.value)).inc()
        answers = self._may_answer()
        self._disconnect()
        if answers:
            self.transport.write(refusal.answer())
        self.transport.close()

    def _disconnect(self) -> None:
        """Stop the application's writes, and end its wait for the rest of a body."""
        cycle = self._answered
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()

    def _may_answer(self) -> bool:
        """Return whether an answer now would be that of the request which is refused."""
        if self._in_body:
            return not self.pipeline and not self.cycle.response_started
        return self._all_answered

    @property
    def _all_answered(self) -> bool:
        """Return whether the latest request, and so each before it, has its whole answer."""
        latest: RequestResponseCycle | None = self.cycle
        return latest is None or latest.response_complete

    @property
    def _all_written(self) -> bool:
        """Return whether the client, or at least its network, has received all bytes of the answer."""
        return not self.unread_bytes

    # What passes with time.

    def _await_first_byte(self) -> None:
        seconds = self._bounds.first_byte_seconds
        self._first_byte_timer = self.loop.call_later(seconds, self._first_byte_is_late)

    def _first_byte_arrived(self) -> None:
        if self._first_byte_timer is not None:
            self._first_byte_timer.cancel()
            self._first_byte_timer = None

    def _first_byte_is_late(self) -> None:
        """Close a connection without a first byte, once other clients need its place."""
        if self._count.crowded:
            self.transport.abort()
        else:
            self._await_first_byte()

    def _await_head(self) -> None:
        """Start the time limit of a head, unless it runs already."""
        if self._head_timer is None:
            seconds = self._bounds.head_seconds
            self._head_timer = self.loop.call_later(seconds, self._head_is_late)

    def _head_arrived(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        """Close the connection, silently when it never began a request."""
        self._head_timer = None
        # What is missing may have arrived, and wait for the answers to earlier requests.
        if self.flow.read_paused:
            self._await_head()
        elif self._messages:
            self._refuse(HEAD_TOO_SLOW)
        else:
            self.transport.close()

    def _await_review(self) -> None:
        seconds = self._bounds.stall_seconds
        self._review_timer = self.loop.call_later(seconds, self._review)

    def _review(self) -> None:
        """Close the connection if its body or its answer has hardly moved since the last review."""
        body, answer = self._body(), self._unread_answer()
        stall_bytes = self._bounds.stall_bytes
        received = moved(self._observed_body, body)
        if received is not None and self.cycle.response_complete:
            self._refuse(BODY_UNREAD)
        elif received is not None and received < stall_bytes:
            self._refuse(BODY_TOO_SLOW)
        read = moved(self._observed_answer, answer)
        if read is not None and read < stall_bytes:
            # Not closed, which would wait for the rest to be read.
            self.transport.abort()
            return
        self._observed_body, self._observed_answer = body, answer
        self._await_review()

    def _body(self) -> Observed | None:
        """Return the message whose body may still arrive, and how much of it has arrived."""
        if not self._in_body or self.flow.read_paused:
            return None
        if self.cycle.waiting_for_100_continue:
            return None
        return (self._messages, self.cycle.response_complete), self._body_bytes

    def _unread_answer(self) -> Observed | None:
        """Return the complete answer that the client has yet to read, and the number of its unread bytes."""
        unread = self.unread_bytes
        complete = self._all_answered
        if not unread or not (complete or self.flow.write_paused):
            return None
        return (self._messages, self._write_pauses, complete), unread
