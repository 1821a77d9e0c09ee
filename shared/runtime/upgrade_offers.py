"""Parses the rest of a request whose head offers another protocol, as the JDK's HttpClient offers HTTP/2.

A server may ignore such an offer (RFC 9110, 7.8). httptools stops there, and takes the body for the new protocol.
"""

from __future__ import annotations

from collections.abc import Callable

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# The fields with the length of a body; the first parser has checked that the fields agree.
FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class FurtherParser:
    """Parses what follows the head of a request on a connection, after another parser has read that head."""

    def __init__(self, protocol: HttpToolsProtocol) -> None:
        self._protocol = protocol
        self._in_head = True
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def begin(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Parse a head with these headers, which describe the body, without passing it on."""
        framing = (
            b"%b: %b\r\n" % field for field in headers if field[0].lower() in FRAMING
        )
        self.parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % b"".join(framing))

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Pass on that a further request begins."""
        self._beyond_head(self._protocol.on_message_begin)

    def on_url(self, url: bytes) -> None:
        """Pass on a part of the URL of a further request."""
        self._beyond_head(self._protocol.on_url, url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Pass on a header field of a further request, or a trailer after the body."""
        self._beyond_head(self._protocol.on_header, name, value)

    def on_headers_complete(self) -> None:
        """Pass on the end of a further request's head, not that of the first request."""
        self._beyond_head(self._protocol.on_headers_complete)
        self._in_head = False

    def on_chunk_header(self) -> None:
        """Pass on the beginning of a chunk, to a protocol that counts chunks."""
        counted: Callable[[], None] | None = getattr(
            self._protocol, "on_chunk_header", None
        )
        if counted is not None:
            counted()

    def on_body(self, body: bytes) -> None:
        """Pass on a part of the body."""
        self._protocol.on_body(body)

    def on_message_complete(self) -> None:
        """Pass on the end of a request."""
        self._protocol.on_message_complete()

    def _beyond_head(self, call: Callable[..., None], *values: bytes) -> None:
        if not self._in_head:
            call(*values)
