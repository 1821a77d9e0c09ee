"""An HTTP server with faults that a real Vault does not produce on demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

Answer = web.StreamResponse
Handler = Callable[[web.Request], Awaitable[Answer]]


def success(**members: object) -> web.Response:
    return web.json_response({"responseStatus": "SUCCESS", **members})


def failure(type: str, message: str = "text") -> web.Response:
    return web.json_response(
        {"responseStatus": "FAILURE", "errors": [{"type": type, "message": message}]}
    )


class FaultyVault:
    """Signs in anyone with the password ``right``; other paths have the answers that the test sets."""

    def __init__(self) -> None:
        self.sign_ins = 0
        self.calls: list[tuple[str, str]] = []
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.valid_sessions: set[str] = set()
        self.sign_in_gate: asyncio.Event | None = None
        self.signing_in = asyncio.Event()
        self.handlers: dict[str, Handler] = {}
        self.url = ""

    def on(self, path: str, handler: Handler) -> None:
        self.handlers[path] = handler

    async def handle(self, request: web.Request) -> Answer:
        self.bodies.append(await request.read())
        self.requests.append(request)
        self.calls.append((request.method, request.path_qs))
        if request.path.endswith("/auth"):
            return await self._auth(request)
        if request.headers.get("Authorization") not in self.valid_sessions:
            return failure("INVALID_SESSION_ID")
        handler = self.handlers.get(request.path)
        return await handler(request) if handler else failure("MALFORMED_URL")

    async def _auth(self, request: web.Request) -> Answer:
        self.sign_ins += 1
        number = self.sign_ins
        self.signing_in.set()
        if self.sign_in_gate is not None:
            await self.sign_in_gate.wait()
        form = await request.post()
        if form.get("password") != "right":
            return failure("USERNAME_OR_PASSWORD_INCORRECT")
        self.valid_sessions.add(f"session-{number}")
        return success(
            sessionId=f"session-{number}", userId=7, vaultId=10101, vaultIds=[]
        )


@asynccontextmanager
async def faulty_vault() -> AsyncIterator[FaultyVault]:
    vault = FaultyVault()
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", vault.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    vault.url = f"http://{host}:{port}"
    try:
        yield vault
    finally:
        await runner.cleanup()
