"""Serves the live page of the traffic: both Vaults, their queues and the connector, for a permanent display."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from shared.vault.access.permissions import Grant
from shared.vault.admin.connector_sessions import page_sessions, sources_of
from shared.vault.admin.queue_pages import LOOK_SECONDS
from shared.vault.admin.visit import Visiting
from shared.vault.errors import ApiError, VaultFault

router = APIRouter(prefix="/live")


@router.get("")
async def live(visit: Visiting) -> Response:
    """Show the present traffic; of other Vaults only to callers who may ask the connector."""
    traffic = await visit.vault.traffic.read(visit.caller)
    elsewhere: Mapping[str, Any] | None = None
    error: ApiError | None = None
    if visit.granted(Grant.MANAGE_INTEGRATIONS):
        try:
            elsewhere = await visit.vault.connector.traffic(page_sessions(visit))
        except VaultFault as fault:
            error = fault.error
    sources = await sources_of(visit)
    return visit.page(
        "live.html",
        traffic=traffic,
        elsewhere=elsewhere,
        sources={each.vault_id: each for each in sources},
        error=error,
        again_in=LOOK_SECONDS,
    )
