"""Dead letters: what no consumer could finish becomes a User Exception Message, and leaves the broker."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.spark.broker_errors import MalformedMessage
from shared.spark.consumer import Consumer, Delivery
from shared.spark.envelope import Envelope
from shared.spark.topology import DEAD_LETTER, DELIVERY_LIMIT, declare_exchanges
from shared.vault.access.caller import SYSTEM
from shared.vault.exceptions import recording
from shared.vault.exceptions.recording import MessageErrorType, MessageFailure

if TYPE_CHECKING:
    from shared.spark.connection import BrokerConnection
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.rows import RowResult
    from shared.vault.storage.database import Connection

BATCH = 20
MAX_BODY = 32_000  # characters kept of a body that is no message
LEFT_QUEUE = "x-first-death-queue"  # the broker's own header: the queue that the message was taken off
VAULT_ID = "vault_id"

GIVEN_UP = (
    f"The message came back to its queue {DELIVERY_LIMIT} times and was taken off it. The log of the connector says "
    "why; correct the cause, then run Retry Transfer"
)
UNREADABLE = "The message cannot be read, and came back to its queue until it was taken off: {}. Correct its sender"


class DeadLetters:
    """Empties the dead-letter queue of one Vault; any number of processes may."""

    def __init__(
        self,
        broker: BrokerConnection,
        components: ComponentService,
        records: RecordService,
        vault_id: int,
    ) -> None:
        self._components = components
        self._records = records
        self._vault_id = vault_id
        self._consumer = Consumer(
            broker,
            DEAD_LETTER,
            self._record,
            prefetch=BATCH,
            concurrency=1,
            max_batch=BATCH,
            prepare=_declare,
        )

    async def start(self) -> None:
        """Record dead letters until ``stop``."""
        await self._consumer.start()

    async def stop(self) -> None:
        """End; what is not recorded yet stays on the queue."""
        await self._consumer.stop()

    async def _record(self, deliveries: Sequence[Delivery]) -> None:
        """Record what the deliveries were; the broker keeps them when this raises."""
        failures = [self._failure(delivery) for delivery in deliveries]

        async def work(connection: Connection) -> list[RowResult]:
            return await recording.record(
                connection, self._records, self._components.registry, SYSTEM, failures
            )

        await self._records.carry_out(work)

    def _failure(self, delivery: Delivery) -> MessageFailure:
        queue = str(delivery.headers.get(LEFT_QUEUE) or DEAD_LETTER)
        try:
            envelope = Envelope.parse(delivery.body)
        except MalformedMessage as problem:
            return MessageFailure(
                message_id=delivery.message_id
                or hashlib.sha256(delivery.body).hexdigest(),
                queue=queue,
                error_type=MessageErrorType.MALFORMED,
                text=UNREADABLE.format(problem),
                body=delivery.body[:MAX_BODY]
                .decode(errors="replace")
                .replace("\x00", ""),
                items=0,
            )
        sender = delivery.headers.get(VAULT_ID)
        source = (
            sender if isinstance(sender, int) and sender != self._vault_id else None
        )
        items = len(envelope.message.items)
        body = envelope.recorded(source)
        return MessageFailure(
            envelope.message_id,
            queue,
            MessageErrorType.PROCESSING,
            GIVEN_UP,
            body,
            items,
        )


async def _declare(broker: BrokerConnection) -> None:
    """Have the queue there, also where nothing was relayed yet."""
    async with broker.short_channel() as channel:
        await declare_exchanges(channel)
