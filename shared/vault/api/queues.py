"""Serves Spark queues: lists them, and enables, disables and resets them."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.vault.api import response_envelope as envelope
from shared.vault.api.own_address import origin
from shared.vault.api.request_context import (
    PREFIX,
    SignedIn,
    base_path,
    vault_of,
)

router = APIRouter(prefix=f"{PREFIX}/services/queues", tags=["Spark queues"])


@router.get("", summary="All queues")
async def all_queues(request: Request, caller: SignedIn) -> Response:
    """Lists the queues with name, status and type."""
    queues = await vault_of(request).queues.list(caller)
    url = f"{origin(request)}{base_path(request)}/services/queues"
    shown = [{**queue, "url": f"{url}/{queue['name']}"} for queue in queues]
    return envelope.success(data=shown)


@router.get("/{queue_name}", summary="One queue")
async def one_queue(
    request: Request,
    caller: SignedIn,
    queue_name: str,
) -> Response:
    """Returns a queue's delivery status, number of messages and connections."""
    queue = await vault_of(request).queues.get(caller, queue_name)
    # A list of one: that is what clients of the documented call read.
    return envelope.success(data=[queue])


@router.put("/{queue_name}/actions/enable_delivery", summary="Enable delivery")
async def enable_delivery(
    request: Request,
    caller: SignedIn,
    queue_name: str,
) -> Response:
    """Enables the delivery of an outbound queue."""
    await vault_of(request).queues.enable_delivery(caller, queue_name)
    return envelope.success()


@router.put("/{queue_name}/actions/disable_delivery", summary="Disable delivery")
async def disable_delivery(
    request: Request,
    caller: SignedIn,
    queue_name: str,
) -> Response:
    """Disables the delivery of an outbound queue: its messages wait until delivery is enabled."""
    await vault_of(request).queues.disable_delivery(caller, queue_name)
    return envelope.success()


@router.put("/{queue_name}/actions/reset", summary="Reset a queue")
async def reset(
    request: Request,
    caller: SignedIn,
    queue_name: str,
) -> Response:
    """Deletes all messages in the queue; this cannot be undone."""
    await vault_of(request).queues.reset(caller, queue_name)
    return envelope.success(responseMessage="Deleted messages in queue.")
