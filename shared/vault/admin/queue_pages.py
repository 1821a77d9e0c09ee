"""Serves Admin > Connections > Spark Queues: their messages and latest deliveries, and actions of administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import Response

from shared.vault.access.permissions import Grant, authorize
from shared.vault.admin.page_context import CurrentPage, PageContext
from shared.vault.admin.rendering import shown_moment
from shared.vault.admin.showing import named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.vault.queues.message_steps import SentMessage

router = APIRouter(prefix="/queues")

LATEST = 10  # messages of a queue's page
LOOK_SECONDS = 5  # until a page of moving numbers is drawn anew


@router.get("")
async def all_queues(context: CurrentPage) -> Response:
    """List the queues with their waiting messages, rates and consumers."""
    queues = await context.vault.queues.list(context.caller)
    traffic = await context.vault.traffic.read(context.caller)
    return context.page(
        "queues.html", queues=queues, traffic=traffic, again_in=LOOK_SECONDS
    )


@router.get("/{queue_name}")
async def one_queue(
    context: CurrentPage,
    queue_name: str,
) -> Response:
    """Show a queue: its delivery, its number of messages, and the latest delivery over each connection."""
    return await _page(context, queue_name, "queue.html")


@router.get("/{queue_name}/reset")
async def confirm_reset(
    context: CurrentPage,
    queue_name: str,
) -> Response:
    """Ask for confirmation before deleting the messages."""
    # Checked here as well: users who may not reset the queue are not asked for confirmation.
    authorize(context.caller, Grant.MANAGE_QUEUES)
    return await _page(context, queue_name, "queue_reset.html")


async def _page(context: PageContext, queue_name: str, template: str) -> Response:
    """Show a queue in a template."""
    state = await context.vault.queues.get(context.caller, queue_name)
    # Configuration names connections by API names; the page shows the names of their records.
    connections = await named(context, "connection__sys")
    traffic = await context.vault.traffic.read(context.caller)
    queue = context.registry.queues[queue_name]
    messages: Sequence[SentMessage] | None = None
    if queue.type.delivers and context.granted(Grant.READ_QUEUE_LOG):
        messages = await context.vault.message_steps.of_queue(
            context.caller, queue_name, LATEST
        )
    return context.page(
        template,
        queue=queue,
        messages=messages,
        state=state,
        seen=traffic.of(queue_name),
        connections=connections,
    )


@router.post("/{queue_name}/reset")
async def reset(
    context: CurrentPage,
    queue_name: str,
) -> Response:
    """Delete all messages of the queue."""
    await context.vault.queues.reset(context.caller, queue_name)
    return context.go(_path(queue_name), "Deleted messages in queue.")


@router.post("/{queue_name}/enable_delivery")
async def enable_delivery(
    context: CurrentPage,
    queue_name: str,
) -> Response:
    """Enable the delivery of the outbound queue."""
    await context.vault.queues.enable_delivery(context.caller, queue_name)
    return context.go(_path(queue_name), "Delivery is enabled.")


@router.post("/{queue_name}/disable_delivery")
async def disable_delivery(
    context: CurrentPage,
    queue_name: str,
) -> Response:
    """Disable the delivery of the outbound queue; its messages stay in it."""
    await context.vault.queues.disable_delivery(context.caller, queue_name)
    return context.go(_path(queue_name), "Delivery is disabled.")


@router.post("/{queue_name}/trace_delivery")
async def trace_delivery(
    context: CurrentPage,
    queue_name: str,
) -> Response:
    """Write every delivery to the queue log for 20 minutes."""
    ends = await context.vault.queue_log.trace(context.caller, queue_name)
    text = f"Deliveries are written to the queue log until {shown_moment(ends)}."
    return context.go(_path(queue_name), text)


def _path(queue_name: str) -> str:
    """Return the address of a queue's page."""
    return f"/ui/queues/{queue_name}"
