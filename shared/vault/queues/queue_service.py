"""Spark queues as an administrator sees them: status, depth, delivery on and off, reset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.spark.broker_errors import BrokerUnavailable
from shared.spark.envelope import format_moment
from shared.spark.topology import Direction, purge_queue, queue_state, sequential_queue
from shared.vault.access.permissions import Grant, authorize
from shared.vault.audit import audit_entries as entries
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.spark.connection import BrokerConnection
    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.model.component_model import Queue
    from shared.vault.queues.relay import Relay
    from shared.vault.storage.database import Database

BROKER_TIMEOUT = 5.0

WAITING = "SELECT queue, count(*) AS messages, min(enter_queue_timestamp) AS since FROM platform.outbox GROUP BY queue"
LAST_DELIVERIES = """
SELECT connection, message_id, date_time, error FROM platform.queue_connection WHERE queue = $1 AND NOT delivered
"""


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """What a queue holds; ``messages`` is None while the broker does not answer."""

    queue: Queue
    messages: int | None
    since: datetime | None


class QueueService:
    """The five queue calls of the API."""

    def __init__(
        self,
        database: Database,
        broker: BrokerConnection,
        components: ComponentService,
        relay: Relay,
    ) -> None:
        self._database = database
        self._broker = broker
        self._components = components
        self._relay = relay

    async def list(self, caller: Caller) -> list[dict[str, object]]:
        """Every queue: name, status, type."""
        authorize(caller, Grant.READ_QUEUES)
        return [
            self._summary(queue) for queue in self._components.registry.queues.values()
        ]

    @staticmethod
    def _summary(queue: Queue) -> dict[str, object]:
        return {
            "name": queue.name,
            "status": "active" if queue.active else "inactive",
            "type": queue.type,
        }

    async def get(self, caller: Caller, name: str) -> dict[str, object]:
        """One queue with its delivery status, the messages it holds and its connections."""
        authorize(caller, Grant.READ_QUEUES)
        queue = self._queue(name)
        async with self._database.connection() as connection:
            waiting = await connection.fetchval(
                "SELECT count(*) FROM platform.outbox WHERE queue = $1", name
            )
            enabled = await connection.fetchval(
                "SELECT enabled FROM platform.queue_delivery WHERE queue = $1", name
            )
            failed = {
                row["connection"]: row
                for row in await connection.fetch(LAST_DELIVERIES, name)
            }
        for kind in (name, sequential_queue(name)):
            state = await queue_state(self._broker, kind, BROKER_TIMEOUT)
            waiting += state.messages if state else 0
        return {
            **self._summary(queue),
            "delivery": "disabled" if enabled is False else "enabled",
            "messages_in_queue": waiting,
            "connections": [
                {
                    "name": c.connection_name,
                    **_last_delivery(failed.get(c.connection_name)),
                }
                for c in queue.connections
            ],
        }

    async def depths(self, caller: Caller) -> Sequence[QueueDepth]:
        """How many messages each queue holds, and since when the oldest waits that is not at the broker yet."""
        authorize(caller, Grant.READ_QUEUES)
        async with self._database.connection() as connection:
            waiting = {row["queue"]: row for row in await connection.fetch(WAITING)}
        found: list[QueueDepth] = []
        at_broker: int | None = 0  # once it does not answer, it is not asked again
        for queue in self._components.registry.queues.values():
            own = waiting.get(queue.name)
            at_broker = None if at_broker is None else await self._at_broker(queue.name)
            messages = (
                None
                if at_broker is None
                else at_broker + (own["messages"] if own else 0)
            )
            found.append(QueueDepth(queue, messages, own["since"] if own else None))
        return found

    async def _at_broker(self, name: str) -> int | None:
        """The messages that the broker holds of a queue; None when it does not answer."""
        messages = 0
        try:
            for kind in (name, sequential_queue(name)):
                state = await queue_state(self._broker, kind, BROKER_TIMEOUT)
                messages += state.messages if state else 0
        except BrokerUnavailable:
            return None
        return messages

    async def enable_delivery(self, caller: Caller, name: str) -> None:
        """Deliver again, beginning with what has waited."""
        await self._set_delivery(caller, name, enabled=True)
        self._relay.wake()

    async def disable_delivery(self, caller: Caller, name: str) -> None:
        """Take messages and send none."""
        await self._set_delivery(caller, name, enabled=False)

    async def _set_delivery(self, caller: Caller, name: str, *, enabled: bool) -> None:
        authorize(caller, Grant.MANAGE_QUEUES)
        if self._queue(name).type == "inbound":
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED,
                f"Delivery of inbound queue [{name}] cannot be changed",
            )
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT INTO platform.queue_delivery (queue, enabled) VALUES ($1, $2)"
                " ON CONFLICT (queue) DO UPDATE SET enabled = excluded.enabled",
                name,
                enabled,
            )
            action = (
                entries.AuditAction.ENABLE_DELIVERY
                if enabled
                else entries.AuditAction.DISABLE_DELIVERY
            )
            await entries.noted(
                connection, caller, entries.SYSTEM, action, f"Queue.{name}"
            )

    async def reset(self, caller: Caller, name: str) -> None:
        """Delete every message in the queue; there is no way back."""
        authorize(caller, Grant.MANAGE_QUEUES)
        if self._queue(name).type not in tuple(Direction):
            return  # nothing queues there
        # Both or neither: without the broker nothing is deleted here either.
        async with self._database.transaction() as connection:
            await connection.execute(
                "DELETE FROM platform.outbox WHERE queue = $1", name
            )
            await entries.noted(
                connection,
                caller,
                entries.SYSTEM,
                entries.AuditAction.RESET,
                f"Queue.{name}",
            )
            await purge_queue(self._broker, name, BROKER_TIMEOUT)
            if (
                await queue_state(self._broker, sequential_queue(name), BROKER_TIMEOUT)
                is not None
            ):
                await purge_queue(self._broker, sequential_queue(name), BROKER_TIMEOUT)

    def _queue(self, name: str) -> Queue:
        queue = self._components.registry.queues.get(name)
        if queue is None:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"There is no queue [{name[:100]}]"
            )
        return queue


def _last_delivery(failed: Record | None) -> dict[str, object]:
    """How the latest message over a connection fared; clients expect ``error`` to be an object or absent."""
    if failed is None:
        return {"last_message_delivered": "ok"}
    error = {
        "message_id": failed["message_id"],
        "date_time": format_moment(failed["date_time"]),
        "message": failed["error"],
    }
    return {"last_message_delivered": "error", "error": error}
