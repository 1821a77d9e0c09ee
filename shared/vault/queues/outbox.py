"""The outbox: messages written in the transaction of the records they speak of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
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
from shared.vault.errors import VaultFault
from shared.vault.storage.database import OUTBOX

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry
    from shared.vault.model.component_model import Queue
    from shared.vault.storage.database import Connection

SENDER_BYTES = (
    12 * MAX_NAME_LENGTH
)  # what the sender's name and address may come to in JSON

INSERT = """
INSERT INTO platform.outbox (queue, direction, message_id, message)
SELECT $1, $2, u.message_id, u.message::jsonb FROM unnest($3::text[], $4::text[]) AS u(message_id, message)
"""

# Held until the transaction ends: positions of a sequential queue are then in the order of the commits.
IN_ORDER = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"


async def put(
    connection: Connection,
    queue: Queue,
    attributes: Mapping[str, JsonValue],
    items: Sequence[str],
    message_id: str | None = None,
) -> None:
    """Queue messages about ``items`` (record ids), at most 500 a message; sent after the transaction commits.

    ``message_id`` is given to send a message again under its first id; its items must then fit one message.
    Raises VaultFault for a message that could never be sent: it would hold up those behind it.
    """
    parts = list(cut(items))
    if message_id and len(parts) != 1:
        raise _refusal("it has no items, or too many for one message")
    identifiers = [message_id] if message_id else [str(uuid4()) for _ in parts]
    await _store(
        connection, queue, attributes, dict(zip(identifiers, parts, strict=True))
    )


async def announce(
    connection: Connection, queue: Queue, attributes: Mapping[str, JsonValue]
) -> None:
    """Queue a message that its attributes say all of; it has no items. Raises VaultFault as ``put`` does."""
    await _store(connection, queue, attributes, {str(uuid4()): ()})


async def _store(
    connection: Connection,
    queue: Queue,
    attributes: Mapping[str, JsonValue],
    items: Mapping[str, Sequence[str]],
) -> None:
    """Store messages with these attributes: items by message id."""
    for identifier, part in items.items():
        _check_sendable(
            queue, identifier, Message(attributes=attributes, items=tuple(part))
        )
    bodies = [
        orjson.dumps({"attributes": attributes, "items": part}).decode()
        for part in items.values()
    ]
    if queue.sequential:
        await connection.execute(IN_ORDER, queue.name)
    await connection.execute(INSERT, queue.name, queue.type, list(items), bodies)
    await connection.execute("SELECT pg_notify($1, '')", OUTBOX)


def _check_sendable(queue: Queue, message_id: str, message: Message) -> None:
    now = datetime.now(UTC)
    try:
        body = Envelope("-", "-", queue.name, now, now, 1, message_id, message).encode()
    except MalformedMessage as error:
        raise _refusal(str(error)) from error
    if len(body) > MAX_BODY_BYTES - SENDER_BYTES or b"\\u0000" in body:
        raise _refusal("it is too large, or holds the NUL character")


def _refusal(reason: str) -> VaultFault:
    return VaultFault(
        ErrorType.OPERATION_NOT_ALLOWED, f"The message cannot be sent: {reason}"
    )


def open_queue(registry: Registry, name: str) -> Queue:
    """The queue, when it takes messages; raises VaultFault ``OPERATION_NOT_ALLOWED``."""
    queue = spark_queue(registry, name)
    if not queue.active:
        raise VaultFault(
            ErrorType.OPERATION_NOT_ALLOWED,
            f"Queue [{name}] is inactive and takes no messages",
        )
    return queue


def spark_queue(registry: Registry, name: str) -> Queue:
    """The queue, active or not; raises VaultFault ``OPERATION_NOT_ALLOWED`` where there is none of this name."""
    queue = registry.queues.get(name)
    if queue is None:
        raise VaultFault(
            ErrorType.OPERATION_NOT_ALLOWED, f"There is no queue [{name[:100]}]"
        )
    if queue.type not in tuple(Direction):
        raise VaultFault(
            ErrorType.OPERATION_NOT_ALLOWED, f"Queue [{name}] is no Spark queue"
        )
    return queue
