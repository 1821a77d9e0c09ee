"""Serves role rules, which assign roles of new records and documents to users and groups."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import ChangesLifecycles
from shared.vault.api.body import read_rows
from shared.vault.api.openapi.request_bodies import ROWS_DOCUMENTATION
from shared.vault.api.request_context import PREFIX, vault_of
from shared.vault.errors import ApiError

PATH = f"{PREFIX}/configuration/role_assignment_rule"
router = APIRouter(tags=["Components"])

Lifecycle = Annotated[
    str | None,
    Query(alias="lifecycle__v", max_length=200, description="Name of a lifecycle."),
]
Role = Annotated[
    str | None, Query(alias="role__v", max_length=200, description="Name of a role.")
]
OWN = frozenset(("lifecycle__v", "role__v", "client_id"))


@router.get(PATH, summary="Role assignment rules")
async def listed(
    request: Request,
    caller: ChangesLifecycles,
    lifecycle: Lifecycle = None,
    role: Role = None,
) -> Response:
    """Lists the defaults of roles and their overrides; the parameters restrict the list to a lifecycle or role.

    Conditions (`product__v={id}` or `product__v.name__v={name}`) restrict it to overrides with the same conditions.
    """
    rules = await vault_of(request).role_rules.listed(
        caller, lifecycle, role, _conditions(request)
    )
    return envelope.success(data=rules)


@router.post(PATH, summary="Create overrides", openapi_extra=ROWS_DOCUMENTATION)
async def create(request: Request, caller: ChangesLifecycles) -> Response:
    """Creates overrides: rows have `lifecycle__v`, `role__v`, conditions, and the users and groups for the role.

    `allowed_users__v` and `allowed_default_users__v` contain names of users, `allowed_groups__v` and
    `allowed_default_groups__v` names of groups; the default ones get the role of new records and documents.
    """
    return await _stored(request, caller, create=True)


@router.put(
    PATH, summary="Update defaults and overrides", openapi_extra=ROWS_DOCUMENTATION
)
async def update(request: Request, caller: ChangesLifecycles) -> Response:
    """Changes, for each row, the override with the row's conditions; for a row without any, the default of the role."""
    return await _stored(request, caller, create=False)


@router.delete(PATH, summary="Delete overrides")
async def delete(
    request: Request,
    caller: ChangesLifecycles,
    lifecycle: Lifecycle = None,
    role: Role = None,
) -> Response:
    """Deletes the overrides of a role in a lifecycle; with conditions in the call, only those that have them."""
    named = {"lifecycle__v": lifecycle, "role__v": role, **_conditions(request)}
    deleted = await vault_of(request).role_rules.delete(caller, named)
    return envelope.success(data={"rules_deleted": deleted})


async def _stored(
    request: Request, caller: ChangesLifecycles, *, create: bool
) -> Response:
    sent = await read_rows(request)
    results = await vault_of(request).role_rules.store(caller, sent.rows, create=create)
    return envelope.success(data=[_result(each) for each in results])


def _conditions(request: Request) -> dict[str, object]:
    """Return the query parameters that are conditions."""
    return {
        name: value for name, value in request.query_params.items() if name not in OWN
    }


def _result(errors: list[ApiError]) -> dict[str, object]:
    if errors:
        return {"responseStatus": "FAILURE", "errors": envelope.errors_json(errors)}
    return {"responseStatus": "SUCCESS"}
