"""Returns dead letters to their queues when that may help, and records the others as User Exception Messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog

from shared.spark.broker_errors import MalformedMessage, Unroutable
from shared.spark.consumer import Consumer, Delivery
from shared.spark.envelope import Envelope, known_id
from shared.spark.publisher import Outgoing, Publisher
from shared.spark.topology import (
    COPY_HEADERS,
    DEAD_LETTER,
    MAX_BEGUN,
    ROUNDS_HEADER,
    Direction,
    declare_exchanges,
    spark_queue,
)
from shared.vault.access.caller import SYSTEM
from shared.vault.exceptions import recording
from shared.vault.exceptions.exception_model import MessageErrorType, MessageFailure

if TYPE_CHECKING:
    from shared.spark.connection import BrokerConnection
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.rows import RowResult
    from shared.vault.storage.database import Connection

log = structlog.get_logger(__name__)

BATCH = 20
MAX_BODY = 32_000  # characters stored of a body that is no message
# Headers that RabbitMQ sets: from where the message was first taken off, and why.
LEFT_QUEUE = "x-first-death-queue"
LEFT_EXCHANGE = "x-first-death-exchange"
LEFT_REASON = "x-first-death-reason"
# Whoever returned it: a connector that waited longer than the broker lets it, or a broker that was started again.
CAME_BACK = "delivery_limit"
VAULT_ID = "vault_id"

NOT_PROCESSED = (
    "The message was taken off its queue before it was processed. The log of the connector says why; correct the "
    "cause, then run Retry Transfer"
)
UNREADABLE = (
    "The message cannot be read, and was taken off its queue: {}. Correct its sender"
)


class DeadLetters:
    """Consumes the dead-letter queue of one Vault, in any number of processes.

    ``publishing`` is a separate connection, as for every publisher.
    """

    def __init__(
        self,
        broker: BrokerConnection,
        publishing: BrokerConnection,
        components: ComponentService,
        records: RecordService,
        vault_id: int,
    ) -> None:
        self._components = components
        self._records = records
        self._vault_id = vault_id
        self._publishers = {
            direction.exchange: Publisher(publishing, direction.exchange)
            for direction in Direction
        }
        self._consumer = Consumer(
            broker,
            DEAD_LETTER,
            self._handle,
            prefetch=BATCH,
            concurrency=1,
            max_batch=BATCH,
            prepare=_declare,
        )

    async def start(self) -> None:
        """Start recording dead letters, until ``stop``."""
        await self._consumer.start()

    async def stop(self) -> None:
        """Stop; dead letters that are not recorded yet stay on the queue."""
        await self._consumer.stop()
        for publisher in self._publishers.values():
            await publisher.close()

    async def _handle(self, deliveries: Sequence[Delivery]) -> None:
        """Put back or record each message; after an error, RabbitMQ delivers the messages again."""
        unsettled = [each for each in deliveries if not await self._put_back(each)]
        if unsettled:
            await self._record(unsettled)

    async def _put_back(self, delivery: Delivery) -> bool:
        """Put a message back on its queue if it only exceeded the delivery limit; return whether it was put back.

        :raises BrokerUnavailable: the broker is away.
        """
        headers = delivery.headers
        publisher = self._publishers.get(str(headers.get(LEFT_EXCHANGE)))
        if headers.get(LEFT_REASON) != CAME_BACK or publisher is None:
            return False
        # It was begun so often without an end, with all Vaults reachable, that it is itself to blame.
        if delivery.begun >= MAX_BEGUN:
            return False
        # Without the headers of its death: the broker counts anew.
        kept = {
            name: value
            for name, value in headers.items()
            if name in COPY_HEADERS and isinstance(value, str | int)
        }
        again = {**kept, ROUNDS_HEADER: delivery.rounds + 1}
        queue = spark_queue(str(headers.get(LEFT_QUEUE)))
        outgoing = Outgoing(queue, delivery.body, delivery.message_id, again)
        try:
            await publisher.publish(outgoing)
        except Unroutable:
            return False
        log.warning("queue.put_back", queue=queue, rounds=delivery.rounds + 1)
        return True

    async def _record(self, deliveries: Sequence[Delivery]) -> None:
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
        queue = spark_queue(str(delivery.headers.get(LEFT_QUEUE) or DEAD_LETTER))
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
            text=NOT_PROCESSED,
            body=envelope.recorded(source),
            items=len(envelope.message.items),
        )


def _unreadable(
    delivery: Delivery,
    queue: str,
    problem: MalformedMessage,
) -> MessageFailure:
    """Return the exception for a body that is not a message."""
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
    """Declare the dead-letter queue, which may be consumed before any message was relayed."""
    async with broker.short_channel() as channel:
        await declare_exchanges(channel)
