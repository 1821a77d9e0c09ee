"""An outbound queue's messages: each put on the inbound queue of every Vault that the queue is connected with."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from services.connector.concurrency import concurrently
from services.connector.delivery.routes import Destination, RouteReader
from services.connector.faults import Patience
from services.connector.processing.exceptions import (
    ExceptionRecords,
    MessageErrorType,
    MessageFailure,
    malformed,
)
from services.connector.vaults import ConnectedVault, Vaults
from shared.client.errors import VaultRefused
from shared.runtime.telemetry import metrics
from shared.runtime.waiting import delays
from shared.spark.consumer import Delivery
from shared.spark.envelope import Envelope
from shared.spark.errors import MalformedMessage, Unroutable
from shared.spark.publisher import Outgoing


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often an undeliverable message is tried, and the first pause between tries, in seconds; it doubles."""

    count: int = 5
    first_pause: float = 0.2


class Outbound:
    """Handles the deliveries of one outbound queue of one Vault."""

    def __init__(self, vaults: Vaults, own: ConnectedVault, queue: str, attempts: Attempts, patience: Patience) -> None:
        self._vaults = vaults
        self._own = own
        self._queue = queue
        self._attempts = attempts
        self._patience = patience
        self._routes = RouteReader(own.client, queue)
        self._exceptions = ExceptionRecords(own.client)

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Deliver messages to the end: each is confirmed by every destination's broker, or recorded.

        A Vault or broker that is away is waited for. Raises VaultRefused only when this Vault takes no
        exception record; the broker then keeps the deliveries.
        """
        envelopes: dict[str, Envelope] = {}
        failures: list[MessageFailure] = []
        for delivery in deliveries:
            try:
                envelope = Envelope.parse(delivery.body)
            except MalformedMessage as problem:
                failures.append(malformed(delivery.body, delivery.message_id or None, self._queue, problem.reason))
            else:
                envelopes[envelope.message_id] = envelope
        undelivered = await self._deliver(envelopes)
        for message_id, reasons in undelivered.items():
            failures.append(self._failure(envelopes[message_id], reasons))
        for failure in failures:
            metrics.exceptions.labels(self._queue, failure.error_type.value).inc()
        await self._keep(failures, envelopes.keys() - undelivered.keys())

    async def _deliver(self, envelopes: dict[str, Envelope]) -> dict[str, list[str]]:
        """Try until all is delivered or the attempts are used up; the reasons by message id of what is left."""
        pending: dict[str, list[str]] = {message_id: [] for message_id in envelopes}
        reached: dict[str, set[Destination]] = {message_id: set() for message_id in envelopes}
        pauses = delays(first=self._attempts.first_pause)
        # An administrator may have activated a connection just before the message was sent, or since.
        moment = max((envelope.enter_queue_timestamp for envelope in envelopes.values()), default=None)
        for attempt in range(1, self._attempts.count + 1):
            if not pending or moment is None:
                break
            if attempt > 1:
                await asyncio.sleep(next(pauses))
                moment = datetime.now(UTC)
            round_ = DeliveryRound(attempt, moment, [envelopes[message_id] for message_id in pending], reached)
            pending = await self._try(round_)
        return pending

    async def _try(self, round_: DeliveryRound) -> dict[str, list[str]]:
        try:
            return await self._patience.wait_for(
                f"delivery of queue {self._queue} ({self._own.name})", lambda: self._attempt(round_)
            )
        except VaultRefused as refused:
            reason = f"the configuration of queue {self._queue} cannot be read: {refused.type}"
            return {envelope.message_id: [reason] for envelope in round_.envelopes}

    async def _attempt(self, round_: DeliveryRound) -> dict[str, list[str]]:
        """One try at every destination not reached yet; the reasons by id of messages that need another."""
        routes = await self._routes.fresh.since(round_.moment)
        faults: list[str] = list(routes.faults)
        left: dict[str, list[str]] = {}
        async with concurrently() as group:
            for destination in routes.destinations:
                remote = self._vaults.get(destination.remote_vault_id)
                if remote is None or remote is self._own:
                    faults.append(f"Vault {destination.remote_vault_id} is not among the connector's Vaults; add it")
                else:
                    group.create_task(self._publish(remote, destination, round_, left))
        if faults:
            for envelope in round_.envelopes:
                left.setdefault(envelope.message_id, []).extend(faults)
        return left

    async def _publish(
        self, remote: ConnectedVault, destination: Destination, round_: DeliveryRound, left: dict[str, list[str]]
    ) -> None:
        waiting = [e for e in round_.envelopes if destination not in round_.reached[e.message_id]]
        unroutable: set[str] = set()
        try:
            await remote.publisher.publish_all([self._outgoing(e, destination, round_.attempt) for e in waiting])
        except Unroutable as problem:
            unroutable = set(problem.message_ids)
            reason = f"Vault {remote.name} has no queue {destination.queue}; correct the queue connection"
            for message_id in unroutable:
                left.setdefault(message_id, []).append(reason)
        for envelope in waiting:
            if envelope.message_id not in unroutable:
                round_.reached[envelope.message_id].add(destination)

    def _outgoing(self, envelope: Envelope, destination: Destination, attempt: int) -> Outgoing:
        sent = replace(
            envelope, queue_name=destination.queue, send_attempt=attempt, send_message_timestamp=datetime.now(UTC)
        )
        return Outgoing(
            queue=destination.queue,
            body=sent.encode(),
            message_id=envelope.message_id,
            headers={"vault_id": self._own.vault_id, "x-attempt": attempt},
        )

    def _failure(self, envelope: Envelope, reasons: list[str]) -> MessageFailure:
        count = len(envelope.message.items)
        object_name = envelope.message.attributes.get("object")
        return MessageFailure(
            message_id=envelope.message_id,
            queue=self._queue,
            error_type=MessageErrorType.DELIVERY,
            text=f"Not delivered after {self._attempts.count} attempts: {'; '.join(dict.fromkeys(reasons))}. "
            "Then run Retry Transfer",
            body=envelope.recorded(None),
            received=count,
            failed=count,
            object=object_name if isinstance(object_name, str) else "",
        )

    async def _keep(self, failures: list[MessageFailure], delivered: set[str]) -> None:
        """Record what was not delivered; resolve what was not delivered before and now is."""

        async def keep() -> None:
            await self._exceptions.record(failures)
            await self._exceptions.resolve(delivered, None, ())

        await self._patience.wait_for(f"exceptions of queue {self._queue} ({self._own.name})", keep)


@dataclass(frozen=True, slots=True)
class DeliveryRound:
    """One try: its number, how fresh the routes must be, what is to go, and what has arrived where already."""

    attempt: int
    moment: datetime
    envelopes: list[Envelope]
    reached: dict[str, set[Destination]]
