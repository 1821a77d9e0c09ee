"""Runs a Vault as a process: the REST API, the pages, health and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog
from fastapi import FastAPI
from starlette.routing import BaseRoute, Mount, Route
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from shared.runtime.health import Health
from shared.runtime.logging import configure_logging, first_line
from shared.runtime.metrics_route import metrics_router
from shared.runtime.process import serve
from shared.runtime.telemetry import measure_loop_lag, metrics
from shared.runtime.waiting import end
from shared.runtime.workers import SharedSockets
from shared.vault.admin.admin_app import add_pages
from shared.vault.api.api_app import create_api
from shared.vault.api.own_address import OwnAddress, OwnAddresses
from shared.vault.assembly.vault import Vault
from shared.vault.assembly.vault_settings import VaultSettings
from shared.vault.rehearsal.served_calls import ServedCall

if TYPE_CHECKING:
    from shared.vault.assembly.vault_definition import VaultDefinition

log = structlog.get_logger(__name__)


def create_app(vault: Vault, *, listens_when_ready: bool = False) -> FastAPI:
    """Return the application of a Vault, which starts and stops with it.

    By default the application answers requests while the Vault starts, so that ``/readyz`` can report what the Vault
    waits for; with ``listens_when_ready`` it answers only after the start.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        starting = asyncio.create_task(vault.start(), name="start")
        starting.add_done_callback(_end_on_failure)
        if listens_when_ready:
            await asyncio.wait([starting])
        lag = asyncio.create_task(measure_loop_lag(), name="loop_lag")
        try:
            yield
        finally:
            await end(lag)
            await end(starting)
            await vault.stop()

    app = create_api(vault, lifespan)
    health = Health()
    health.add("vault", vault.ready)
    app.include_router(health.router())
    app.include_router(metrics_router(metrics))
    add_pages(app, vault)
    vault.rehearsal.served = tuple(served_calls(app.routes))
    _trust(app, vault.settings)
    return app


def served_calls(routes: Iterable[BaseRoute], under: str = "") -> Iterator[ServedCall]:
    """Yield the calls that an application serves by its routes, also those of mounted applications."""
    for route in routes:
        if isinstance(route, Route):
            methods = frozenset(route.methods or ())
            yield ServedCall(under + route.path, methods)
        elif isinstance(route, Mount):
            within = route.routes
            yield from served_calls(within, under + route.path)
        # What an application includes of a chapter.
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from served_calls(included.routes, under)


def _trust(app: FastAPI, settings: VaultSettings) -> None:
    """Take a client's address and scheme from the headers of trusted proxies, and know the Vault's own addresses."""
    if settings.trusted_proxies:
        # Added after the others, it is outside of them: all that is inside sees the client, not the proxy.
        app.add_middleware(
            ProxyHeadersMiddleware, trusted_hosts=settings.trusted_proxies
        )
    public = str(settings.public_url or "")
    addresses = OwnAddresses.of(settings.host_name, public, settings.url or "")
    proxies = settings.connection_bounds.trusted_proxies
    # Outermost, as it must see the proxy.
    app.add_middleware(OwnAddress, addresses=addresses, proxies=proxies)


def _end_on_failure(starting: asyncio.Task[None]) -> None:
    """End the process of a Vault that cannot start."""
    if starting.cancelled():
        return
    error = starting.exception()
    if error:
        # The supervisor sees the exit, and the log why; a process that stayed would look as if it were starting.
        log.critical("vault.failed", reason=first_line(error), exc_info=error)
        raise SystemExit(1)


def run(definition: VaultDefinition, shared: SharedSockets | None = None) -> None:
    """Run one Vault process until it gets a signal to stop; a worker gets ``shared`` sockets."""
    settings = VaultSettings()
    configure_logging(settings, definition.name)
    # What comes to the port of several workers is for those that are ready.
    app = create_app(Vault(definition, settings), listens_when_ready=shared is not None)
    serve(
        app,
        settings.host,
        settings.port,
        bounds=settings.connection_bounds,
        tls=settings.tls,
        drain=settings.drain_seconds,
        shared=shared,
    )
