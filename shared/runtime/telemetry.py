"""The catalogue of metrics: every metric a process can report is declared here, with its labels."""

from __future__ import annotations

import asyncio
import time

from fastapi import APIRouter, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
LONG_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)


class Metrics:
    """All metrics. Label values are names of routes, queues, points and Vaults, never record data."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.registry = registry
        self.http_requests = Counter(
            "http_requests",
            "HTTP requests answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self.http_seconds = Histogram(
            "http_request_seconds",
            "Time to answer.",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )
        self.api_calls = Counter(
            "api_calls",
            "Calls of the Vault API by client id: named, unknown, invalid.",
            ["client"],
            registry=registry,
        )
        self.loop_lag = Gauge(
            "event_loop_lag_seconds",
            "Latest delay of the event loop.",
            registry=registry,
        )
        self.published = Counter(
            "messages_published",
            "Messages confirmed by the broker.",
            ["queue"],
            registry=registry,
        )
        self.messages_received = Counter(
            "messages_received",
            "Messages that came by HTTPS, by the status of the answer.",
            ["status"],
            registry=registry,
        )
        self.consumed = Counter(
            "messages_consumed",
            "Deliveries settled: acked, requeued or void.",
            ["queue", "outcome"],
            registry=registry,
        )
        self.handler_seconds = Histogram(
            "message_handler_seconds",
            "Time of one handler call.",
            ["queue"],
            buckets=LONG_SECONDS,
            registry=registry,
        )
        self.consumer_lost = Counter(
            "consumer_lost",
            "Subscriptions lost and renewed.",
            ["queue"],
            registry=registry,
        )
        self.outbox_waiting = Gauge(
            "outbox_waiting",
            "Messages not yet handed to the broker.",
            registry=registry,
        )
        self.message_age = Histogram(
            "message_age_seconds",
            "Time from entering the source queue to the outcome.",
            ["queue"],
            buckets=LONG_SECONDS,
            registry=registry,
        )
        self.rows = Counter(
            "integration_rows",
            "Source records: transferred, skipped, failed.",
            ["point", "outcome"],
            registry=registry,
        )
        self.read_again = Counter(
            "integration_read_again",
            "Units read again, as their rows might be older.",
            ["point"],
            registry=registry,
        )
        self.exceptions = Counter(
            "user_exceptions",
            "User exception messages recorded.",
            ["queue", "error_type"],
            registry=registry,
        )
        self.vault_calls = Counter(
            "vault_calls",
            "Calls of a Vault.",
            ["vault", "call", "outcome"],
            registry=registry,
        )
        self.vault_seconds = Histogram(
            "vault_call_seconds",
            "Time of one call of a Vault.",
            ["vault", "call"],
            buckets=SECONDS,
            registry=registry,
        )

    def router(self) -> APIRouter:
        """Return the route ``/metrics`` in the Prometheus text format."""
        router = APIRouter(include_in_schema=False)

        @router.get("/metrics")
        def metrics_text() -> Response:
            return Response(
                generate_latest(self.registry),
                headers={"Content-Type": CONTENT_TYPE_LATEST},
            )

        return router


metrics = Metrics()


async def measure_loop_lag(catalogue: Metrics = metrics, interval: float = 1.0) -> None:
    """Keep :attr:`Metrics.loop_lag` current until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        expected = loop.time() + interval
        await asyncio.sleep(interval)
        catalogue.loop_lag.set(max(0.0, loop.time() - expected))


class RequestMetrics:
    """ASGI middleware counting requests by route template; unmatched paths share one label."""

    def __init__(self, app: ASGIApp, catalogue: Metrics = metrics) -> None:
        self._app = app
        self._metrics = catalogue

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and count its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = time.perf_counter()
        try:
            await self._app(scope, receive, note_status)
        finally:
            route = f"{scope.get('root_path', '')}{getattr(scope.get('route'), 'path', 'unmatched')}"
            self._metrics.http_requests.labels(
                scope["method"], route, str(status)
            ).inc()
            self._metrics.http_seconds.labels(route).observe(
                time.perf_counter() - started
            )
