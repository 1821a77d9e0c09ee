"""Administers Spark queues: status, depth, delivery on and off, reset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.spark.broker_errors import BrokerUnavailable
from shared.spark.envelope import format_moment
from shared.spark.topology import (
    QueueState,
    purge_queue,
    queue_state,
    sequential_queue,
)
from shared.vault.access.permissions import Grant, authorize
from shared.vault.audit import audit_entries as entries
from shared.vault.errors import VaultFault
from shared.vault.queues.message_steps import note_reset
from shared.vault.queues.outbox import direction_of

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.spark.connection import BrokerConnection
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.model.component_model import Queue
    from shared.vault.queues.relay import Relay
    from shared.vault.storage.database import Database

BROKER_TIMEOUT = 5.0  # seconds

WAITING = "SELECT queue, count(*) AS messages, min(enter_queue_timestamp) AS since FROM platform.outbox GROUP BY queue"
WAITING_IN = """
SELECT count(*) AS messages, min(enter_queue_timestamp) AS since FROM platform.outbox WHERE queue = $1
"""
IS_ENABLED = "SELECT enabled FROM platform.queue_delivery WHERE queue = $1"
ENABLE = """
INSERT INTO platform.queue_delivery (queue, enabled) VALUES ($1, $2)
ON CONFLICT (queue) DO UPDATE SET enabled = excluded.enabled
"""
RESET = "DELETE FROM platform.outbox WHERE queue = $1"
FAILED_DELIVERIES = """
SELECT connection, message_id, date_time, error FROM platform.queue_connection WHERE queue = $1 AND NOT delivered
"""


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """The number of messages on a queue, in the outbox and at RabbitMQ; None while RabbitMQ does not reply."""

    queue: Queue
    messages: int | None
    since: datetime | None


class QueueService:
    """Carries out the queue calls of the API."""

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
        # Of the components at that time: another change of them may bring the broker's queue of an ordered one.
        self._plain: frozenset[str] = frozenset()
        self._plain_in: Registry | None = None

    async def list(self, caller: Caller) -> list[dict[str, object]]:
        """Return every queue with its name, status and type.

        :raises VaultFault: INSUFFICIENT_ACCESS
        """
        authorize(caller, Grant.READ_QUEUES)
        queues = self._components.registry.queues
        return [_summary(queue) for queue in queues.values()]

    async def get(self, caller: Caller, name: str) -> dict[str, object]:
        """Return one queue with its delivery status, the numbers of its messages, and its connections.

        ``waiting_since`` is when the oldest message was queued that has not been sent to the broker.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA for an unknown queue.
        :raises BrokerUnavailable: when RabbitMQ does not reply.
        """
        authorize(caller, Grant.READ_QUEUES)
        queue = self._queue(name)
        async with self._database.connection() as connection:
            (waiting,) = await connection.fetch(WAITING_IN, name)
            enabled = await connection.fetchval(IS_ENABLED, name)
            rows = await connection.fetch(FAILED_DELIVERIES, name)
        failed = {row["connection"]: row for row in rows}
        names = [each.connection_name for each in queue.connections]
        messages, since = waiting["messages"], waiting["since"]
        oldest = {} if since is None else {"waiting_since": format_moment(since)}
        return {
            **_summary(queue),
            # A queue that was never switched has no row.
            "delivery": "disabled" if enabled is False else "enabled",
            "messages_in_queue": messages + await self._at_broker(name),
            **oldest,
            "connections": [_last_delivery(each, failed) for each in names],
        }

    async def depths(self, caller: Caller) -> Sequence[QueueDepth]:
        """Return the number of messages of each queue, and since when the oldest one waits for the broker.

        :raises VaultFault: INSUFFICIENT_ACCESS
        """
        authorize(caller, Grant.READ_QUEUES)
        async with self._database.connection() as connection:
            rows = await connection.fetch(WAITING)
        waiting = {row["queue"]: row for row in rows}
        depths: list[QueueDepth] = []
        reachable = True
        for queue in self._components.registry.queues.values():
            row = waiting.get(queue.name)
            messages: int | None = None
            # Once it does not reply it is not asked again: each timeout would add up.
            if reachable:
                try:
                    messages = await self._at_broker(queue.name)
                except BrokerUnavailable:
                    reachable = False
                else:
                    messages += row["messages"] if row else 0
            depths.append(QueueDepth(queue, messages, row["since"] if row else None))
        return depths

    async def _at_broker(self, name: str) -> int:
        """Return the number of a queue's messages at RabbitMQ.

        :raises BrokerUnavailable: when RabbitMQ does not reply.
        """
        state = await queue_state(self._broker, name, BROKER_TIMEOUT)
        ordered = await self._ordered_at_broker(name)
        states = [each for each in (state, ordered) if each is not None]
        return sum(each.messages for each in states)

    async def _ordered_at_broker(self, name: str) -> QueueState | None:
        """Return the state of a queue's sequential queue at the broker; None for a queue without one.

        :raises BrokerUnavailable: when RabbitMQ does not reply.
        """
        registry = self._components.registry
        if registry is not self._plain_in:
            self._plain, self._plain_in = frozenset(), registry
        # Asked once only: RabbitMQ logs an error for each question about a queue that it does not have.
        if name in self._plain:
            return None
        ordered = sequential_queue(name)
        state = await queue_state(self._broker, ordered, BROKER_TIMEOUT)
        if state is None and not self._queue(name).sequential:
            self._plain |= {name}
        return state

    async def enable_delivery(self, caller: Caller, name: str) -> None:
        """Enable the delivery of a queue, beginning with the messages that have waited.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA, OPERATION_NOT_ALLOWED.
        """
        await self._set_delivery(caller, name, enabled=True)
        self._relay.wake()

    async def disable_delivery(self, caller: Caller, name: str) -> None:
        """Disable the delivery of a queue: it accepts messages, and sends none until delivery is enabled.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA, OPERATION_NOT_ALLOWED.
        """
        await self._set_delivery(caller, name, enabled=False)

    async def _set_delivery(self, caller: Caller, name: str, *, enabled: bool) -> None:
        authorize(caller, Grant.MANAGE_QUEUES)
        queue_type = self._queue(name).type
        if not queue_type.has_delivery_switch:
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED,
                f"Delivery of inbound queue [{name}] cannot be changed",
            )
        async with self._database.transaction() as connection:
            await connection.execute(ENABLE, name, enabled)
            action = (
                entries.AuditAction.ENABLE_DELIVERY
                if enabled
                else entries.AuditAction.DISABLE_DELIVERY
            )
            await entries.write_entry(
                connection,
                caller,
                entries.SYSTEM,
                action,
                f"Queue.{name}",
            )

    async def reset(self, caller: Caller, name: str) -> None:
        """Delete every message of a queue, in the outbox and at the broker.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA.
        :raises BrokerUnavailable: when RabbitMQ does not reply.
        """
        authorize(caller, Grant.MANAGE_QUEUES)
        if direction_of(self._queue(name)) is None:
            return
        # The broker inside the transaction: when it does not reply, nothing is deleted.
        async with self._database.transaction() as connection:
            await connection.execute(RESET, name)
            await note_reset(connection, name)
            await entries.write_entry(
                connection,
                caller,
                entries.SYSTEM,
                entries.AuditAction.RESET,
                f"Queue.{name}",
            )
            await purge_queue(self._broker, name, BROKER_TIMEOUT)
            if await self._ordered_at_broker(name) is not None:
                ordered = sequential_queue(name)
                await purge_queue(self._broker, ordered, BROKER_TIMEOUT)

    def _queue(self, name: str) -> Queue:
        """Return a queue.

        :raises VaultFault: INVALID_DATA when there is no queue with this name.
        """
        queue = self._components.registry.queues.get(name)
        if queue is None:
            message = f"There is no queue [{name[:100]}]"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        return queue


def _summary(queue: Queue) -> dict[str, object]:
    return {
        "name": queue.name,
        "status": "active" if queue.active else "inactive",
        "type": queue.type.value,
    }


def _last_delivery(name: str, failed: Mapping[str, Record]) -> dict[str, object]:
    """Return the members that describe the latest delivery over a connection.

    Clients expect ``error`` to be an object, or to be absent.
    """
    row = failed.get(name)
    if row is None:
        return {"name": name, "last_message_delivered": "ok"}
    error = {
        "message_id": row["message_id"],
        "date_time": format_moment(row["date_time"]),
        "message": row["error"],
    }
    return {"name": name, "last_message_delivered": "error", "error": error}
