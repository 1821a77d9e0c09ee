"""Serves the address of a connection's readiness."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request, Response

from services.connector.asking.answers import Answers, success
from services.connector.asking.described import described
from services.connector.readiness.ends import findings
from services.connector.vaults.vaults import KnownVault, Vaults, passing_refusals


def router(
    answers: Answers,
    consumers: Callable[[], Awaitable[str | None]],
) -> APIRouter:
    """Return the route; ``consumers`` returns why messages are not consumed, None when they are."""
    routes = APIRouter(tags=["readiness"])

    @routes.get("/readiness/{vault}/{connection}", openapi_extra=described())
    async def readiness(request: Request, vault: str, connection: str) -> Response:
        """Return what keeps a connection of the Vault from working, in the order in which to correct it."""

        async def work(vaults: Vaults, own: KnownVault) -> Response:
            with passing_refusals():
                found = await findings(vaults, own, connection, consumers)
            data = {
                "connection": connection,
                "ready": not any(finding.prevents_transfer for finding in found),
                "findings": [finding.to_json() for finding in found],
            }
            return success(data)

        return await answers.respond(request, vault, work)

    return routes
