"""Calls the proxy of a composed system: as an ordinary client, and as one that exceeds bounds."""

from __future__ import annotations

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter
from dataclasses import dataclass

from local.failure import SystemFailed
from local.polling import all_of
from local.tls import HOST

# Longer than the longest bound of deploy/proxy/haproxy.cfg, with time to spare on a machine that is busy.
_PATIENCE = 90.0
# Connections that are tried beyond the bound.
_MORE = 10
_STRICT = b"strict-transport-security: max-age=31536000"
_SENT_BEFORE = "forged.example"
_GET = "GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}Connection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class ProxyPort:
    """A port of the proxy for a Vault, and the certificate authority that clients trust."""

    port: int
    trust: ssl.SSLContext
    connections_per_address: int

    async def check(self) -> None:
        """Make the calls that the proxy has to serve, and those that it has to refuse.

        :raises SystemFailed: the proxy did not do what it should.
        """
        await self._serves_the_vault()
        await self._keeps_metrics_inside()
        await all_of(
            self._bounds_the_size_of_headers(),
            self._bounds_the_time_of_headers(),
            self._bounds_the_time_of_a_body(),
            self._bounds_the_time_between_requests(),
        )
        await self._bounds_the_connections_of_an_address()

    async def _serves_the_vault(self) -> None:
        head, _, _ = (await self._answer("/healthz")).partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        _expect("the Vault answers", lines[0].startswith(b"http/1.1 200"))
        _expect("clients are bound to HTTPS", lines.count(_STRICT) == 1)
        forged = f"X-Forwarded-Host: {_SENT_BEFORE}\r\nX-Forwarded-Proto: http\r\n"
        answer = await self._answer("/api/", forged)
        address = f"https://{HOST}:{self.port}/api/"
        _expect("addresses are the client's own", address.encode() in answer)
        _expect("forged addresses are dropped", _SENT_BEFORE.encode() not in answer)

    async def _keeps_metrics_inside(self) -> None:
        for path in ("/metrics", "/%6detrics", "/metrics?x=1"):
            answer = await self._answer(path)
            _expect(f"{path} is not served", answer.startswith(b"HTTP/1.1 404"))

    async def _bounds_the_size_of_headers(self) -> None:
        large = f"X-Large: {'x' * 16_000}\r\n"
        many = "".join(f"X-{number}: x\r\n" for number in range(80))
        for more in (large, many):
            answer = await self._answer("/healthz", more)
            _expect("large headers are refused", answer.startswith(b"HTTP/1.1 4"))

    async def _bounds_the_time_of_headers(self) -> None:
        answer = await self._send(b"GET /healthz HTTP/1.1\r\n")
        _expect("slow headers are refused", answer.startswith(b"HTTP/1.1 408"))

    async def _bounds_the_time_of_a_body(self) -> None:
        head = f"POST /api/v25.1/auth HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 9\r\n\r\nu"
        answer = await self._send(head.encode())
        _expect("a slow body is refused", answer.startswith(b"HTTP/1.1 408"))

    async def _bounds_the_time_between_requests(self) -> None:
        request = f"GET /healthz HTTP/1.1\r\nHost: {HOST}\r\n\r\n"
        answer = await self._send(request.encode())
        _expect("an idle connection is closed", answer.startswith(b"HTTP/1.1 200"))

    async def _bounds_the_connections_of_an_address(self) -> None:
        bound = self.connections_per_address
        opening = [self._open() for _ in range(bound + _MORE)]
        opened = await asyncio.gather(*opening, return_exceptions=True)
        writers = [each[1] for each in opened if not isinstance(each, BaseException)]
        for writer in writers:
            writer.close()
        # Not equal: on a busy machine the first may have been closed as silent before the last one came.
        bounded = bound <= len(writers) < bound + _MORE
        _expect("an address has so many connections and no more", bounded)

    async def _answer(self, path: str, more: str = "") -> bytes:
        host = f"{HOST}:{self.port}"
        request = _GET.format(path=path, host=host, more=more)
        return await self._send(request.encode())

    async def _send(self, request: bytes) -> bytes:
        """Return all bytes that arrive until the proxy closes the connection."""
        reader, writer = await self._open()
        try:
            writer.write(request)
            async with asyncio.timeout(_PATIENCE):
                return await reader.read()
        except TimeoutError:
            return b""
        finally:
            writer.close()

    async def _open(self) -> tuple[StreamReader, StreamWriter]:
        return await asyncio.open_connection(HOST, self.port, ssl=self.trust)


def _expect(what: str, holds: bool) -> None:
    if not holds:
        raise SystemFailed(f"the proxy failed this check: {what}")
