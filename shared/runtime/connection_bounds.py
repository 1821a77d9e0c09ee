"""Bounds what the connections of one process may cost, and shares them among clients by address."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Protocol

from shared.runtime.connection_shares import ConnectionShare
from shared.runtime.unread_answers import UnreadAnswers

Network = IPv4Network | IPv6Network

# What a review has seen of a body or an answer: which one, and its bytes.
Observed = tuple[object, int]

# Of an IPv6 address: what a provider gives to one customer.
CUSTOMER_BITS = 64
# Of all connections: those behind which places are shared out, and those of an address that still gets one then.
CROWDED_SHARE = 3 / 4
FEW_SHARE = 1 / 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionBounds:
    """The bounds of connections; sizes are in bytes, times in seconds.

    * ``connections`` of all clients, and ``address_connections`` of one address outside of ``trusted_proxies``, are
      the most that are open at once.
    * ``head_bytes`` is the most that the head of a request (its line and header fields) has; its URL may take half.
    * ``head_seconds``: the head has to arrive within this time after the connection was opened, or its first byte.
    * ``handshake_seconds``: a TLS handshake has to end within this time, before the time of the head begins.
    * ``first_byte_seconds``: while connections are crowded, the first byte has to arrive within this time.
    * ``bytes_per_second`` is the least mean rate, within each ``stall_seconds``, of a body that is still arriving and
      of an answer that is being read.
    * ``unread_bytes`` is the most that waits to be read by all clients together; the slowest are closed before.
    """

    connections: int = 800
    address_connections: int = 200
    trusted_proxies: tuple[Network, ...] = ()
    head_bytes: int = 65_536
    handshake_seconds: float = 15.0
    head_seconds: float = 20.0
    first_byte_seconds: float = 5.0
    stall_seconds: float = 30.0
    bytes_per_second: int = 1024
    unread_bytes: int = 96 * 2**20

    @property
    def url_bytes(self) -> int:
        """Return the longest URL of a request."""
        return self.head_bytes // 2

    @property
    def crowded_connections(self) -> float:
        """Return the number of open connections from which on clients with many make room for those with few."""
        return self.connections * CROWDED_SHARE

    @property
    def few_connections(self) -> float:
        """Return how many connections an address may have while they are crowded, unless another client makes room."""
        return max(1, self.connections * FEW_SHARE)

    @property
    def stall_bytes(self) -> float:
        """Return the least number of bytes that a body or an answer has to advance within ``stall_seconds``."""
        return self.bytes_per_second * self.stall_seconds


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer with which a connection is closed; its text names the exceeded bound."""

    status: HTTPStatus
    text: str

    def answer(self) -> bytes:
        """Return the whole answer as it is sent."""
        text = self.text.encode()
        lines = (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}",
            "content-type: text/plain; charset=utf-8",
            f"content-length: {len(text)}",
            "connection: close",
            "",
            "",
        )
        return "\r\n".join(lines).encode() + text


