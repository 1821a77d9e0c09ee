"""Delivery event handlers: what a queue does, beside the exception, about a message that could not be delivered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from shared.vault.access.caller import SYSTEM
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.spark.envelope import Envelope
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.model.component_model import Queue
    from shared.vault.records.record_service import RecordService
    from shared.vault.security.sign_in_service import SecurityService
    from shared.vault.storage.database import Connection

log = structlog.get_logger(__name__)

TYPE = "Messagedeliveryeventhandler."


@dataclass(frozen=True, slots=True)
class LostMessage:
    """A message after its last attempt, and the connections that it did not get over."""

    queue: Queue
    envelope: Envelope
    connections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeliveryEvent:
    """What a handler works with, in the transaction that records the exception; ``caller`` is the handler's user."""

    connection: Connection
    caller: Caller
    registry: Registry
    records: RecordService
    lost: LostMessage


DeliveryEventHandler = Callable[[DeliveryEvent], Awaitable[None]]
"""Raises VaultFault when it cannot do its work; what it had changed is then undone."""


class DeliveryEvents:
    """Runs the handler that a queue names by ``message_delivery_event_handler``."""

    def __init__(
        self,
        components: ComponentService,
        records: RecordService,
        security: SecurityService,
        handlers: Mapping[str, DeliveryEventHandler],
    ) -> None:
        self._components = components
        self._records = records
        self._security = security
        self._handlers = handlers

    async def user_of(self, queue: Queue) -> Caller:
        """The user under whom the queue's handler runs: the one it names, or else the Vault itself."""
        name = queue.message_delivery_event_handler_user
        return await self._security.caller_named(name) if name else SYSTEM

    async def on_error(
        self, connection: Connection, user: Caller, lost: LostMessage
    ) -> str:
        """Run the handler after a message's last attempt; a sentence for the exception where it failed."""
        name = (lost.queue.message_delivery_event_handler or "").removeprefix(TYPE)
        if not name:
            return ""
        handler = self._handlers.get(name)
        if handler is None:
            return f"This Vault has no delivery event handler {name}"
        event = DeliveryEvent(
            connection, user, self._components.registry, self._records, lost
        )
        try:
            async with connection.transaction():
                await handler(event)
        except VaultFault as fault:
            log.warning(
                "delivery event handler failed",
                queue=lost.queue.name,
                handler=name,
                error=fault.error.type,
            )
            return f"The delivery event handler {name} failed: {fault.error.message}"
        return ""
