"""Says how much the connections of one process may cost, and counts them by the address of the client."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network

# Of an IPv6 address: what a provider gives to one customer.
CUSTOMER_BITS = 64


@dataclass(frozen=True, slots=True)
class ConnectionBounds:
    """The bounds of connections; sizes are in bytes, times in seconds.

    ``connections`` of all clients, and ``address_connections`` of one address that is not in ``trusted_proxies``, are
    open at once. The head of a request (its line and header fields) has at most ``head_bytes``, half of which its URL
    may take, and has arrived ``head_seconds`` after the connection was opened or its first byte. Within each
    ``stall_seconds``, a body that is still arriving and an answer that is being read move by ``bytes_per_second``.
    """

    connections: int = 800
    address_connections: int = 200
    trusted_proxies: tuple[Network, ...] = ()
    head_bytes: int = 65_536
    head_seconds: float = 20.0
    stall_seconds: float = 30.0
    bytes_per_second: int = 1024

    @property
    def url_bytes(self) -> int:
        """Return the longest URL of a request."""
        return self.head_bytes // 2

    @property
    def stall_bytes(self) -> float:
        """Return by how many bytes a body or an answer moves within ``stall_seconds``, at least."""
        return self.bytes_per_second * self.stall_seconds


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer with which a connection is closed; its text says which bound it has met."""

    status: HTTPStatus
    text: str


TOO_MANY = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections.")
TOO_MANY_OF_ADDRESS = Refusal(
    HTTPStatus.TOO_MANY_REQUESTS, "Too many connections from this address."
)


@dataclass(slots=True)
class ConnectionCount:
    """The open connections of one process, over all its ports."""

    bounds: ConnectionBounds
    _by_client: Counter[str] = field(default_factory=Counter)
    _total: int = 0

    def enter(self, address: str | None) -> Refusal | None:
        """Count a new connection from an address; return the refusal when there are too many, which counts nothing."""
        if self._total >= self.bounds.connections:
            return TOO_MANY
        client = self._client(address)
        if client is not None:
            if self._by_client[client] >= self.bounds.address_connections:
                return TOO_MANY_OF_ADDRESS
            self._by_client[client] += 1
        self._total += 1
        return None

    def leave(self, address: str | None) -> None:
        """Count a connection that has been closed."""
        self._total -= 1
        client = self._client(address)
        if client is None:
            return
        self._by_client[client] -= 1
        # Addresses come and go; only those with connections have an entry.
        if not self._by_client[client]:
            del self._by_client[client]

    def _client(self, address: str | None) -> str | None:
        """Return whom an address belongs to; None for a trusted proxy, behind which there are many."""
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
    """Return an address, that of an IPv4 client also where the port serves both families."""
    host = ip_address(address)
    mapped = host.ipv4_mapped if isinstance(host, IPv6Address) else None
    return host if mapped is None else mapped
