"""Stores the reports of connectors on deliveries; runs event handlers for lost messages, and records the messages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from shared.protocol.error_types import ErrorType
from shared.spark.broker_errors import MalformedMessage
from shared.spark.envelope import Envelope
from shared.vault.access.caller import SYSTEM
from shared.vault.access.permissions import Grant, authorize
from shared.vault.errors import VaultFault
from shared.vault.exceptions import recording
from shared.vault.exceptions.exception_model import (
    ERROR_STATUS,
    ITEMS_FAILED,
    MESSAGE,
    ErrorStatus,
    MessageErrorType,
    MessageFailure,
)
from shared.vault.model.component_model import Queue
from shared.vault.queues.log_columns import Delivery

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.queues.log import QueueLog
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.rows import RowResult
    from shared.vault.security.sign_in_service import SignInService
    from shared.vault.storage.database import Connection


OPEN = """
SELECT id FROM records.exception_message__sys
WHERE queue__sys = $1 AND message_id__sys = ANY($2::text[]) AND error_type__sys = 'message_delivery_error__sys'
  AND error_status__sys IN ('open__sys', 'retrying__sys') ORDER BY id
"""
RESOLVED = {ERROR_STATUS: ErrorStatus.RESOLVED.value, ITEMS_FAILED: 0}


class DeliveryReports:
    """Stores the reports of connectors on the deliveries of outbound queues."""

    def __init__(
        self,
        components: ComponentService,
        records: RecordService,
        log: QueueLog,
        events: DeliveryEvents,
    ) -> None:
        self._components = components
        self._records = records
        self._log = log
        self._events = events

    async def store(
        self,
        caller: Caller,
        queue_name: str,
        rows: Sequence[Mapping[str, object]],
    ) -> None:
        """Store a report; a repeated report changes nothing more.

        A removed message becomes a User Exception Message in this Vault, the source, after the queue's delivery event
        handler has run; the exception of a delivered message is resolved.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA.
        """
        authorize(caller, Grant.REPORT_DELIVERIES)
        queue = self._outbound_queue(queue_name)
        deliveries = [Delivery.read(row) for row in rows]
        user = await self._events.user_of(queue)
        removed = _by_message(each for each in deliveries if each.removed)
        # A message that one of several connections did not get is not delivered.
        delivered = [d.message_id for d in deliveries if d.message_id not in removed]

        async def work(connection: Connection) -> list[RowResult]:
            # In one transaction with the exceptions: a report that fails comes again whole.
            await self._log.write(connection, queue.name, deliveries)
            failures = [
                await self._lost(connection, user, queue, parts)
                for parts in removed.values()
            ]
            recorded = await self._record(connection, caller, failures)
            resolved = await self._resolve(connection, caller, queue, delivered)
            return recorded + resolved

        await self._records.carry_out(work)

    def _outbound_queue(self, name: str) -> Queue:
        queue = self._components.registry.queues.get(name)
        if queue is None or not queue.type.delivers:
            message = f"There is no outbound queue [{name[:100]}]"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        return queue

    async def _lost(
        self,
        connection: Connection,
        user: Caller,
        queue: Queue,
        parts: Sequence[Delivery],
    ) -> MessageFailure:
        """Run the delivery event handler for a message that was removed undelivered; return the message's exception."""
        message_id, body = parts[0].message_id, parts[0].body or ""
        # Without repetitions, in the order of the connections.
        reasons = "; ".join(dict.fromkeys(part.error or "" for part in parts))
        attempts = max(part.attempts for part in parts)
        try:
            envelope = Envelope.parse(body.encode())
        except MalformedMessage:
            text = f"The message cannot be read: {reasons}. Correct its sender; it cannot be sent again from here"
            return MessageFailure(
                message_id=message_id,
                queue=queue.name,
                error_type=MessageErrorType.MALFORMED,
                text=text,
                body=body,
                items=0,
            )
        connections = tuple(part.connection for part in parts if part.connection)
        lost = LostMessage(queue, envelope, connections)
        problem = await self._events.on_error(connection, user, lost)
        text = f"Not delivered after {attempts} attempts: {reasons}. Then run Retry Transfer. {problem}"
        return MessageFailure(
            message_id=message_id,
            queue=queue.name,
            error_type=MessageErrorType.DELIVERY,
            text=text.strip(),
            body=body,
            items=len(envelope.message.items),
        )

    async def _record(
        self,
        connection: Connection,
        caller: Caller,
        failures: Sequence[MessageFailure],
    ) -> list[RowResult]:
        if not failures:
            return []
        return await recording.record(
            connection,
            self._records,
            self._components.registry,
            caller,
            failures,
        )

    async def _resolve(
        self,
        connection: Connection,
        caller: Caller,
        queue: Queue,
        message_ids: list[str],
    ) -> list[RowResult]:
        """Set the delivery exceptions of these messages to Resolved."""
        if not message_ids:
            return []
        rows = await connection.fetch(OPEN, queue.name, message_ids)
        # Mostly there is nothing to resolve: no write path is begun for it.
        if not rows:
            return []
        target = self._components.registry.objects[MESSAGE]
        ids = [row["id"] for row in rows]
        return await self._records.change_in(
            connection,
            caller,
            target,
            ids,
            {},
            RESOLVED,
        )


