"""Sends the messages of records: writes them into the outbox in the records' transaction, or records an exception."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, assert_never
from uuid import uuid4

import orjson

from shared.protocol.error_types import ErrorType
from shared.spark.broker_errors import MalformedMessage
from shared.spark.envelope import (
    MAX_BODY_BYTES,
    MAX_NAME_LENGTH,
    Envelope,
    JsonValue,
    Message,
    cut,
)
from shared.spark.topology import Direction
from shared.vault.components import concerned_tables
from shared.vault.configuration.component_locks import add_written_table
from shared.vault.errors import VaultFault
from shared.vault.exceptions import recording
from shared.vault.exceptions.exception_model import MessageErrorType, MessageFailure
from shared.vault.model.component_model import Queue, QueueType
from shared.vault.storage.database import OUTBOX

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry
    from shared.vault.records.named_actions import ActionContext
    from shared.vault.storage.database import Connection

# The sender's name and host name, which the relay adds: each character takes at most six bytes in JSON.
SENDER_BYTES = 12 * MAX_NAME_LENGTH

INSERT = """
INSERT INTO platform.outbox (queue, direction, message_id, message, revision)
SELECT $1, $2, u.message_id, u.message::jsonb, r.revision
FROM unnest($3::text[], $4::text[]) AS u(message_id, message), platform.current_revision r
"""

# Locked until the transaction ends: positions of a sequential queue are then in the order of the commits.
IN_ORDER = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"


def direction_of(queue: Queue) -> Direction | None:
    """Return the direction of a Spark queue's messages; None for a queue of jobs, which has no messages."""
    match queue.type:
        case QueueType.INBOUND:
            return Direction.INBOUND
        case QueueType.OUTBOUND:
            return Direction.OUTBOUND
        case QueueType.JOB:
            return None
        case _:
            assert_never(queue.type)


async def put(
    connection: Connection,
    queue: Queue,
    attributes: Mapping[str, JsonValue],
    items: Sequence[str],
    message_id: str | None = None,
) -> None:
    """Queue messages about ``items`` (record ids, at most 500 in a message), to be sent after the commit.

    With ``message_id``, send a message again under its first id; its items must then fit
    one message.

    :raises VaultFault: OPERATION_NOT_ALLOWED for a message that could never be sent.
    """
    parts = list(cut(items))
    # Two messages of one id would be one to their receiver.
    if message_id and len(parts) != 1:
        raise _refusal("it has no items, or too many for one message")
    identifiers = [message_id] if message_id else [str(uuid4()) for _ in parts]
    messages = dict(zip(identifiers, parts, strict=True))
    await _store(connection, queue, attributes, messages)


async def announce(
    connection: Connection,
    queue: Queue,
    attributes: Mapping[str, JsonValue],
) -> None:
    """Queue one message without items.

    :raises VaultFault: OPERATION_NOT_ALLOWED for a message that could never be sent.
    """
    await _store(connection, queue, attributes, {str(uuid4()): ()})


async def _store(
    connection: Connection,
    queue: Queue,
    attributes: Mapping[str, JsonValue],
    items: Mapping[str, Sequence[str]],
) -> None:
    """Store messages with these attributes; ``items`` are by message id."""
    bodies = []
    for identifier, part in items.items():
        message = Message(attributes=attributes, items=tuple(part))
        _check_sendable(queue, identifier, message)
        body = orjson.dumps({"attributes": attributes, "items": part})
        bodies.append(body.decode())
    add_written_table(concerned_tables.OUTBOX)
    if queue.sequential:
        await connection.execute(IN_ORDER, queue.name)
    await connection.execute(
        INSERT,
        queue.name,
        queue.type.value,
        list(items),
        bodies,
    )
    # Delivered when the transaction commits: the relay finds the messages then.
    await connection.execute("SELECT pg_notify($1, '')", OUTBOX)


def _check_sendable(queue: Queue, message_id: str, message: Message) -> None:
    """Check that the relay can publish a message, since one that it cannot publish would block the others.

    :raises VaultFault: OPERATION_NOT_ALLOWED
    """
    now = datetime.now(UTC)
    envelope = Envelope(
        vault_name="-",
        vault_host_name="-",
        queue_name=queue.name,
        enter_queue_timestamp=now,
        send_message_timestamp=now,
        send_attempt=1,
        message_id=message_id,
        message=message,
    )
    try:
        body = envelope.encode()
    except MalformedMessage as error:
        raise _refusal(str(error)) from error
    # jsonb takes no NUL character.
    if len(body) > MAX_BODY_BYTES - SENDER_BYTES or b"\\u0000" in body:
        raise _refusal("it is too large, or has the NUL character")


def _refusal(reason: str) -> VaultFault:
    message = f"The message cannot be sent: {reason}"
    return VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)


def open_queue(registry: Registry, name: str) -> Queue:
    """Return a queue that accepts messages.

    :raises VaultFault: OPERATION_NOT_ALLOWED when it is inactive, or not a Spark queue.
    """
    queue = spark_queue(registry, name)
    if not queue.active:
        raise VaultFault(
            ErrorType.OPERATION_NOT_ALLOWED,
            f"Queue [{name}] is inactive and takes no messages",
        )
    return queue


def spark_queue(registry: Registry, name: str) -> Queue:
    """Return a Spark queue, active or not.

    :raises VaultFault: OPERATION_NOT_ALLOWED when there is not a Spark queue with this name.
    """
    queue = registry.queues.get(name)
    if queue is None:
        message = f"There is no queue [{name[:100]}]"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
    if direction_of(queue) is None:
        message = f"Queue [{name}] is not a Spark queue"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
    return queue


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
