"""Serves Admin > Connections > Spark Queues: their messages and latest deliveries, and actions of administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import Response

from shared.vault.access.permissions import Grant, authorize
from shared.vault.admin.rendering import shown_moment
from shared.vault.admin.showing import named
from shared.vault.admin.visit import Visit, Visiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.vault.queues.message_steps import SentMessage

router = APIRouter(prefix="/queues")

LATEST = 10  # messages of a queue's page
LOOK_SECONDS = 5  # until a page of moving numbers is drawn anew


@router.get("")
async def all_queues(visit: Visiting) -> Response:
    """List the queues with their waiting messages, rates and consumers."""
    queues = await visit.vault.queues.list(visit.caller)
    traffic = await visit.vault.traffic.read(visit.caller)
    return visit.page(
        "queues.html", queues=queues, traffic=traffic, again_in=LOOK_SECONDS
    )


@router.get("/{queue_name}")
async def one_queue(
    visit: Visiting,
    queue_name: str,
) -> Response:
    """Show a queue: its delivery, its number of messages, and the latest delivery over each connection."""
    return await _page(visit, queue_name, "queue.html")


@router.get("/{queue_name}/reset")
async def confirm_reset(
    visit: Visiting,
    queue_name: str,
) -> Response:
    """Ask for confirmation before deleting the messages."""
    # Checked here as well: users who may not reset the queue are not asked for confirmation.
    authorize(visit.caller, Grant.MANAGE_QUEUES)
    return await _page(visit, queue_name, "queue_reset.html")


async def _page(visit: Visit, queue_name: str, template: str) -> Response:
    """Show a queue in a template."""
    state = await visit.vault.queues.get(visit.caller, queue_name)
    # Configuration names connections by API names; the page shows the names of their records.
    connections = await named(visit, "connection__sys")
    traffic = await visit.vault.traffic.read(visit.caller)
    queue = visit.registry.queues[queue_name]
    messages: Sequence[SentMessage] | None = None
    if queue.type.delivers and visit.granted(Grant.READ_QUEUE_LOG):
        messages = await visit.vault.message_steps.of_queue(
            visit.caller, queue_name, LATEST
        )
    return visit.page(
        template,
        queue=queue,
        messages=messages,
        state=state,
        seen=traffic.of(queue_name),
        connections=connections,
    )


@router.post("/{queue_name}/reset")
async def reset(
    visit: Visiting,
    queue_name: str,
) -> Response:
    """Delete all messages of the queue."""
    await visit.vault.queues.reset(visit.caller, queue_name)
    return visit.go(_path(queue_name), "Deleted messages in queue.")


@router.post("/{queue_name}/enable_delivery")
async def enable_delivery(
    visit: Visiting,
    queue_name: str,
) -> Response:
    """Enable the delivery of the outbound queue."""
    await visit.vault.queues.enable_delivery(visit.caller, queue_name)
    return visit.go(_path(queue_name), "Delivery is enabled.")


@router.post("/{queue_name}/disable_delivery")
async def disable_delivery(
    visit: Visiting,
    queue_name: str,
) -> Response:
    """Disable the delivery of the outbound queue; its messages stay in it."""
    await visit.vault.queues.disable_delivery(visit.caller, queue_name)
    return visit.go(_path(queue_name), "Delivery is disabled.")


@router.post("/{queue_name}/trace_delivery")
async def trace_delivery(
    visit: Visiting,
    queue_name: str,
) -> Response:
    """Write every delivery to the queue log for 20 minutes."""
    ends = await visit.vault.queue_log.trace(visit.caller, queue_name)
    text = f"Deliveries are written to the queue log until {shown_moment(ends)}."
    return visit.go(_path(queue_name), text)


def _path(queue_name: str) -> str:
    """Return the address of a queue's page."""
    return f"/ui/queues/{queue_name}"
