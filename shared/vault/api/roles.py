"""Serves the roles of users and groups on records."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import EditsRecords
from shared.vault.api.body import read_rows
from shared.vault.api.openapi.request_bodies import ROWS_DOCUMENTATION
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of
from shared.vault.records.rows import RowResult

router = APIRouter(prefix=f"{PREFIX}/vobjects", tags=["Object records"])

# The one of the documented kinds of assignment that this Vault has.
MANUAL = "manual_assignment"


@router.get("/{object_name}/{record_id}/roles", summary="Roles on a record")
async def all_roles(
    request: Request,
    caller: SignedIn,
    object_name: str,
    record_id: str,
) -> Response:
    """Lists the roles on a record with their users and groups."""
    assigned = await vault_of(request).roles.assigned(caller, object_name, record_id)
    listed = [_json(role, members) for role, members in assigned.items()]
    return envelope.success(data=listed)


@router.get(
    "/{object_name}/{record_id}/roles/{role_name}", summary="One role on a record"
)
async def one_role(
    request: Request,
    caller: SignedIn,
    object_name: str,
    record_id: str,
    role_name: str,
) -> Response:
    """Returns the users and groups that have the role; an empty list when it is not assigned."""
    assigned = await vault_of(request).roles.assigned(caller, object_name, record_id)
    members = assigned.get(role_name)
    # Not an error: whether the role exists is not the question of the call.
    listed = [] if members is None else [_json(role_name, members)]
    return envelope.success(data=listed)


@router.post(
    "/{object_name}/roles",
    summary="Assign roles on records",
    openapi_extra=ROWS_DOCUMENTATION,
)
async def assign(
    request: Request,
    caller: EditsRecords,
    object_name: str,
) -> Response:
    """Assigns roles: rows have `id`, `{role}.users` and `{role}.groups`; present holders keep their roles."""
    rows = await read_rows(request)
    results = await vault_of(request).roles.change(
        caller, object_name, rows.rows, remove=False
    )
    return envelope.batch(_plain(results), None)


@router.delete(
    "/{object_name}/roles",
    summary="Remove roles on records",
    openapi_extra=ROWS_DOCUMENTATION,
)
async def remove(
    request: Request,
    caller: EditsRecords,
    object_name: str,
) -> Response:
    """Removes roles: rows have `id`, `{role}.users` and `{role}.groups`."""
    rows = await read_rows(request)
    results = await vault_of(request).roles.change(
        caller, object_name, rows.rows, remove=True
    )
    return envelope.batch(_plain(results), None)


def _plain(results: list[RowResult]) -> list[RowResult]:
    """Return the results with ids and errors only, which are all that the answers of these calls contain."""
    return [RowResult(id=result.id, errors=result.errors) for result in results]


def _json(role: str, members: dict[str, list[int] | None]) -> dict[str, object]:
    """Return a role with its users and groups."""
    return {
        "name": role,
        "users": members["users"] or [],
        "groups": members["groups"] or [],
        # What the Vault assigns by a rule is changed by callers like what they have assigned.
        "assignment_type": MANUAL,
    }
