"""A second port of a started Vault, which speaks TLS: the vendor's Java client calls nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from local.polling import holds_within
from local.tls import LocalTls
from shared.runtime.process import KEEP_ALIVE_SECONDS
from shared.vault.assembly.vault import Vault
from shared.vault.process.application import create_app


@dataclass(frozen=True, slots=True)
class TlsPort:
    """Host and port as in an address, and the file of the authority that has signed the certificate."""

    dns: str
    ca_file: Path


@asynccontextmanager
async def over_tls(vault: Vault, folder: Path) -> AsyncIterator[TlsPort]:
    """Serve a started Vault by HTTPS during the block; its certificate is made in the folder."""
    files = LocalTls(folder)
    files.ensure()
    config = uvicorn.Config(
        create_app(vault), port=0, log_config=None, access_log=False, lifespan="off"
    )
    config.timeout_keep_alive = KEEP_ALIVE_SECONDS
    config.ssl_certfile, config.ssl_keyfile = str(files.certificate), str(files.key)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        assert await holds_within(60, lambda: server.started or serving.done())
        port = server.servers[0].sockets[0].getsockname()[1]
        yield TlsPort(f"localhost:{port}", files.ca_file)
    finally:
        server.should_exit = True
        await serving
