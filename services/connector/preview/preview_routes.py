"""The address at which previews are asked for."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from services.connector.asking.answers import Answers, success
from services.connector.asking.bodies import read_asked
from services.connector.preview.preview_request import PreviewRequest, plan_of
from services.connector.preview.record_preview import preview
from services.connector.vaults.vaults import KnownVault, Vaults, passing_refusals


def router(answers: Answers) -> APIRouter:
    """The route."""
    made = APIRouter(include_in_schema=False)

    @made.post("/previews/{vault}")
    async def previews(request: Request, vault: str) -> Response:
        async def work(vaults: Vaults, own: KnownVault) -> Response:
            asked = await read_asked(request, PreviewRequest)
            with passing_refusals():
                plan = await plan_of(asked, vaults, own)
                shown = await preview(plan, tuple(dict.fromkeys(asked.ids)))
            return success([record.answer(own.vault_id) for record in shown])

        return await answers.give(request, vault, work)

    return made
