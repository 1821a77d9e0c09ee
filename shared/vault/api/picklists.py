"""Serves picklists and their values."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import ExecutesMdl
from shared.vault.api.body import missing, read_fields
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of
from shared.vault.errors import VaultFault

router = APIRouter(prefix=f"{PREFIX}/objects/picklists", tags=["Picklists"])

VALUE = re.compile(r"value_(\d{1,4})")


@router.get("", summary="All picklists")
async def all_picklists(request: Request, _caller: SignedIn) -> Response:
    """Lists the picklists with names, labels, and the fields that use them."""
    return envelope.success(picklists=vault_of(request).picklists.all())


@router.get("/{picklist_name}", summary="Values of a picklist")
async def values(
    request: Request,
    _caller: SignedIn,
    picklist_name: str,
) -> Response:
    """Lists the active values in order; `GET /configuration/Picklist.{name}` also has the inactive ones."""
    values = vault_of(request).picklists.values(picklist_name)
    return envelope.success(picklistValues=values)


@router.post(
    "/{picklist_name}",
    summary="Add values to a picklist",
    openapi_extra=form_documentation(
        {"value_1": "Label of a new value; value_2 and so on for more"}
    ),
)
async def add(
    request: Request,
    caller: ExecutesMdl,
    picklist_name: str,
) -> Response:
    """Adds values; their names are derived from the labels: `North America` becomes `north_america__c`."""
    fields = await read_fields(request)
    labels = _numbered(fields)
    added = await vault_of(request).picklists.add(caller, picklist_name, labels)
    return envelope.success(
        responseMessage="Created picklist value(s).", picklistValues=added
    )


@router.put(
    "/{picklist_name}",
    summary="Change labels",
    openapi_extra=form_documentation({"{value name}": "Its new label"}),
)
async def relabel(
    request: Request,
    caller: ExecutesMdl,
    picklist_name: str,
) -> Response:
    """Changes labels: each form field has the name of a value and its new label."""
    fields = await read_fields(request)
    labels = {name: label.strip() for name, label in fields.items()}
    # Names stay: records refer to values by name.
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
    request: Request,
    caller: ExecutesMdl,
    picklist_name: str,
    value_name: str,
) -> Response:
    """Renames a value, also in the records that have it, or makes it active or inactive."""
    fields = await read_fields(request)
    name = fields.get("name", "")
    status = fields.get("status", "")
    renamed = await vault_of(request).picklists.change(
        caller, picklist_name, value_name, name, status
    )
    return envelope.success(responseMessage="Updated picklist value.", name=renamed)


@router.delete("/{picklist_name}/{value_name}", summary="Make a value inactive")
async def inactivate(
    request: Request,
    caller: SignedIn,
    picklist_name: str,
    value_name: str,
) -> Response:
    """Makes a value inactive; records keep the value."""
    # Not deleted: records may have the value.
    await vault_of(request).picklists.inactivate(caller, picklist_name, value_name)
    return envelope.success(
        responseMessage="Inactivated picklist value.", name=value_name
    )


def _numbered(fields: Mapping[str, str]) -> list[str]:
    """Return the labels in form fields `value_1`, `value_2` and so on, in the order of their numbers.

    :raises VaultFault: INVALID_DATA when the form has a field of another name; PARAMETER_REQUIRED without a label.
    """
    if not fields:
        raise missing("value_1")
    numbered: list[tuple[int, str]] = []
    for name, label in fields.items():
        match = VALUE.fullmatch(name)
        if match is None:
            message = "The call takes value_1, value_2 and so on"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        if not label.strip():
            raise missing(name)
        numbered.append((int(match[1]), label))
    # Forms are not ordered; the numbers are, and the values are added in their order.
    return [label.strip() for _, label in sorted(numbered)]