def _by_message(deliveries: Iterable[Delivery]) -> dict[str, list[Delivery]]:
    """Return deliveries by message id; a message has one for each connection."""
    parts: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        parts[delivery.message_id].append(delivery)
    return parts


log = structlog.get_logger(__name__)

TYPE = "Messagedeliveryeventhandler."


@dataclass(frozen=True, slots=True)
class LostMessage:
    """A message after its last attempt, with the connections over which it was not delivered."""

    queue: Queue
    envelope: Envelope
    connections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeliveryEvent:
    """The arguments of a handler: the transaction that records the exception, and the handler's user as ``caller``."""

    connection: Connection
    caller: Caller
    registry: Registry
    records: RecordService
    lost: LostMessage


DeliveryEventHandler = Callable[[DeliveryEvent], Awaitable[None]]
"""A handler of delivery events; when it raises VaultFault, its changes are rolled back."""


class DeliveryEvents:
    """Runs the handler that a queue names by ``message_delivery_event_handler``."""

    def __init__(
        self,
        components: ComponentService,
        records: RecordService,
        security: SignInService,
        handlers: Mapping[str, DeliveryEventHandler],
    ) -> None:
        self._components = components
        self._records = records
        self._security = security
        self._handlers = handlers

    async def user_of(self, queue: Queue) -> Caller:
        """Return the caller with whose rights the queue's handler runs: the queue's user, or the Vault itself."""
        name = queue.message_delivery_event_handler_user
        if not name:
            return SYSTEM
        return await self._security.caller_named(name)

    async def on_error(
        self,
        connection: Connection,
        user: Caller,
        lost: LostMessage,
    ) -> str:
        """Run the queue's handler, if it has one; return a sentence for the exception when the handler failed."""
        name = (lost.queue.message_delivery_event_handler or "").removeprefix(TYPE)
        if not name:
            return ""
        handler = self._handlers.get(name)
        if handler is None:
            return f"This Vault has no delivery event handler {name}"
        event = DeliveryEvent(
            connection,
            user,
            self._components.registry,
            self._records,
            lost,
        )
        try:
            # A savepoint: the exception is recorded although the handler's changes are undone.
            async with connection.transaction():
                await handler(event)
        except VaultFault as fault:
            log.warning(
                "delivery event handler failed",
                queue=lost.queue.name,
                handler=name,
                error=fault.error.type,
            )
            return f"The delivery event handler {name} failed: {fault.error.message}"
        return ""
