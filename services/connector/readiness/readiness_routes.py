"""The address at which a connection's readiness is asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request, Response

from services.connector.asking.answers import Answers, success
from services.connector.readiness.ends import findings
from services.connector.readiness.findings import Step
from services.connector.vaults.faults import passing_refusals
from services.connector.vaults.vaults import KnownVault, Vaults


def router(
    answers: Answers, consumers: Callable[[], Awaitable[str | None]]
) -> APIRouter:
    """The route; ``consumers`` tells why messages are not consumed, if so."""
    made = APIRouter(include_in_schema=False)

    @made.get("/readiness/{vault}/{connection}")
    async def readiness(request: Request, vault: str, connection: str) -> Response:
        async def work(vaults: Vaults, own: KnownVault) -> Response:
            with passing_refusals():
                found = await findings(vaults, own, connection, consumers)
            # Open exceptions are of what has been; they keep no message from working.
            ready = all(finding.step is Step.EXCEPTIONS for finding in found)
            listed = [finding.answer() for finding in found]
            return success(
                {"connection": connection, "ready": ready, "findings": listed}
            )

        return await answers.respond(request, vault, work)

    return made
