"""Messages that records send: put on a queue in the records' transaction, or kept as an exception."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from shared.spark.envelope import Envelope, JsonValue, Message, cut
from shared.vault.errors import VaultFault
from shared.vault.exceptions import recording
from shared.vault.exceptions.recording import MessageErrorType, MessageFailure
from shared.vault.queues.outbox import open_queue, put, spark_queue

if TYPE_CHECKING:
    from shared.vault.model.component_model import Queue
    from shared.vault.records.named_actions import ActionContext

UNNAMED = (
    "-"  # the sender's name and address, which the relay gives a message on its way
)


async def send(
    context: ActionContext,
    queue_name: str,
    attributes: Mapping[str, JsonValue],
    items: Sequence[str],
) -> None:
    """Queue messages about ``items``, in the transaction of the records.

    A queue that takes no messages refuses the whole transaction when it says ``rollback_on_error``; else the
    transaction goes on, and each message is a User Exception Message, to be retried when the queue is active again.
    Raises VaultFault.
    """
    queue = spark_queue(context.registry, queue_name)
    try:
        await put(
            context.connection,
            open_queue(context.registry, queue_name),
            attributes,
            items,
        )
    except VaultFault as fault:
        if queue.rollback_on_error or queue.active:
            raise
        failures = [
            _failure(queue, Message(attributes, part), fault) for part in cut(items)
        ]
        await recording.record(
            context.connection,
            context.records,
            context.registry,
            context.caller,
            failures,
        )


def _failure(queue: Queue, message: Message, fault: VaultFault) -> MessageFailure:
    now = datetime.now(UTC)
    envelope = Envelope(
        UNNAMED, UNNAMED, queue.name, now, now, 1, str(uuid4()), message
    )
    return MessageFailure(
        message_id=envelope.message_id,
        queue=queue.name,
        error_type=MessageErrorType.DELIVERY,
        text=f"The message did not enter its queue. {fault.error.message}. Activate it, then run Retry Transfer",
        body=envelope.recorded(None),
        items=len(message.items),
    )
