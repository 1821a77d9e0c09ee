"""The address at which previews are asked for."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from services.connector.asking.answers import Answers, success
from services.connector.faults import passing_refusals
from services.connector.preview.records import preview
from services.connector.preview.requests import PreviewRequest, plan_of
from services.connector.request_body import read_body
from services.connector.vaults import KnownVault, Vaults
from shared.client.errors import VaultRefused

MAX_REQUEST_BYTES = 1024 * 1024


def router(answers: Answers) -> APIRouter:
    """The route."""
    made = APIRouter(include_in_schema=False)

    @made.post("/previews/{vault}")
    async def previews(request: Request, vault: str) -> Response:
        async def work(vaults: Vaults, own: KnownVault) -> Response:
            asked = _asked(await read_body(request, MAX_REQUEST_BYTES))
            with passing_refusals():
                plan = await plan_of(asked, vaults, own)
                shown = await preview(plan, tuple(dict.fromkeys(asked.ids)))
            return success([record.answer(own.vault_id) for record in shown])

        return await answers.give(request, vault, work)

    return made


def _asked(body: bytes | None) -> PreviewRequest:
    """The request; raises VaultRefused as a Vault would."""
    if body is None:
        raise VaultRefused("INVALID_DATA", f"The body has more than {MAX_REQUEST_BYTES:,} bytes")
    try:
        return PreviewRequest.model_validate_json(body)
    except ValidationError as problem:
        first = problem.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"][:1])) or "body"
        raise VaultRefused("INVALID_DATA", f"[{where}] {first['msg']}") from None
