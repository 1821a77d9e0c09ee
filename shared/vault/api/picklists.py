"""Picklists and their values."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.api.body import read_fields
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of
from shared.vault.errors import VaultFault

router = APIRouter(prefix=f"{PREFIX}/objects/picklists", tags=["Picklists"])

VALUE = re.compile(r"value_(\d{1,4})")


@router.get("", summary="All picklists")
async def all_picklists(request: Request, _caller: SignedIn) -> Response:
    """Name, label and where each is used."""
    return envelope.success(picklists=vault_of(request).picklists.all())


@router.get("/{picklist_name}", summary="Values of a picklist")
async def values(request: Request, _caller: SignedIn, picklist_name: str) -> Response:
    """The active values, in order; `GET /configuration/Picklist.{name}` has the inactive ones, too."""
    return envelope.success(
        picklistValues=vault_of(request).picklists.values(picklist_name)
    )


@router.post(
    "/{picklist_name}",
    summary="Add values to a picklist",
    openapi_extra=form_documentation(
        {"value_1": "Label of a new value; value_2 and so on for more"}
    ),
)
async def add(request: Request, caller: SignedIn, picklist_name: str) -> Response:
    """Names are made from the labels: `North America` becomes `north_america__c`."""
    fields = await read_fields(request)
    numbered = sorted(
        (int(match[1]), label)
        for name, label in fields.items()
        if (match := VALUE.fullmatch(name))
    )
    if len(numbered) < len(fields):
        raise VaultFault(
            ErrorType.INVALID_DATA, "The call takes value_1, value_2 and so on"
        )
    labels = [label.strip() for _, label in numbered]
    added = await vault_of(request).picklists.add(caller, picklist_name, labels)
    return envelope.success(
        responseMessage="Created picklist value(s).", picklistValues=added
    )


@router.put(
    "/{picklist_name}",
    summary="Change labels",
    openapi_extra=form_documentation({"{value name}": "Its new label"}),
)
async def relabel(request: Request, caller: SignedIn, picklist_name: str) -> Response:
    """One field a value: its name, and the new label."""
    labels = {
        name: label.strip() for name, label in (await read_fields(request)).items()
    }
    changed = await vault_of(request).picklists.relabel(caller, picklist_name, labels)
    return envelope.success(
        responseMessage="Updated picklist value(s).", picklistValues=changed
    )


@router.put(
    "/{picklist_name}/{value_name}",
    summary="Rename a value, or change its status",
    openapi_extra=form_documentation(
        {"name": "New name, without __c", "status": "active or inactive"}
    ),
)
async def change(
    request: Request, caller: SignedIn, picklist_name: str, value_name: str
) -> Response:
    """Records that hold a renamed value hold it by its new name."""
    fields = await read_fields(request)
    name, status = fields.get("name", ""), fields.get("status", "")
    renamed = await vault_of(request).picklists.change(
        caller, picklist_name, value_name, name, status
    )
    return envelope.success(responseMessage="Updated picklist value.", name=renamed)


@router.delete("/{picklist_name}/{value_name}", summary="Make a value inactive")
async def inactivate(
    request: Request, caller: SignedIn, picklist_name: str, value_name: str
) -> Response:
    """Records that hold the value keep it."""
    await vault_of(request).picklists.inactivate(caller, picklist_name, value_name)
    return envelope.success(
        responseMessage="Inactivated picklist value.", name=value_name
    )
