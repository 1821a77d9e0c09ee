"""Decides by which address a Vault names itself in an answer: by that of the request, where it may be its own."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

HOST = re.compile(r"[A-Za-z0-9._\-\[\]:]{1,255}")
LOCAL = "localhost"
# Where the middleware below stores the addresses of the Vault, and whether a trusted proxy sent the request.
ADDRESSES, BY_PROXY = "own_addresses", "by_trusted_proxy"


@dataclass(frozen=True, slots=True)
class OwnAddresses:
    """The host names of a Vault beside those of its machine and network, and its ``public`` address, if it has one."""

    names: frozenset[str] = frozenset()
    public: str = ""

    @classmethod
    def of(cls, host_name: str, public: str, other: str) -> OwnAddresses:
        """Return the addresses by the settings of a Vault; its address for people goes before that for Vaults."""
        configured = (urlsplit(each).hostname or "" for each in (public, other))
        machine = socket.gethostname().lower()
        names = {host_name.lower(), machine, f"{machine}.local", *configured}
        address = urlsplit(public or other)
        origin = f"{address.scheme}://{address.netloc}" if address.netloc else ""
        return cls(frozenset(names - {""}), origin)

    def include(self, host: str, served_at: str) -> bool:
        """Return whether a host (with or without a port) may be this Vault, which was reached at ``served_at``."""
        name = _name(host)
        if name is None:
            return False
        try:
            address = ip_address(name)
        except ValueError:
            # Names without a dot are names of this network alone, such as those of Compose.
            near = "." not in name or name.endswith(f".{LOCAL}")
            return near or name in self.names
        # Behind a mapped port, the client's address of this machine is not the one of the socket.
        return address.is_private or name == served_at or name in self.names


class OwnAddress:
    """ASGI middleware that stores the addresses of a Vault in each request, for ``origin``; it stands outermost."""

    def __init__(
        self,
        app: ASGIApp,
        addresses: OwnAddresses,
        proxies: Sequence[IPv4Network | IPv6Network],
    ) -> None:
        self._app = app
        self._addresses = addresses
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, with the addresses."""
        if scope["type"] == "http":
            scope[ADDRESSES] = self._addresses
            # Without proxies, no address has to be parsed.
            if self._proxies:
                scope[BY_PROXY] = _is_in(scope.get("client"), self._proxies)
        await self._app(scope, receive, send)


def origin(request: HTTPConnection, host: str | None = None) -> str:
    """Return scheme and host by which the client reached this Vault, also through a proxy.

    ``host`` is the client's parameter (``vaultDNS``). A host that may not be this Vault's is not repeated: then it is
    the public address, or that of the socket.
    """
    addresses: OwnAddresses = request.scope.get(ADDRESSES, OwnAddresses())
    scheme = _first(request.headers.get("x-forwarded-proto"))
    if scheme not in ("http", "https"):
        scheme = request.url.scheme
    served_at, port = request.scope.get("server") or (LOCAL, None)
    forwarded = _first(request.headers.get("x-forwarded-host"))
    # A trusted proxy serves the host that it names; what a client writes there is worth as much as any of its headers.
    if request.scope.get(BY_PROXY) and not host and HOST.fullmatch(forwarded):
        return f"{scheme}://{forwarded}"
    # A proxy's word counts before the Host header, which names the proxy's target behind it.
    for each in (host, forwarded, request.headers.get("host")):
        if each and addresses.include(each, served_at):
            return f"{scheme}://{each}"
    if addresses.public:
        return addresses.public
    shown = f"[{served_at}]" if ":" in served_at else served_at
    return f"{scheme}://{shown}:{port}" if port else f"{scheme}://{shown}"


def _first(value: str | None) -> str:
    """Return the first entry of a forwarding header, which the proxy next to the client wrote."""
    return (value or "").partition(",")[0].strip()


def _name(host: str) -> str | None:
    """Return the name or address in a host, in lower case and without port and brackets; None when it is no host."""
    if not HOST.fullmatch(host):
        return None
    try:
        parts = urlsplit(f"//{host}")
        # Reading it checks it.
        _ = parts.port
    except ValueError:
        return None
    return parts.hostname


def _is_in(
    client: tuple[str, int] | None, networks: Iterable[IPv4Network | IPv6Network]
) -> bool:
    if client is None:
        return False
    try:
        address = ip_address(client[0])
    except ValueError:
        return False
    return any(address in network for network in networks)
