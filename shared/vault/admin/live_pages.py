"""Serves the live page of the traffic: both Vaults, their queues and the connector, for a permanent display."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from shared.vault.access.permissions import Grant
from shared.vault.admin.connector_sessions import page_sessions, sources_of
from shared.vault.admin.page_context import CurrentPage
from shared.vault.admin.queue_pages import LOOK_SECONDS
from shared.vault.errors import ApiError, VaultFault

router = APIRouter(prefix="/live")


@router.get("")
async def live(context: CurrentPage) -> Response:
    """Show the present traffic; of other Vaults only to callers who may ask the connector."""
    traffic = await context.vault.traffic.read(context.caller)
    elsewhere: Mapping[str, Any] | None = None
    error: ApiError | None = None
    if context.granted(Grant.MANAGE_INTEGRATIONS):
        try:
            elsewhere = await context.vault.connector.traffic(page_sessions(context))
        except VaultFault as fault:
            error = fault.error
    sources = await sources_of(context)
    return context.page(
        "live.html",
        traffic=traffic,
        elsewhere=elsewhere,
        sources={each.vault_id: each for each in sources},
        error=error,
        again_in=LOOK_SECONDS,
    )
