"""A proxy to a Vault that records every request and its answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from aiohttp import ClientSession, ClientTimeout, web
from multidict import CIMultiDict

MAX_BODY = 64 * 1024 * 1024
# Those of one hop, and those that the next hop's own encoding of the body decides.
HOP = ("Connection", "Transfer-Encoding", "Content-Length", "Keep-Alive")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request as it was sent, and its answer."""

    method: str
    path: str
    body: str
    answer: str

    @property
    def query(self) -> str:
        """The VQL statement of the request; empty without one."""
        return (
            parse_qs(self.body).get("q", [""])[0]
            if self.path.endswith("/query")
            else ""
        )


@dataclass
class Recording:
    """All exchanges in the order of the answers; ``url`` is the proxy's address."""

    url: str = ""
    exchanges: list[Exchange] = field(default_factory=list)


@asynccontextmanager
async def recorded(target: str) -> AsyncIterator[Recording]:
    """Pass requests on to the Vault at this address during the block."""
    recording = Recording()

    async with ClientSession(target, timeout=ClientTimeout(60)) as onward:

        async def passed_on(request: web.Request) -> web.Response:
            body = await request.read()
            headers = without_hop(request.headers)
            async with onward.request(
                request.method,
                request.rel_url,
                data=body,
                headers=headers,
                allow_redirects=False,
            ) as answer:
                content = await answer.read()
            exchange = Exchange(
                request.method, request.path, body.decode(), content.decode()
            )
            recording.exchanges.append(exchange)
            kept = without_hop(answer.headers)
            kept.popall("Content-Encoding", None)  # it was undone on reading
            return web.Response(body=content, status=answer.status, headers=kept)

        application = web.Application(client_max_size=MAX_BODY)
        application.router.add_route("*", "/{path:.*}", passed_on)
        runner = web.AppRunner(application)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            recording.url = f"http://{host}:{port}"
            yield recording
        finally:
            await runner.cleanup()


def without_hop(headers: Mapping[str, str]) -> CIMultiDict[str]:
    kept = CIMultiDict(headers)
    for name in HOP:
        kept.popall(name, None)
    return kept
