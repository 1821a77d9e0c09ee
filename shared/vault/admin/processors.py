"""Serves Admin > Connections > Spark Message Processors: the processor of each queue, and its user."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from shared.vault.access.permissions import Grant, authorize
from shared.vault.admin.page_context import CurrentPage

router = APIRouter(prefix="/processors")

PROCESSOR = "Message Processor"
HANDLER = "Delivery Event Handler"


@router.get("")
async def processors(context: CurrentPage) -> Response:
    """List the message processors of queues and their delivery event handlers, each with its user."""
    authorize(context.caller, Grant.READ_QUEUES)
    rows = []
    for queue in context.registry.queues.values():
        name, user = queue.message_processor, queue.message_processor_user
        # An inbound queue without a processor is listed as well: the connector processes its messages.
        if name or queue.type.takes_deliveries:
            rows.append({"queue": queue, "kind": PROCESSOR, "name": name, "user": user})
        name = queue.message_delivery_event_handler
        user = queue.message_delivery_event_handler_user
        if name:
            rows.append({"queue": queue, "kind": HANDLER, "name": name, "user": user})
    return context.page("processors.html", processors=rows)
