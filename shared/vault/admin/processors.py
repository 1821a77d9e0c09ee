"""Admin > Connections > Spark Message Processors: what takes the messages of each queue, and as whom."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from shared.vault.access.permissions import Grant, authorize
from shared.vault.admin.visit import Visiting
from shared.vault.model.component_model import QueueType

router = APIRouter(prefix="/processors")

PROCESSOR = "Message Processor"


@router.get("")
async def processors(visit: Visiting) -> Response:
    """The message processors of queues, and their delivery event handlers, each with its user."""
    authorize(visit.caller, Grant.READ_QUEUES)
    rows = [
        {"queue": queue, "kind": kind, "name": name, "user": user}
        for queue in visit.registry.queues.values()
        for kind, name, user in (
            (PROCESSOR, queue.message_processor, queue.message_processor_user),
            (
                "Delivery Event Handler",
                queue.message_delivery_event_handler,
                queue.message_delivery_event_handler_user,
            ),
        )
        if name or (kind == PROCESSOR and queue.type is QueueType.INBOUND)
    ]
    return visit.page("processors.html", processors=rows)
