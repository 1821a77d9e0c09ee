"""Components: MDL executed, components as MDL and as configuration."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.vault.api import envelope
from shared.vault.api.addresses import PREFIX
from shared.vault.api.body import read_text
from shared.vault.api.envelope import STATUS_HEADER, Status
from shared.vault.api.session import SignedIn, vault_of
from shared.vault.components.types import COMPONENT_TYPES
from shared.vault.errors import ApiError, ErrorType, VaultFault

router = APIRouter(tags=["Components"])


MDL_TEXT = {"requestBody": {"content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.post("/api/mdl/execute", summary="Execute MDL", openapi_extra=MDL_TEXT)
@router.post(f"{PREFIX}/api/mdl/execute", include_in_schema=False)
async def execute(request: Request, caller: SignedIn) -> Response:
    """The body is MDL text, whatever Content-Type says; each statement is carried out whole or not at all."""
    vault = vault_of(request)
    script = await vault.components.execute(caller, await read_text(request))
    members = script.to_json(vault.definition.label)
    if not script.failures:
        return envelope.success(**members)
    errors = [ApiError(ErrorType.INVALID_DATA, s.message) for s in script.failures]
    return envelope.failures(errors, members)


@router.get("/api/mdl/components/{component_name}", summary="A component as MDL")
@router.get(f"{PREFIX}/api/mdl/components/{{component_name}}", include_in_schema=False)
async def component_mdl(request: Request, caller: SignedIn, component_name: str) -> Response:
    """MDL text that executes to the same component; `component_name` is `Type.name`."""
    text = vault_of(request).components.mdl(caller, component_name)
    return Response(text, 200, {STATUS_HEADER: Status.SUCCESS}, "text/plain;charset=UTF-8")


@router.get(f"{PREFIX}/configuration/{{component_name}}", summary="Components as configuration")
async def configuration(request: Request, caller: SignedIn, component_name: str) -> Response:
    """All components of a type (`Integrationrule`), or one of them (`Integrationrule.name__c`)."""
    kind, _, name = component_name.partition(".")
    listed = vault_of(request).components.configuration(caller, kind)
    if kind not in COMPONENT_TYPES:
        raise VaultFault(ErrorType.INVALID_DATA, f"There is no component type [{kind[:60]}]")
    if not name:
        return envelope.success(data=listed)
    for component in listed:
        if component["name"] == name:
            return envelope.success(data=component)
    raise VaultFault(ErrorType.INVALID_DATA, f"There is no component [{component_name[:200]}]")
