"""Delivers the messages of an outbound queue to the inbound queues or HTTPS addresses of its connections."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from services.connector.delivery.destinations import (
    Destination,
    RouteReader,
    Sending,
    unreadable,
)
from services.connector.delivery.external import Receivers, deliver
from services.connector.vaults.vaults import ConnectedVault, Doubts, Patience, Vaults
from shared.client.errors import VaultRefused
from shared.runtime.retry_policies import DELIVERY
from shared.runtime.telemetry import metrics
from shared.runtime.waiting import each_to_its_end
from shared.spark.broker_errors import MalformedMessage, Unroutable
from shared.spark.consumer import Delivery
from shared.spark.envelope import Envelope, known_id
from shared.spark.publisher import Outgoing
from shared.spark.topology import REVISION_HEADER

# Of the metric of User Exception Messages, which the Vault makes of what is reported as not delivered.
METRIC_TYPE = "message_delivery_error__sys"


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often an undeliverable message is tried, and the first pause between tries, in seconds; it doubles."""

    count: int = DELIVERY.attempts
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
        """Deliver messages, and report the outcome of each to the Vault that they come from.

        It waits for a Vault or broker that is away.

        :raises VaultRefused: the Vault does not accept the report; the broker then keeps the deliveries.
        """
        # By message id: of a message that came twice in one batch, one copy is enough.
        sendings: dict[str, Sending] = {}
        report: list[dict[str, object]] = []
        for delivery in deliveries:
            try:
                envelope = Envelope.parse(delivery.body)
            except MalformedMessage as problem:
                message_id = known_id(delivery.message_id, delivery.body)
                row = unreadable(delivery.body, message_id, problem.reason)
                report.append(row)
            else:
                sending = Sending(envelope, self._note_revision(delivery, envelope))
                sendings[envelope.message_id] = sending
        await self._deliver(list(sendings.values()))
        for sending in sendings.values():
            report.extend(sending.report())
        self._count_failed(report)
        await self._patience.wait_for(
            f"report on queue {self._queue} ({self._own.name})",
            lambda: self._own.client.report_deliveries(self._queue, report),
        )

    def _note_revision(self, delivery: Delivery, envelope: Envelope) -> str | None:
        """Note the configuration revision in a message's headers, which may save reading its routes, and return it."""
        revision = delivery.headers.get(REVISION_HEADER)
        if not isinstance(revision, str):
            return None
        self._own.client.note_revision(revision, envelope.enter_queue_timestamp)
        return revision

    def _count_failed(self, report: Iterable[Mapping[str, object]]) -> None:
        failed = {row["message_id"] for row in report if "error" in row}
        if failed:
            metrics.exceptions.labels(self._queue, METRIC_TYPE).inc(len(failed))

    async def _deliver(self, sendings: list[Sending]) -> None:
        """Try until all is delivered or the attempts are used up."""
        pauses = DELIVERY.pauses(first_pause=self._attempts.first_pause)
        # An administrator may have activated a connection just before the message was sent, or since.
        entered = (sending.envelope.enter_queue_timestamp for sending in sendings)
        moment = max(entered, default=datetime.now(UTC))
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
        self,
        attempt: int,
        moment: datetime,
        pending: list[Sending],
    ) -> None:
        doubts = Doubts()

        async def once() -> None:
            # Begun anew each time that a peer was waited for, which counts as no further attempt.
            for sending in pending:
                sending.begin(attempt)
            try:
                await self._attempt(moment, pending)
            except VaultRefused as refused:
                # A read that the Vault has stopped is no fault of the messages either.
                doubts.begin_again(refused)
                raise

        name = f"delivery of queue {self._queue} ({self._own.name})"
        try:
            await self._patience.wait_for(name, once)
        except VaultRefused as refused:
            reason = f"the configuration of queue {self._queue} cannot be read: {refused.type}"
            for sending in pending:
                sending.missing[""] = reason

    async def _attempt(self, moment: datetime, pending: list[Sending]) -> None:
        """Try each missing destination once; each message notes which are still missing."""
        routes = await self._routes.fresh.since(moment)
        waiting: dict[Destination, list[Sending]] = {
            destination: [] for destination in routes.destinations
        }
        for sending in pending:
            own = sending.routes(routes)
            for fault in own.faults:
                sending.missing[fault.connection] = fault.reason
            for destination in own.destinations:
                if destination not in sending.reached:
                    waiting[destination].append(sending)
        work = [
            self._send(destination, sendings)
            for destination, sendings in waiting.items()
        ]
        # What has arrived at one destination is noted while another is away, and is not sent there again.
        await each_to_its_end(work)

    async def _send(self, destination: Destination, waiting: list[Sending]) -> None:
        """Send messages to one destination, in order."""
        if destination.remote_vault_id is None:
            await deliver(self._own.client, self._receivers, destination, waiting)
            return
        remote = self._vaults.get(destination.remote_vault_id)
        # A Vault elsewhere has a broker of its own, to which this connector publishes nothing.
        if remote is self._own or not isinstance(remote, ConnectedVault):
            reason = f"Vault {destination.remote_vault_id} is not among the connector's Vaults; add it"
            for sending in waiting:
                sending.missing[destination.connection] = reason
            return
        await self._publish(remote, destination, waiting)

    async def _publish(
        self,
        remote: ConnectedVault,
        destination: Destination,
        waiting: list[Sending],
    ) -> None:
        unroutable: set[str] = set()
        outgoing = [self._outgoing(sending, destination) for sending in waiting]
        try:
            await remote.publisher.publish_all(outgoing)
        except Unroutable as problem:
            # The messages that it does not name are confirmed.
            unroutable.update(problem.message_ids)
        for sending in waiting:
            if sending.envelope.message_id not in unroutable:
                sending.reached.add(destination)
                continue
            reason = f"Vault {remote.name} has no queue {destination.queue}; correct the queue connection"
            sending.missing[destination.connection] = reason

    def _outgoing(self, sending: Sending, destination: Destination) -> Outgoing:
        envelope = replace(
            sending.envelope,
            queue_name=destination.queue,
            send_attempt=sending.attempts,
            send_message_timestamp=sending.sent,
        )
        headers: dict[str, str | int] = {
            "vault_id": self._own.vault_id,
            "x-attempt": sending.attempts,
        }
        if sending.revision is not None:
            headers[REVISION_HEADER] = sending.revision
        return Outgoing(
            queue=destination.queue,
            body=envelope.encode(),
            message_id=envelope.message_id,
            headers=headers,
        )
