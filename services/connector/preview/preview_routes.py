"""Serves the address of previews."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from services.connector.asking.answers import Answers, success
from services.connector.asking.bodies import read_question
from services.connector.asking.caller_reads import CallerSessions
from services.connector.asking.described import described
from services.connector.preview.plan_findings import plan_findings
from services.connector.preview.preview_request import PreviewRequest, plan_of
from services.connector.preview.record_preview import preview
from services.connector.vaults.vaults import KnownVault, Vaults, passing_refusals


def router(answers: Answers) -> APIRouter:
    """Return the route ``POST /previews/{vault}``."""
    routes = APIRouter(tags=["preview"])

    @routes.post(
        "/previews/{vault}",
        openapi_extra=described(PreviewRequest, reads_source=True),
    )
    async def previews(request: Request, vault: str) -> Response:
        """Return the values that a rule gives for each field of records; nothing is written."""

        async def work(vaults: Vaults, own: KnownVault) -> Response:
            question = await read_question(request, PreviewRequest)
            with passing_refusals():
                plan = await plan_of(question, vaults, own, CallerSessions.of(request))
                # Each record once, however often the request names it.
                ids = tuple(dict.fromkeys(question.ids))
                shown = await preview(plan, ids)
                found = await plan_findings(plan, own.client)
            return success([record.to_json(own.vault_id, found) for record in shown])

        return await answers.respond(request, vault, work)

    return routes
