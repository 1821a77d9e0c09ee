"""A Vault served over HTTP for tests, and calls of its API by a client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import aiohttp
import uvicorn
from fastapi import FastAPI
from multidict import CIMultiDictProxy
from pydantic import AnyHttpUrl, SecretStr

from local.polling import answers_within, holds_within
from shared.runtime.bounded_protocol import BoundedProtocol
from shared.runtime.connection_bounds import ConnectionBounds, ConnectionCount
from shared.runtime.process import KEEP_ALIVE_SECONDS
from shared.vault.assembly.vault import Vault
from shared.vault.assembly.vault_settings import VaultSettings

PASSWORD = "a test's password"
USERNAMES = {
    "admin": "admin@vault.example",
    "integration": "integration@vault.example",
    "user": "user@vault.example",
}

MDL = """
RECREATE Picklist colour__c ( label('Colour'), Picklistentry red__c ( label('Red') ),
  Picklistentry blue__c ( label('Blue') ) );
RECREATE Objectlifecycle thing_lifecycle__c ( label('Thing'), starting_state('new_state__c'),
  Objectlifecyclestate new_state__c ( label('New'),
    Objectlifecyclestateuseraction start__c ( label('Start'), action('change_state'), next_state('started_state__c'),
      prompts('note__c') ) ),
  Objectlifecyclestate started_state__c ( label('Started') ) );
RECREATE Object thing__c ( label('Thing'), prefix('ZTH'), lifecycle('Objectlifecycle.thing_lifecycle__c'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field colour__c ( type('Picklist'), label('Colour'), picklist('Picklist.colour__c') ),
  Field note__c ( type('String'), label('Note'), max_length(100) ),
  Field amount__c ( type('Number'), label('Amount'), scale(2) ) );
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the API."""

    http_status: int
    headers: CIMultiDictProxy[str]
    text: str
    body: Any

    @property
    def status(self) -> str:
        return str(self.body["responseStatus"])

    @property
    def error(self) -> str:
        return str(self.body["errors"][0]["type"])

    @property
    def message(self) -> str:
        return str(self.body["errors"][0]["message"])

    @property
    def data(self) -> Any:
        return self.body["data"]

    @property
    def ids(self) -> list[str]:
        return [row["data"]["id"] for row in self.data]


@dataclass(frozen=True, slots=True)
class Api:
    """The API of one Vault for a client with one session, or with none."""

    http: aiohttp.ClientSession
    url: str
    session_id: str | None = None
    version: str = "v25.1"

    async def call(self, method: str, path: str, **options: Any) -> Answer:
        """Call a path below ``/api/{version}``, or any path that begins with ``/api`` or ``/auth/``."""
        headers = {"Authorization": self.session_id} if self.session_id else {}
        headers |= options.pop("headers", {})
        url = (
            path
            if path.startswith(("/api", "/auth/"))
            else f"/api/{self.version}{path}"
        )
        async with self.http.request(
            method, self.url + url, headers=headers, **options
        ) as response:
            text = await response.text()
            is_json = response.content_type == "application/json"
            return Answer(
                response.status,
                response.headers,
                text,
                await response.json() if is_json else None,
            )

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.call("GET", path, **options)

    async def post(self, path: str, **options: Any) -> Answer:
        return await self.call("POST", path, **options)

    async def put(self, path: str, **options: Any) -> Answer:
        return await self.call("PUT", path, **options)

    async def delete(self, path: str, **options: Any) -> Answer:
        return await self.call("DELETE", path, **options)

    async def query(self, text: str, **options: Any) -> Answer:
        return await self.post("/query", data={"q": text}, **options)

    async def signed_in(self, role: str) -> Api:
        """The same API with a session of its own; ``role`` is one of USERNAMES."""
        answer = await self.post(
            "/auth", data={"username": USERNAMES[role], "password": PASSWORD}
        )
        return replace(self, session_id=answer.body["sessionId"])


def settings(dsn: str, amqp_url: str, files: Path) -> VaultSettings:
    """Settings of a Vault whose three sign-ins have one password, and whose file store is a folder."""
    password = SecretStr(PASSWORD)
    return VaultSettings(
        database_dsn=SecretStr(dsn),
        amqp_url=SecretStr(amqp_url),
        admin_password=password,
        integration_password=password,
        business_password=password,
        load_example_data=False,
        staging_folder=files,
        job_poll_seconds=0,
        sign_in_limit=100_000,
        sessions_per_user=10_000,
        # The tests themselves, so that one may come from many addresses.
        trusted_proxies="127.0.0.1",
        burst_limit=1_000_000,
        connection_urls="https://partner.example",
        public_url=AnyHttpUrl("https://medical.vault.example"),
    )


# What takes long on a busy machine is not what these tests are about.
BOUNDS = ConnectionBounds(
    connections=10_000,
    address_connections=10_000,
    head_seconds=600,
    first_byte_seconds=600,
    stall_seconds=600,
)


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[Api]:
    """Serve the application on a free port during the block."""
    protocol = partial(BoundedProtocol, count=ConnectionCount(BOUNDS))
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        # Called as the class would be.
        http=cast("type[asyncio.Protocol]", protocol),
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="on",
    )
    config.proxy_headers = False
    # As a Vault does it: the server is never the one to close a connection that the client is about to use again.
    config.timeout_keep_alive = KEEP_ALIVE_SECONDS
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())

    try:
        assert await holds_within(60, lambda: server.started or serving.done())
        port = server.servers[0].sockets[0].getsockname()[1]
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=120)
        ) as http:
            yield Api(http, f"http://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        await serving


async def started(vault: Vault) -> None:
    """Wait until the Vault behind the application is ready."""
    assert await answers_within(60, vault.ready) is None
