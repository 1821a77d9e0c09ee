"""Records dead letters as User Exception Messages, and takes them off the broker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.spark.broker_errors import MalformedMessage
from shared.spark.consumer import Consumer, Delivery
from shared.spark.envelope import Envelope, known_id
from shared.spark.topology import DEAD_LETTER, DELIVERY_LIMIT, declare_exchanges
from shared.vault.access.caller import SYSTEM
from shared.vault.exceptions import recording
from shared.vault.exceptions.exception_model import MessageErrorType, MessageFailure

if TYPE_CHECKING:
    from shared.spark.connection import BrokerConnection
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.rows import RowResult
    from shared.vault.storage.database import Connection

BATCH = 20
MAX_BODY = 32_000  # characters stored of a body that is no message
# A header that RabbitMQ sets: the queue that the message was first taken off.
LEFT_QUEUE = "x-first-death-queue"
VAULT_ID = "vault_id"

GIVEN_UP = (
    f"The message came back to its queue {DELIVERY_LIMIT} times and was taken off it. The log of the connector says "
    "why; correct the cause, then run Retry Transfer"
)
UNREADABLE = "The message cannot be read, and came back to its queue until it was taken off: {}. Correct its sender"


class DeadLetters:
    """Consumes the dead-letter queue of one Vault, in any number of processes."""

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
        """Start recording dead letters, until ``stop``."""
        await self._consumer.start()

    async def stop(self) -> None:
        """End; dead letters that are not recorded yet stay on the queue."""
        await self._consumer.stop()

    async def _record(self, deliveries: Sequence[Delivery]) -> None:
        """Record the messages as exceptions; after an error, RabbitMQ delivers them again."""
        failures = [self._failure(delivery) for delivery in deliveries]

        async def work(connection: Connection) -> list[RowResult]:
            return await recording.record(
                connection,
                self._records,
                self._components.registry,
                SYSTEM,
                failures,
            )

        await self._records.carry_out(work)

    def _failure(self, delivery: Delivery) -> MessageFailure:
        queue = str(delivery.headers.get(LEFT_QUEUE) or DEAD_LETTER)
        try:
            envelope = Envelope.parse(delivery.body)
        except MalformedMessage as problem:
            return _unreadable(delivery, queue, problem)
        sender = delivery.headers.get(VAULT_ID)
        # A message of another Vault is recorded with its source, so that a retry from here,
        # which this Vault's relay sends, still names it.
        source = sender if isinstance(sender, int) else None
        if source == self._vault_id:
            source = None
        return MessageFailure(
            message_id=envelope.message_id,
            queue=queue,
            error_type=MessageErrorType.PROCESSING,
            text=GIVEN_UP,
            body=envelope.recorded(source),
            items=len(envelope.message.items),
        )


def _unreadable(
    delivery: Delivery,
    queue: str,
    problem: MalformedMessage,
) -> MessageFailure:
    """Return the exception of a body that is not a message."""
    body = delivery.body[:MAX_BODY].decode(errors="replace")
    return MessageFailure(
        message_id=known_id(delivery.message_id, delivery.body),
        queue=queue,
        error_type=MessageErrorType.MALFORMED,
        text=UNREADABLE.format(problem),
        # PostgreSQL takes no NUL character in a text.
        body=body.replace("\x00", ""),
        items=0,
    )


async def _declare(broker: BrokerConnection) -> None:
    """Declare the dead-letter queue, which may be read before any message was relayed."""
    async with broker.short_channel() as channel:
        await declare_exchanges(channel)
