"""Resolves the names of receivers, and refuses addresses that no receiver may have.

The connection is made to the address that was checked, also when the name has another address meanwhile.
"""

from __future__ import annotations

import socket
from ipaddress import IPv6Address, ip_address

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

# Whoever allows this name wants this machine.
THIS_MACHINE = "localhost"


class GuardedNames(AbstractResolver):
    """Resolves names by another resolver, and omits loopback, link-local, multicast and unspecified addresses.

    ``localhost`` is resolved to loopback addresses. A URL with an address instead of a name is not resolved: the
    operator has allowed each of them.
    """

    def __init__(self, resolver: AbstractResolver | None = None) -> None:
        self._resolver = resolver or ThreadedResolver()

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> list[ResolveResult]:
        """Return the addresses of a name that may be a receiver's.

        :raises OSError: there are none.
        """
        found = await self._resolver.resolve(host, port, family)
        if host.lower() == THIS_MACHINE:
            return found
        allowed = [each for each in found if _may_be_receiver(each["host"])]
        if not allowed:
            raise OSError("the name leads to no address of a receiver")
        return allowed

    async def close(self) -> None:
        """Close the other resolver."""
        await self._resolver.close()


def _may_be_receiver(text: str) -> bool:
    # An address of a link may name the interface behind a percent sign.
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return not (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
    )
