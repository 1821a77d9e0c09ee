"""The address at which previews are asked for, answered in the envelopes of the Vault REST API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from services.connector.configuration import ConfigurationFault
from services.connector.faults import passing_refusals
from services.connector.preview.access import MANAGE_INTEGRATIONS, require_permission
from services.connector.preview.records import preview
from services.connector.preview.requests import PreviewRequest, plan_of
from services.connector.request_body import read_body
from services.connector.rules.model import RuleError
from services.connector.vaults import Vaults
from shared.client.errors import VaultRefused, VaultUnavailable

PREVIEW_SECONDS = 60.0
MAX_REQUEST_BYTES = 1024 * 1024
AT_ONCE = 2
"""How many previews are under way at a time: they share the calls of the Vaults with the transfers."""


def router(vaults: Callable[[], Vaults | None]) -> APIRouter:
    """The route; ``vaults`` are those of the connector, None until it is connected with them."""
    made = APIRouter(include_in_schema=False)
    places = asyncio.Semaphore(AT_ONCE)

    @made.post("/previews/{vault}")
    async def previews(request: Request, vault: str) -> Response:
        try:
            async with asyncio.timeout(PREVIEW_SECONDS), places:
                data = await _previews(request, vaults(), vault)
        except VaultRefused as refused:
            return _failure(refused.type, refused.message)
        except (ConfigurationFault, RuleError) as fault:
            return _failure("INVALID_DATA", str(fault))
        except VaultUnavailable:
            return _unavailable("A Vault is away, or the connector is starting")
        except TimeoutError:
            return _unavailable(f"It took longer than {PREVIEW_SECONDS:.0f} seconds; ask for fewer records")
        return _answer({"responseStatus": "SUCCESS", "data": data})

    return made


async def _previews(request: Request, vaults: Vaults | None, name: str) -> list[dict[str, object]]:
    if vaults is None:
        raise VaultUnavailable
    own = next((known for known in vaults.connected if known.name == name), None)
    if own is None:
        raise VaultRefused("INVALID_DATA", "This connector has no Vault of this name")
    await require_permission(own.client, request.headers.get("authorization", ""), MANAGE_INTEGRATIONS)
    asked = _asked(await read_body(request, MAX_REQUEST_BYTES))
    with passing_refusals():
        plan = await plan_of(asked, vaults, own)
        shown = await preview(plan, tuple(dict.fromkeys(asked.ids)))
    return [record.answer(own.vault_id) for record in shown]


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


def _failure(kind: str, message: str) -> Response:
    errors = [{"type": kind, "message": message}]
    return _answer({"responseStatus": "FAILURE", "responseMessage": None, "errors": errors})


def _unavailable(message: str) -> Response:
    errors = [{"type": "UNEXPECTED_ERROR", "message": message}]
    body = {"responseStatus": "EXCEPTION", "responseMessage": None, "errors": errors}
    return _answer(body, HTTPStatus.SERVICE_UNAVAILABLE)


def _answer(body: Mapping[str, object], status: HTTPStatus = HTTPStatus.OK) -> Response:
    """An envelope; it shows records, so nothing on the way may keep it."""
    headers = {"Cache-Control": "no-store"}
    return Response(orjson.dumps(body), status, headers, "application/json;charset=UTF-8")
