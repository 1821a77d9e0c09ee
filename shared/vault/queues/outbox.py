"""The outbox: messages written in the transaction of the records they speak of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

import orjson

from shared.spark.envelope import cut
from shared.vault.errors import ErrorType, VaultFault
from shared.vault.storage.notifications import OUTBOX

if TYPE_CHECKING:
    from shared.vault.components.model import Queue
    from shared.vault.components.registry import Registry
    from shared.vault.storage.database import Connection

INSERT = """
INSERT INTO platform.outbox (queue, direction, message_id, message)
SELECT $1, $2, u.message_id, u.message::jsonb FROM unnest($3::text[], $4::text[]) AS u(message_id, message)
"""


async def put(
    connection: Connection,
    queue: Queue,
    attributes: Mapping[str, object],
    items: Sequence[str],
    message_id: str | None = None,
) -> None:
    """Queue messages about ``items`` (record ids), at most 500 a message; sent after the transaction commits.

    ``message_id`` is given to send a message again under its first id; its items must then fit one message.
    """
    parts = list(cut(items))
    bodies = [orjson.dumps({"attributes": dict(attributes), "items": list(part)}).decode() for part in parts]
    identifiers = [message_id] if message_id else [str(uuid4()) for _ in parts]
    await connection.execute(INSERT, queue.name, queue.type, identifiers, bodies)
    await connection.execute("SELECT pg_notify($1, '')", OUTBOX)


def open_queue(registry: Registry, name: str) -> Queue:
    """The queue, when it takes messages; raises VaultFault ``OPERATION_NOT_ALLOWED``."""
    queue = registry.queues.get(name)
    if queue is None:
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, f"There is no queue [{name}]")
    if not queue.active:
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, f"Queue [{name}] is inactive and takes no messages")
    return queue
