"""Roles of users and groups on records."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.vault.api import response_envelope as envelope
from shared.vault.api.addresses import PREFIX
from shared.vault.api.body import ROWS_DOCUMENTATION, read_rows
from shared.vault.api.request_session import SignedIn, vault_of
from shared.vault.records.rows import RowResult

router = APIRouter(prefix=f"{PREFIX}/vobjects", tags=["Object records"])

MANUAL = "manual_assignment"


@router.get("/{object_name}/{record_id}/roles", summary="Roles on a record")
async def all_roles(
    request: Request, caller: SignedIn, object_name: str, record_id: str
) -> Response:
    """The roles that users or groups have been given."""
    assigned = await vault_of(request).roles.assigned(caller, object_name, record_id)
    return envelope.success(data=[_json(role, who) for role, who in assigned.items()])


@router.get(
    "/{object_name}/{record_id}/roles/{role_name}", summary="One role on a record"
)
async def one_role(
    request: Request, caller: SignedIn, object_name: str, record_id: str, role_name: str
) -> Response:
    """Empty when nobody has it."""
    assigned = await vault_of(request).roles.assigned(caller, object_name, record_id)
    return envelope.success(
        data=[_json(role, who) for role, who in assigned.items() if role == role_name]
    )


@router.post(
    "/{object_name}/roles",
    summary="Give roles on records",
    openapi_extra=ROWS_DOCUMENTATION,
)
async def assign(request: Request, caller: SignedIn, object_name: str) -> Response:
    """Rows with `id`, `{role}.users` and `{role}.groups`; those who have a role already keep it."""
    rows = await read_rows(request)
    results = await vault_of(request).roles.change(
        caller, object_name, rows.rows, remove=False
    )
    return envelope.batch(_plain(results), None)


@router.delete(
    "/{object_name}/roles",
    summary="Take roles on records away",
    openapi_extra=ROWS_DOCUMENTATION,
)
async def remove(request: Request, caller: SignedIn, object_name: str) -> Response:
    """Rows as for giving them."""
    rows = await read_rows(request)
    results = await vault_of(request).roles.change(
        caller, object_name, rows.rows, remove=True
    )
    return envelope.batch(_plain(results), None)


def _plain(results: list[RowResult]) -> list[RowResult]:
    """Rows of these calls tell the id and nothing else."""
    return [RowResult(id=result.id, errors=result.errors) for result in results]


def _json(role: str, who: dict[str, list[int] | None]) -> dict[str, object]:
    return {
        "name": role,
        "users": who["users"] or [],
        "groups": who["groups"] or [],
        "assignment_type": MANUAL,
    }
