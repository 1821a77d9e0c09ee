"""Puts the connector process together: Vaults, brokers and consumers; and takes it apart in reverse order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import assert_never

from fastapi import FastAPI

from services.connector.asking import message_routes
from services.connector.asking.answers import Answers
from services.connector.asking.described import DOCUMENT, describe_itself
from services.connector.connector_settings import ConnectorSettings, VaultAccess
from services.connector.consumers import ConsumedQueue, QueueConsumers
from services.connector.crm_lookup import lookup_routes as crm_lookup
from services.connector.delivery.external import Receivers
from services.connector.delivery.outbound_queue import Attempts, Outbound
from services.connector.preview import preview_routes as previews
from services.connector.preview import source_routes as sources
from services.connector.preview import sweep_routes as sweeps
from services.connector.processing.inbox import Inbox, Slots
from services.connector.readiness import readiness_routes as readiness
from services.connector.readiness import traffic_routes as traffic
from services.connector.receiving import receiving_routes as receiving
from services.connector.receiving.signed_messages import SignedMessages
from services.connector.vaults.vaults import (
    ConnectedVault,
    KnownVault,
    Patience,
    Vaults,
)
from shared.client.client import VaultClient
from shared.client.errors import VaultRefused, VaultUnavailable
from shared.runtime.health import Health
from shared.runtime.logging import get_logger
from shared.runtime.metrics_route import metrics_router
from shared.runtime.telemetry import measure_loop_lag, metrics
from shared.runtime.waiting import concurrently, run_until_cancelled
from shared.spark.connection import BrokerConnection
from shared.spark.consumer import Consumer, Handler
from shared.spark.publisher import Publisher
from shared.spark.topology import Direction

_log = get_logger(__name__)

# Within the time of a probe, which then names the Vault.
ANSWER_SECONDS = 1.2


class Connector:
    """The running parts of the process apart from its HTTP routes: Vaults, brokers and consumers."""

    def __init__(self, settings: ConnectorSettings) -> None:
        self._settings = settings
        self.vaults: Vaults | None = None
        self._receivers = Receivers(settings.call_timeout, settings.ca_file)
        self._consumers: list[QueueConsumers] = []

    async def run(self) -> None:
        """Wait for all Vaults and brokers, consume until cancelled, then stop cleanly."""
        patience = Patience()
        slots = Slots(
            asyncio.Semaphore(self._settings.concurrency),
            patience,
            timedelta(seconds=self._settings.run_overlap),
        )
        required = [access for access in self._settings.vaults if not access.optional]
        optional = [access for access in self._settings.vaults if access.optional]
        async with AsyncExitStack() as stack:
            # What joins later is closed after everything that may still use it.
            late = await stack.enter_async_context(AsyncExitStack())
            async with concurrently() as group:
                opening = [
                    group.create_task(self._connect(access, stack, patience))
                    for access in required
                ]
            opened = [task.result() for task in opening]
            stack.push_async_callback(self._receivers.close)
            self.vaults = vaults = Vaults({vault.vault_id: vault for vault in opened})
            self._consumers = [
                self._queue_consumers(vaults, vault, slots)
                for vault in vaults.connected
            ]
            stack.push_async_callback(self._stop)
            # Runs first: a handler that waits for a Vault would otherwise use up the grace of the stop.
            stack.callback(patience.end)
            async with concurrently() as group:
                for vault, consumers in zip(
                    vaults.connected, self._consumers, strict=True
                ):
                    group.create_task(
                        run_until_cancelled(f"queues of {vault.name}", consumers.run)
                    )
                for access in optional:
                    group.create_task(
                        self._join(
                            access,
                            late,
                            vaults,
                            slots,
                        )
                    )

    async def _join(
        self,
        access: VaultAccess,
        stack: AsyncExitStack,
        vaults: Vaults,
        slots: Slots,
    ) -> None:
        """Connect with one more Vault, however long that takes, then consume its queues."""
        vault = await self._connect(access, stack, slots.patience)
        vaults.join(vault)
        _log.info("vault joined", vault=vault.name)
        if isinstance(vault, ConnectedVault):
            consumers = self._queue_consumers(vaults, vault, slots)
            self._consumers.append(consumers)
            await run_until_cancelled(f"queues of {vault.name}", consumers.run)

    async def _stop(self) -> None:
        """Stop all consumers at once."""
        async with concurrently() as group:
            for consumers in self._consumers:
                group.create_task(consumers.stop())

    async def check(self) -> str | None:
        """Return why the connector is not ready; None when all queues are subscribed to and all Vaults answer."""
        if self.vaults is None or not self._consumers:
            return "waiting for the Vaults and their brokers"
        known = self.vaults.by_id.values()
        asked = [_answers(vault) for vault in known]
        reasons = [await consumers.check() for consumers in self._consumers]
        reasons += await asyncio.gather(*asked)
        return "; ".join(reason for reason in reasons if reason) or None

    async def _connect(
        self,
        access: VaultAccess,
        stack: AsyncExitStack,
        patience: Patience,
    ) -> KnownVault:
        opening = VaultClient(
            access.url,
            access.username,
            access.password.get_secret_value(),
            timeout=self._settings.call_timeout,
            concurrency=self._settings.call_concurrency,
        )
        client = await stack.enter_async_context(opening)
        if access.amqp_url is None:
            await patience.wait_for(f"Vault {access.name}", client.sign_in)
            return KnownVault(access.name, client.vault_id, client)
        url = access.amqp_url.get_secret_value()
        # RabbitMQ stops reading from a publishing connection while it is short of memory or disk; acknowledgements
        # have to get through meanwhile.
        consuming = BrokerConnection(url, f"connector {access.name} consuming")
        publishing = BrokerConnection(url, f"connector {access.name} publishing")
        publisher = Publisher(publishing, Direction.INBOUND.exchange)
        for close in (consuming.close, publishing.close, publisher.close):
            stack.push_async_callback(close)
        async with concurrently() as group:
            group.create_task(patience.wait_for(f"Vault {access.name}", client.sign_in))
            group.create_task(consuming.open())
            group.create_task(publishing.open())
        return ConnectedVault(
            access.name, client.vault_id, client, consuming, publisher
        )

    def _queue_consumers(
        self,
        vaults: Vaults,
        vault: ConnectedVault,
        slots: Slots,
    ) -> QueueConsumers:
        settings = self._settings
        attempts = Attempts(settings.delivery_attempts, settings.delivery_first_pause)

        def handler(queue: ConsumedQueue) -> Handler:
            match queue.direction:
                case Direction.INBOUND:
                    return Inbox(vaults, vault, queue.name, slots).handle
                case Direction.OUTBOUND:
                    return Outbound(
                        vaults,
                        vault,
                        queue.name,
                        attempts,
                        slots.patience,
                        self._receivers,
                    ).handle
                case _:
                    assert_never(queue.direction)

        def build(
            queue: ConsumedQueue,
            holder: str,
        ) -> Consumer:
            # Of a sequential queue, one message is done before the next one is delivered, here or to another
            # connector.
            one = queue.sequential
            return Consumer(
                vault.consuming,
                holder,
                handler(queue),
                prefetch=1 if one else settings.prefetch,
                concurrency=1 if one else settings.concurrency,
                max_batch=1 if one else settings.max_batch,
            )

        return QueueConsumers(
            vault,
            build,
            slots.patience,
            settings.queue_check_interval,
            settings.stop_grace,
        )


async def _answers(vault: KnownVault) -> str | None:
    """Return why a Vault cannot be used now; None when it can."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            # The clock is a call that writes, so that a Vault that takes no writes does not answer.
            await vault.client.clock()
    except (TimeoutError, VaultUnavailable):
        return f"{vault.name} does not answer"
    except VaultRefused as refused:
        return f"{vault.name} refuses: {refused.type}"
    return None


def create_app(settings: ConnectorSettings) -> FastAPI:
    """Return the HTTP application (health, metrics, queries, messages); the connector runs while it is served."""
    connector = Connector(settings)
    health = Health()
    health.add("queues", connector.check)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(run_until_cancelled("connector", connector.run)),
            asyncio.create_task(measure_loop_lag()),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    app = FastAPI(
        title="Medical-CRM connector",
        lifespan=lifespan,
        description="Finds what a connection would do, and what keeps it from working. Answers are envelopes of the"
        " Vault REST API.",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=DOCUMENT,
    )
    describe_itself(app)
    if settings.public_url is not None:
        app.include_router(
            receiving.router(
                SignedMessages(settings.public_url), lambda: connector.vaults
            )
        )
    answers = Answers(lambda: connector.vaults)
    app.include_router(previews.router(answers))
    app.include_router(message_routes.router(answers))
    app.include_router(sweeps.router(answers))
    app.include_router(sources.router(answers))
    app.include_router(crm_lookup.router(answers))
    app.include_router(readiness.router(answers, connector.check))
    app.include_router(traffic.router(answers, connector.check))
    app.include_router(health.router())
    app.include_router(metrics_router(metrics))
    return app