TOO_MANY = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections.")
TOO_MANY_OF_ADDRESS = Refusal(
    HTTPStatus.TOO_MANY_REQUESTS, "Too many connections from this address."
)
URL_TOO_LONG = Refusal(HTTPStatus.REQUEST_URI_TOO_LONG, "The URL is too long.")
HEAD_TOO_LARGE = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The header fields are too large."
)
HEAD_TOO_SLOW = Refusal(
    HTTPStatus.REQUEST_TIMEOUT, "The header did not arrive in time."
)
BODY_TOO_SLOW = Refusal(HTTPStatus.REQUEST_TIMEOUT, "The body arrived too slowly.")
BODY_UNREAD = Refusal(HTTPStatus.REQUEST_TIMEOUT, "The request has been answered.")
WASTEFUL_CHUNKS = Refusal(
    HTTPStatus.BAD_REQUEST, "The chunks of the body are too small, or say too much."
)
SEVERAL_HOSTS = Refusal(HTTPStatus.BAD_REQUEST, "The request names several hosts.")
UNKNOWN_CODING = Refusal(
    HTTPStatus.NOT_IMPLEMENTED, "The only transfer coding that is read is chunked."
)
TOO_MANY_PIPELINED = Refusal(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests at once.")


class CountedConnection(Protocol):
    """A connection whose place another client can take, unless its request is being answered."""

    @property
    def awaits_request(self) -> bool:
        """Return whether the client has yet to send the whole head of a request, and everything before is answered."""

    @property
    def awaits_body(self) -> bool:
        """Return whether the client has yet to send the rest of a body, and no byte of an answer has been sent."""

    def displace(self) -> None:
        """Close the connection, which is no longer counted."""


@dataclass(slots=True)
class ConnectionCount:
    """The open connections of one process, over all its ports.

    A worker has a ``share``, by which the others know how many it has.
    """

    bounds: ConnectionBounds
    share: ConnectionShare | None = None
    # By the client, or None; the oldest first.
    _clients: dict[CountedConnection, str | None] = field(default_factory=dict)
    _by_client: Counter[str] = field(default_factory=Counter)
    unread: UnreadAnswers = field(init=False)

    def __post_init__(self) -> None:
        self.unread = UnreadAnswers(self.bounds.unread_bytes)

    @property
    def crowded(self) -> bool:
        """Return whether nearly all places are taken."""
        return len(self._clients) >= self.bounds.crowded_connections

    def enter(
        self, connection: CountedConnection, address: str | None
    ) -> Refusal | None:
        """Count a new connection from an address; when there are too many, return the refusal and count nothing.

        While connections are crowded, the new one displaces one of the address that has the most, so that a few
        addresses never shut out others.
        """
        client = self._client(address)
        own_count = 0 if client is None else self._by_client[client]
        bounds = self.bounds
        if own_count >= bounds.address_connections:
            return TOO_MANY_OF_ADDRESS
        if self.crowded and not self._make_room(own_count):
            # What is left is kept for addresses with few, whatever the others are doing.
            if own_count >= bounds.few_connections:
                return TOO_MANY_OF_ADDRESS
            if len(self._clients) >= bounds.connections:
                return TOO_MANY
        self._clients[connection] = client
        if client is not None:
            self._by_client[client] += 1
        self._note()
        return None

    def leave(self, connection: CountedConnection) -> None:
        """Stop counting a connection, if it is counted."""
        client = self._clients.pop(connection, None)
        self._note()
        if client is None:
            return
        self._by_client[client] -= 1
        # Addresses come and go; only those with connections have an entry.
        if not self._by_client[client]:
            del self._by_client[client]

    def _note(self) -> None:
        """Let the other workers know the number of connections."""
        if self.share is not None:
            self.share.note(len(self._clients))

    def _make_room(self, own_count: int) -> bool:
        """Close a connection to make room for a client that has ``own_count`` of them.

        Return False when none can be closed.
        """
        candidates = [
            (connection, self._by_client[client])
            for connection, client in self._clients.items()
            # With one more and one less they would only change places.
            if client is not None and self._by_client[client] > own_count + 1
        ]
        requests = [each for each in candidates if each[0].awaits_request]
        bodies = [each for each in candidates if each[0].awaits_body]
        # The first of the greatest, and so the oldest; one with a body only where its address has no other.
        displaced, _ = max(
            requests + bodies, key=lambda each: each[1], default=(None, 0)
        )
        if displaced is None:
            return False
        self.leave(displaced)
        displaced.displace()
        return True

    def _client(self, address: str | None) -> str | None:
        """Return the client of an address; None for a trusted proxy, which has many clients behind it."""
        if address is None:
            return None
        host = _plain(address)
        networks = self.bounds.trusted_proxies
        if any(host in network for network in networks):
            return None
        if isinstance(host, IPv4Address):
            return str(host)
        customer = IPv6Network((int(host), CUSTOMER_BITS), strict=False)
        return str(customer)


def _plain(address: str) -> IPv4Address | IPv6Address:
    """Return an address; an IPv4 address that a port for both families shows as IPv6 becomes IPv4 again."""
    host = ip_address(address)
    mapped = host.ipv4_mapped if isinstance(host, IPv6Address) else None
    if mapped is None:
        return host
    return mapped


def moved(before: Observed | None, now: Observed | None) -> int | None:
    """Return by how many bytes a body or an answer has advanced; None when it is another message."""
    if before is None or now is None or before[0] != now[0]:
        return None
    return abs(now[1] - before[1])
