"""Sends the messages of records: puts them on a queue in the records' transaction, or records an exception."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from shared.spark.envelope import Envelope, JsonValue, Message, cut
from shared.vault.errors import VaultFault
from shared.vault.exceptions import recording
from shared.vault.exceptions.exception_model import MessageErrorType, MessageFailure
from shared.vault.queues.outbox import open_queue, put, spark_queue

if TYPE_CHECKING:
    from shared.vault.model.component_model import Queue
    from shared.vault.records.named_actions import ActionContext

# The relay writes the sender's name and address into a message when it publishes it.
UNNAMED = "-"


async def send(
    context: ActionContext,
    queue_name: str,
    attributes: Mapping[str, JsonValue],
    items: Sequence[str],
) -> None:
    """Queue messages about ``items`` (record ids), in the transaction of the records.

    A message to an inactive queue is recorded as an exception, which can be
    retried when the queue is active again; a queue with ``rollback_on_error`` refuses
    the whole transaction instead.

    :raises VaultFault: OPERATION_NOT_ALLOWED when the messages cannot be sent.
    """
    queue = spark_queue(context.registry, queue_name)
    try:
        target = open_queue(context.registry, queue_name)
        await put(context.connection, target, attributes, items)
    except VaultFault as fault:
        # An active queue refuses only what could never be sent: a retry would not help.
        if queue.rollback_on_error or queue.active:
            raise
        messages = [Message(attributes, part) for part in cut(items)]
        failures = [_failure(queue, message, fault) for message in messages]
        await recording.record(
            context.connection,
            context.records,
            context.registry,
            context.caller,
            failures,
        )


def _failure(queue: Queue, message: Message, fault: VaultFault) -> MessageFailure:
    """Return the exception of a message that its queue refused, with a new message id."""
    now = datetime.now(UTC)
    envelope = Envelope(
        vault_name=UNNAMED,
        vault_host_name=UNNAMED,
        queue_name=queue.name,
        enter_queue_timestamp=now,
        send_message_timestamp=now,
        send_attempt=1,
        message_id=str(uuid4()),
        message=message,
    )
    return MessageFailure(
        message_id=envelope.message_id,
        queue=queue.name,
        error_type=MessageErrorType.DELIVERY,
        text=f"The message did not enter its queue. {fault.error.message}. Activate it, then run Retry Transfer",
        body=envelope.recorded(None),
        items=len(message.items),
    )
