"""Names of receivers whose addresses change: none leads to this machine or its link, whatever it led to before."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from services.connector.delivery.external import Receivers
from services.connector.delivery.guarded_names import GuardedNames
from services.connector.delivery.receiver_breakers import Unreachable

PARTNER = "receiver.example"
OUTSIDE = ["203.0.113.7", "2001:db8::7", "10.1.2.3"]
NOWHERE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",  # noqa: S104  an answer of a resolver, nobody listens there
    "169.254.169.254",
    "224.0.0.1",
    "::1",
    "::",
    "fe80::1%eth0",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
]


@dataclass
class Names(AbstractResolver):
    """Gives a name the addresses of ``answers``, one list a question; the last one from then on."""

    answers: list[list[str]]
    asked: list[str] = field(default_factory=list)

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> list[ResolveResult]:
        del family
        self.asked.append(host)
        texts = self.answers[min(len(self.asked), len(self.answers)) - 1]
        return [_result(host, text, port) for text in texts]

    async def close(self) -> None:
        """Have nothing to close."""


def _result(name: str, text: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    return {
        "hostname": name,
        "host": text,
        "port": port,
        "family": family,
        "proto": 0,
        "flags": socket.AI_NUMERICHOST,
    }


async def hosts(names: AbstractResolver, name: str = PARTNER) -> list[str]:
    return [each["host"] for each in await names.resolve(name, 443)]


@pytest.mark.parametrize("text", OUTSIDE)
async def test_a_receiver_elsewhere_is_found(text: str) -> None:
    assert await hosts(GuardedNames(Names([[text]]))) == [text]


@pytest.mark.parametrize("text", NOWHERE)
async def test_a_name_leads_neither_to_this_machine_nor_to_its_link(text: str) -> None:
    with pytest.raises(OSError, match="no address of a receiver"):
        await hosts(GuardedNames(Names([[text]])))
    # Not among others, and not later either.
    changing = GuardedNames(Names([[OUTSIDE[0]], [text, OUTSIDE[1]], [text]]))
    assert await hosts(changing) == OUTSIDE[:1]
    assert await hosts(changing) == OUTSIDE[1:2]
    with pytest.raises(OSError, match="no address of a receiver"):
        await hosts(changing)


async def test_who_allows_this_machine_gets_it() -> None:
    assert await hosts(GuardedNames(Names([["::1"]])), "localhost") == ["::1"]


async def test_nothing_is_sent_to_this_machine_by_a_name_of_others() -> None:
    reached = asyncio.Event()

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    names = Names([["127.0.0.1"]])
    receivers = Receivers(5.0, None, names)
    async with server:
        with pytest.raises(Unreachable):
            await receivers.post(f"https://{PARTNER}:{port}/in", {}, b"{}")
    await receivers.close()
    assert names.asked == [PARTNER]
    assert not reached.is_set()
