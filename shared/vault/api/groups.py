"""Serves groups of users, and the metadata of users and groups."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from shared.vault.access.permissions import Operation, require
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import CreatesGroups, EditsGroups
from shared.vault.api.body import read_fields
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.paging import Offset, PageSize
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of
from shared.vault.api.user_metadata import GROUP_PROPERTIES, user_properties
from shared.vault.components.platform import SECURITY_PROFILES
from shared.vault.security.user_records import OBJECT

router = APIRouter(tags=["Users"])

GROUPS = f"{PREFIX}/objects/groups"
# Ids of groups are PostgreSQL's bigint.
GroupId = Annotated[int, Path(ge=0, lt=2**63)]
Implied = Annotated[
    bool,
    Query(
        alias="includeImplied",
        description="`true` lists implied members, too: those of the group's profiles.",
    ),
]
GROUP = form_documentation(
    {
        "label__v": "Label, from which the group's name is made",
        "members__v": "Ids of users, which replace the members; `add (…)` or `delete (…)` changes some of them",
        "security_profiles__v": "Security profiles whose users are implied members",
        "active__v": "true or false",
        "group_description__v": "Description",
        "allow_delegation_among_members__v": "Whether members may delegate their access to other members only",
    }
)


@router.get(GROUPS, summary="All groups")
async def all_groups(
    request: Request,
    caller: SignedIn,
    implied: Implied = False,
) -> Response:
    """Lists all groups with their members."""
    groups = await vault_of(request).groups.all(caller, implied=implied)
    # Each in an object of its own, as the documented list has it.
    return envelope.success(groups=[{"group": group} for group in groups])


@router.get(f"{GROUPS}/auto", summary="Auto managed groups")
async def auto_groups(
    request: Request,
    caller: SignedIn,
    limit: PageSize = 1000,
    offset: Offset = 0,
) -> Response:
    """Returns an empty list: this Vault has no automatically managed groups for documents."""
    # Asked for, so that who may not see groups is refused here as well.
    await vault_of(request).groups.all(caller)
    details = {"limit": limit, "offset": offset, "size": 0, "total": 0}
    return envelope.success(responseDetails=details, data=[])


@router.get(f"{GROUPS}/{{group_id}}", summary="One group")
async def one_group(
    request: Request,
    caller: SignedIn,
    group_id: GroupId,
    implied: Implied = False,
) -> Response:
    """Returns a group with its members."""
    group = await vault_of(request).groups.get(caller, group_id, implied=implied)
    return envelope.success(groups=[{"group": group}])


@router.post(GROUPS, summary="Create a group", openapi_extra=GROUP)
async def create(request: Request, caller: CreatesGroups) -> Response:
    """Creates a group; ids of groups may exceed 32 bits."""
    fields = await read_fields(request)
    group_id = await vault_of(request).groups.create(caller, fields)
    return envelope.success(responseMessage="Group successfully created.", id=group_id)


@router.put(f"{GROUPS}/{{group_id}}", summary="Update a group", openapi_extra=GROUP)
async def update(
    request: Request,
    caller: EditsGroups,
    group_id: GroupId,
) -> Response:
    """Changes the fields that the form has."""
    fields = await read_fields(request)
    await vault_of(request).groups.update(caller, group_id, fields)
    return envelope.success(responseMessage="Group successfully updated.", id=group_id)


@router.delete(f"{GROUPS}/{{group_id}}", summary="Delete a group")
async def delete(
    request: Request,
    caller: SignedIn,
    group_id: GroupId,
) -> Response:
    """Deletes a group, unless it is a system group."""
    await vault_of(request).groups.delete(caller, group_id)
    return envelope.success(responseMessage="Group successfully deleted.", id=group_id)


@router.get(f"{PREFIX}/metadata/objects/users", summary="Fields of users")
async def user_metadata(request: Request, caller: SignedIn) -> Response:
    """Describes the fields of `POST` and `PUT /objects/users`."""
    require(caller, OBJECT, Operation.READ)
    registry = vault_of(request).components.registry
    profiles = registry.picklists[SECURITY_PROFILES.name]
    return envelope.success(properties=user_properties(profiles))


@router.get(f"{PREFIX}/metadata/objects/groups", summary="Fields of groups")
async def group_metadata(caller: SignedIn) -> Response:
    """Describes the fields of `POST` and `PUT /objects/groups`."""
    require(caller, OBJECT, Operation.READ)
    return envelope.success(properties=GROUP_PROPERTIES)
