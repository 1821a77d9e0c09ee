"""Runs the delivery event handlers of queues, when a message could not be delivered."""

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
    from shared.vault.security.sign_in_service import SignInService
    from shared.vault.storage.database import Connection

log = structlog.get_logger(__name__)

TYPE = "Messagedeliveryeventhandler."


@dataclass(frozen=True, slots=True)
class LostMessage:
    """A message after its last attempt, with the connections over which it was not delivered."""

    queue: Queue
    envelope: Envelope
    connections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeliveryEvent:
    """The arguments of a handler: the transaction that records the exception, and the handler's user as ``caller``."""

    connection: Connection
    caller: Caller
    registry: Registry
    records: RecordService
    lost: LostMessage


DeliveryEventHandler = Callable[[DeliveryEvent], Awaitable[None]]
"""A handler of delivery events; when it raises VaultFault, its changes are rolled back."""


class DeliveryEvents:
    """Runs the handler that a queue names by ``message_delivery_event_handler``."""

    def __init__(
        self,
        components: ComponentService,
        records: RecordService,
        security: SignInService,
        handlers: Mapping[str, DeliveryEventHandler],
    ) -> None:
        self._components = components
        self._records = records
        self._security = security
        self._handlers = handlers

    async def user_of(self, queue: Queue) -> Caller:
        """Return the caller as whom the queue's handler runs: the user that the queue names, or the Vault itself."""
        name = queue.message_delivery_event_handler_user
        if not name:
            return SYSTEM
        return await self._security.caller_named(name)

    async def on_error(
        self,
        connection: Connection,
        user: Caller,
        lost: LostMessage,
    ) -> str:
        """Run the queue's handler, where it has one; return a sentence for the exception when the handler failed."""
        name = (lost.queue.message_delivery_event_handler or "").removeprefix(TYPE)
        if not name:
            return ""
        handler = self._handlers.get(name)
        if handler is None:
            return f"This Vault has no delivery event handler {name}"
        event = DeliveryEvent(
            connection,
            user,
            self._components.registry,
            self._records,
            lost,
        )
        try:
            # A savepoint: the exception is recorded although the handler's changes are undone.
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
