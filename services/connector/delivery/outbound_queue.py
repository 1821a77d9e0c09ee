"""An outbound queue's messages: each put on the inbound queue of every Vault, or posted, that the queue leads to."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from services.connector.delivery.destinations import Destination, RouteReader
from services.connector.delivery.external import Receivers, deliver
from services.connector.delivery.sending import Sending, unreadable
from services.connector.vaults.vaults import ConnectedVault, Patience, Vaults
from shared.client.errors import VaultRefused
from shared.runtime.retry_policies import DELIVERY
from shared.runtime.telemetry import metrics
from shared.runtime.waiting import each_to_its_end
from shared.spark.broker_errors import MalformedMessage, Unroutable
from shared.spark.consumer import Delivery
from shared.spark.envelope import Envelope
from shared.spark.publisher import Outgoing

METRIC_TYPE = "message_delivery_error__sys"


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often an undeliverable message is tried, and the first pause between tries, in seconds; it doubles."""

    count: int = 5
    first_pause: float = DELIVERY.first_pause


class Outbound:
    """Handles the deliveries of one outbound queue of one Vault."""

    def __init__(
        self,
        vaults: Vaults,
        own: ConnectedVault,
        queue: str,
        attempts: Attempts,
        patience: Patience,
        receivers: Receivers,
    ) -> None:
        self._vaults = vaults
        self._receivers = receivers
        self._own = own
        self._queue = queue
        self._attempts = attempts
        self._patience = patience
        self._routes = RouteReader(own.client, queue)

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Deliver messages to the end, and report what became of each to the Vault that they come from.

        A Vault or broker that is away is waited for. Raises VaultRefused only when that Vault takes no report; the
        broker then keeps the deliveries.
        """
        sendings: dict[str, Sending] = {}
        report: list[dict[str, object]] = []
        for delivery in deliveries:
            try:
                envelope = Envelope.parse(delivery.body)
            except MalformedMessage as problem:
                message_id = (
                    delivery.message_id or hashlib.sha256(delivery.body).hexdigest()
                )
                report.append(unreadable(delivery.body, message_id, problem.reason))
            else:
                sendings[envelope.message_id] = Sending(envelope)
        await self._deliver(list(sendings.values()))
        for sending in sendings.values():
            report.extend(sending.report())
        given_up = {row["message_id"] for row in report if "error" in row}
        if given_up:
            metrics.exceptions.labels(self._queue, METRIC_TYPE).inc(len(given_up))
        await self._patience.wait_for(
            f"report on queue {self._queue} ({self._own.name})",
            lambda: self._own.client.report_deliveries(self._queue, report),
        )

    async def _deliver(self, sendings: list[Sending]) -> None:
        """Try until all is delivered or the attempts are used up."""
        pauses = DELIVERY.pauses(first_pause=self._attempts.first_pause)
        # An administrator may have activated a connection just before the message was sent, or since.
        moment = max(
            (sending.envelope.enter_queue_timestamp for sending in sendings),
            default=datetime.now(UTC),
        )
        pending = sendings
        for attempt in range(1, self._attempts.count + 1):
            if not pending:
                return
            if attempt > 1:
                await asyncio.sleep(next(pauses))
                moment = datetime.now(UTC)
            await self._try(attempt, moment, pending)
            pending = [sending for sending in pending if not sending.delivered]

    async def _try(
        self, attempt: int, moment: datetime, pending: list[Sending]
    ) -> None:
        async def once() -> None:
            for sending in pending:
                sending.begin(attempt)
            await self._attempt(moment, pending)

        try:
            await self._patience.wait_for(
                f"delivery of queue {self._queue} ({self._own.name})", once
            )
        except VaultRefused as refused:
            for sending in pending:
                sending.missing[""] = (
                    f"the configuration of queue {self._queue} cannot be read: {refused.type}"
                )

    async def _attempt(self, moment: datetime, pending: list[Sending]) -> None:
        """One try at every destination not reached yet; what is still missing is noted with each message."""
        routes = await self._routes.fresh.since(moment)
        waiting: dict[Destination, list[Sending]] = {
            destination: [] for destination in routes.destinations
        }
        missing: list[tuple[Sending, str, str]] = []
        for sending in pending:
            own = sending.routes(routes)
            missing += [
                (sending, fault.connection, fault.reason) for fault in own.faults
            ]
            for destination in own.destinations:
                if destination not in sending.reached:
                    waiting[destination].append(sending)
        work: list[Awaitable[None]] = []
        for destination, sendings in waiting.items():
            remote = self._vaults.get(destination.remote_vault_id)
            if destination.remote_vault_id is None:
                work.append(
                    deliver(self._own.client, self._receivers, destination, sendings)
                )
            elif remote is self._own or not isinstance(remote, ConnectedVault):
                reason = f"Vault {destination.remote_vault_id} is not among the connector's Vaults; add it"
                missing += [
                    (sending, destination.connection, reason) for sending in sendings
                ]
            else:
                work.append(self._publish(remote, destination, sendings))
        for sending, connection, reason in missing:
            sending.missing[connection] = reason
        # What has arrived at one destination is noted while another is away, and is not sent there again.
        await each_to_its_end(work)

    async def _publish(
        self, remote: ConnectedVault, destination: Destination, waiting: list[Sending]
    ) -> None:
        unroutable: set[str] = set()
        try:
            await remote.publisher.publish_all(
                [self._outgoing(sending, destination) for sending in waiting]
            )
        except Unroutable as problem:
            unroutable = set(problem.message_ids)
        for sending in waiting:
            if sending.envelope.message_id not in unroutable:
                sending.reached.add(destination)
                continue
            reason = f"Vault {remote.name} has no queue {destination.queue}; correct the queue connection"
            sending.missing[destination.connection] = reason

    def _outgoing(self, sending: Sending, destination: Destination) -> Outgoing:
        sent = replace(
            sending.envelope,
            queue_name=destination.queue,
            send_attempt=sending.attempts,
            send_message_timestamp=sending.sent,
        )
        return Outgoing(
            queue=destination.queue,
            body=sent.encode(),
            message_id=sent.message_id,
            headers={"vault_id": self._own.vault_id, "x-attempt": sending.attempts},
        )
