"""Declares every metric that a process can report, with its labels."""

from __future__ import annotations

import asyncio
import os

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from shared.runtime.workers import METRICS_FOLDER

# Bounds of the histograms: those of answers end where clients give up, those of handlers at half an hour.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
# A step of a quarter of a second is the longest that calls of others are to wait for.
LAG_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
LONG_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)


class _RequestMetrics:
    """Metrics of the requests that a process answers, and of its event loop."""

    def __init__(self, registry: CollectorRegistry) -> None:
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
        self.connections_refused = Counter(
            "connections_refused",
            "Connections closed for exceeding a bound, by the status of the answer.",
            ["status"],
            registry=registry,
        )
        self.loop_lag = Histogram(
            "event_loop_lag_seconds",
            "Delays of the event loop, measured ten times a second.",
            buckets=LAG_SECONDS,
            registry=registry,
        )


class _MessageMetrics:
    """Metrics of the messages that a process sends and receives."""

    def __init__(self, registry: CollectorRegistry) -> None:
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
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self.message_age = Histogram(
            "message_age_seconds",
            "Time from entering the source queue to the outcome.",
            ["queue"],
            buckets=LONG_SECONDS,
            registry=registry,
        )


class _RehearsalMetrics:
    """Metrics of the faults that are switched on in a process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.fault_switches = Gauge(
            "fault_switches",
            "Faults that are switched on.",
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.faults_struck = Counter(
            "faults_struck",
            "Calls and messages that a switched-on fault has struck.",
            ["fault"],
            registry=registry,
        )


class _TransferMetrics:
    """Metrics of the records that a connector transfers, and of its calls of Vaults."""

    def __init__(self, registry: CollectorRegistry) -> None:
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


class _ReconciliationMetrics:
    """Metrics of the latest reconciliation of each connection that compared all its integrations."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.reconciliation_findings = Gauge(
            "reconciliation_findings",
            "Findings of the latest reconciliation.",
            ["connection", "kind"],
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self.reconciliation_clean = Gauge(
            "reconciliation_last_clean_timestamp_seconds",
            "Time of the latest reconciliation without findings.",
            ["connection"],
            multiprocess_mode="mostrecent",
            registry=registry,
        )


class Metrics(
    _RequestMetrics,
    _MessageMetrics,
    _RehearsalMetrics,
    _TransferMetrics,
    _ReconciliationMetrics,
):
    """All metrics. Label values are names of routes, queues, points, faults and Vaults, never record data."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.registry = registry
        _RequestMetrics.__init__(self, registry)
        _MessageMetrics.__init__(self, registry)
        _RehearsalMetrics.__init__(self, registry)
        _TransferMetrics.__init__(self, registry)
        _ReconciliationMetrics.__init__(self, registry)

    def text(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        return generate_latest(self._of_all_workers())

    def _of_all_workers(self) -> CollectorRegistry:
        """Return the metrics of this process; of several workers, the sum of all."""
        if METRICS_FOLDER not in os.environ:
            return self.registry
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return together


metrics = Metrics()


async def measure_loop_lag(catalogue: Metrics = metrics, interval: float = 0.1) -> None:
    """Observe :attr:`Metrics.loop_lag` every ``interval`` seconds until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        expected = loop.time() + interval
        await asyncio.sleep(interval)
        late = loop.time() - expected
        # Clocks of low resolution may wake a task a moment early.
        catalogue.loop_lag.observe(max(0.0, late))
