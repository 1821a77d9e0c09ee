"""What a connector reports of its deliveries: logged, shown with the queue, and acted on where a message was lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.spark.broker_errors import MalformedMessage
from shared.spark.envelope import Envelope
from shared.vault.access.permissions import Grant, authorize
from shared.vault.errors import VaultFault
from shared.vault.exceptions import recording
from shared.vault.exceptions.recording import MessageErrorType, MessageFailure
from shared.vault.queues.delivery import Delivery
from shared.vault.queues.delivery_events import DeliveryEvents, LostMessage

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.model.component_model import Queue
    from shared.vault.queues.log import QueueLog
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.rows import RowResult
    from shared.vault.storage.database import Connection


OPEN = """
SELECT id FROM records.exception_message__sys
WHERE queue__sys = $1 AND message_id__sys = ANY($2::text[]) AND error_type__sys = 'message_delivery_error__sys'
  AND error_status__sys IN ('open__sys', 'retrying__sys') ORDER BY id
"""
RESOLVED = {"error_status__sys": "resolved__sys", "message_items_failed__sys": 0}


class DeliveryReports:
    """Takes in the reports on outbound queues."""

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

    async def take(
        self, caller: Caller, queue_name: str, rows: Sequence[Mapping[str, object]]
    ) -> None:
        """Keep a report; it may come twice, as a message may.

        What was removed becomes a User Exception Message here, in the source Vault, after the queue's delivery event
        handler has run; what was delivered ends the exception that it had. Raises VaultFault.
        """
        authorize(caller, Grant.REPORT_DELIVERIES)
        queue = self._components.registry.queues.get(queue_name)
        if queue is None or queue.type != "outbound":
            raise VaultFault(
                ErrorType.INVALID_DATA,
                f"There is no outbound queue [{queue_name[:100]}]",
            )
        deliveries = [Delivery.read(row) for row in rows]
        user = await self._events.user_of(queue)

        async def work(connection: Connection) -> list[RowResult]:
            await self._log.write(connection, queue.name, deliveries)
            removed = _by_message(
                delivery for delivery in deliveries if delivery.removed
            )
            failures = [
                await self._lost(connection, user, queue, parts)
                for parts in removed.values()
            ]
            written = await self._record(connection, caller, failures)
            delivered = [
                d.message_id for d in deliveries if d.message_id not in removed
            ]
            return written + await self._resolve(connection, caller, queue, delivered)

        await self._records.carry_out(work)

    async def _lost(
        self,
        connection: Connection,
        user: Caller,
        queue: Queue,
        parts: Sequence[Delivery],
    ) -> MessageFailure:
        """The exception of a message that was given up on these connections, the handler having been told of it."""
        first = parts[0]
        reasons = "; ".join(dict.fromkeys(part.error or "" for part in parts))
        attempts = max(part.attempts for part in parts)
        body = first.body or ""
        try:
            envelope = Envelope.parse(body.encode())
        except MalformedMessage:
            text = f"The message cannot be read: {reasons}. Correct its sender; it cannot be sent again from here"
            return MessageFailure(
                first.message_id, queue.name, MessageErrorType.MALFORMED, text, body, 0
            )
        lost = LostMessage(
            queue, envelope, tuple(part.connection for part in parts if part.connection)
        )
        problem = await self._events.on_error(connection, user, lost)
        text = f"Not delivered after {attempts} attempts: {reasons}. Then run Retry Transfer. {problem}".strip()
        items = len(envelope.message.items)
        return MessageFailure(
            first.message_id, queue.name, MessageErrorType.DELIVERY, text, body, items
        )

    async def _record(
        self, connection: Connection, caller: Caller, failures: Sequence[MessageFailure]
    ) -> list[RowResult]:
        if not failures:
            return []
        return await recording.record(
            connection, self._records, self._components.registry, caller, failures
        )

    async def _resolve(
        self,
        connection: Connection,
        caller: Caller,
        queue: Queue,
        message_ids: list[str],
    ) -> list[RowResult]:
        rows = (
            await connection.fetch(OPEN, queue.name, message_ids) if message_ids else []
        )
        if not rows:
            return []
        target = self._components.registry.objects[recording.OBJECT]
        ids = [row["id"] for row in rows]
        return await self._records.change_in(
            connection, caller, target, ids, {}, RESOLVED
        )


def _by_message(deliveries: Iterable[Delivery]) -> dict[str, list[Delivery]]:
    parts: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        parts[delivery.message_id].append(delivery)
    return parts
