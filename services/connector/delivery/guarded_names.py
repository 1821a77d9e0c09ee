"""Resolves the names of receivers for the connection that is made, and refuses addresses that no receiver has.

The address that is checked is the one that is used: a name whose address changes in between leads nowhere else.
"""

from __future__ import annotations

import socket
from ipaddress import IPv6Address, ip_address

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

# Whoever allows this name wants this machine.
THIS_MACHINE = "localhost"


class GuardedNames(AbstractResolver):
    """Resolves names as another resolver does, without addresses of this machine, its link, and many at once.

    Addresses that stand in a URL themselves are not resolved: the operator has allowed each of them.
    """

    def __init__(self, resolver: AbstractResolver | None = None) -> None:
        self._resolver = resolver or ThreadedResolver()

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> list[ResolveResult]:
        """Return the addresses of a name.

        :raises OSError: it has none that a receiver may have.
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
