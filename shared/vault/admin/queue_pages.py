"""Admin > Connections > Spark Queues: what a queue holds, its delivery on and off, reset, and its latest deliveries."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from shared.vault.access.permissions import Grant, authorize
from shared.vault.admin.record_names import named
from shared.vault.admin.rendering import shown_moment
from shared.vault.admin.visit import Visit, Visiting

router = APIRouter(prefix="/queues")


@router.get("")
async def all_queues(visit: Visiting) -> Response:
    """Label, name, type and status of each."""
    return visit.page("queues.html", queues=await visit.vault.queues.list(visit.caller))


@router.get("/{queue_name}")
async def one_queue(visit: Visiting, queue_name: str) -> Response:
    """Its delivery, the messages it holds, and how the latest one over each connection fared."""
    return await _page(visit, queue_name, "queue.html")


@router.get("/{queue_name}/reset")
async def confirm_reset(visit: Visiting, queue_name: str) -> Response:
    """Asks whether the messages are really to be deleted."""
    authorize(visit.caller, Grant.MANAGE_QUEUES)
    return await _page(visit, queue_name, "queue_reset.html")


async def _page(visit: Visit, queue_name: str, template: str) -> Response:
    state = await visit.vault.queues.get(visit.caller, queue_name)
    connections = await named(visit, "connection__sys")
    return visit.page(
        template,
        queue=visit.registry.queues[queue_name],
        state=state,
        connections=connections,
    )


@router.post("/{queue_name}/reset")
async def reset(visit: Visiting, queue_name: str) -> Response:
    """Deletes every message of the queue."""
    await visit.vault.queues.reset(visit.caller, queue_name)
    return visit.go(f"/ui/queues/{queue_name}", "Deleted messages in queue.")


@router.post("/{queue_name}/enable_delivery")
async def enable_delivery(visit: Visiting, queue_name: str) -> Response:
    """Messages leave the outbound queue again."""
    await visit.vault.queues.enable_delivery(visit.caller, queue_name)
    return visit.go(f"/ui/queues/{queue_name}", "Delivery is enabled.")


@router.post("/{queue_name}/disable_delivery")
async def disable_delivery(visit: Visiting, queue_name: str) -> Response:
    """Messages stay in the outbound queue."""
    await visit.vault.queues.disable_delivery(visit.caller, queue_name)
    return visit.go(f"/ui/queues/{queue_name}", "Delivery is disabled.")


@router.post("/{queue_name}/trace_delivery")
async def trace_delivery(visit: Visiting, queue_name: str) -> Response:
    """For 20 minutes, every delivery is written to the queue log."""
    ends = await visit.vault.queue_log.trace(visit.caller, queue_name)
    return visit.go(
        f"/ui/queues/{queue_name}",
        f"Deliveries are written to the queue log until {shown_moment(ends)}.",
    )
