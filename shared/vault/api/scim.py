"""Serves SCIM 2.0: users in the format of RFC 7644, and their profiles, policies and licenses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import Caller
from shared.vault.access.permissions import Operation, require
from shared.vault.api.admission import CreatesUsers, EditsSelf, EditsUser
from shared.vault.api.body import read_body
from shared.vault.api.json_rows import parse_json_object
from shared.vault.api.openapi.request_bodies import ANY_FIELDS, JSON, Body, body_of
from shared.vault.api.own_address import origin
from shared.vault.api.request_context import (
    PREFIX,
    SignedIn,
    base_path,
    vault_of,
)
from shared.vault.api.scim_answers import (
    CREATED,
    ScimRoute,
    answer,
    one_resource_answer,
    resource_list,
)
from shared.vault.api.scim_schemas import (
    ENDPOINTS,
    MAX_RESULTS,
    TYPES,
    Json,
    provider,
    resource_type,
    schema_of,
    schemas,
)
from shared.vault.api.scim_users import chosen_attributes, user_fields, user_resource
from shared.vault.errors import VaultFault
from shared.vault.records.rows import RowResult
from shared.vault.security.user_directory import UserFilter
from shared.vault.security.user_fields import LICENSE, PROFILE, SECURITY_POLICY
from shared.vault.security.user_records import OBJECT

MAX_RESOURCE_BYTES = 2**16
EQUALS = " eq "
QUOTE = '"'


RESOURCE: Body = body_of({JSON: ANY_FIELDS})


router = APIRouter(prefix=f"{PREFIX}/scim/v2", tags=["SCIM"], route_class=ScimRoute)

UserId = Annotated[int, Path(ge=1, lt=10**18)]
Names = Annotated[str | None, Query(description="Attributes, separated by commas.")]


@dataclass(frozen=True, slots=True)
class Shown:
    """The attributes that a call requests, and those that it excludes."""

    attributes: str | None
    excluded: str | None

    def of(self, resource: Json) -> Json:
        """Return a resource with the requested attributes only."""
        return chosen_attributes(resource, self.attributes, self.excluded)


def _shown(
    attributes: Names = None,
    excluded: Annotated[
        str | None,
        Query(
            alias="excludedAttributes",
            description="Attributes to leave out, separated by commas.",
        ),
    ] = None,
) -> Shown:
    """Return the attributes that a call requests and excludes."""
    return Shown(attributes, excluded)


def _page(
    count: Annotated[
        int, Query(lt=2**31, description="Results of a page.")
    ] = MAX_RESULTS,
    start_index: Annotated[
        int,
        Query(alias="startIndex", lt=2**31, description="The first result, from 1 on."),
    ] = 1,
) -> tuple[int, int]:
    """Return the page's size and the position of its first result.

    A value below the smallest allowed one is replaced by that one.
    """
    return max(0, min(count, MAX_RESULTS)), max(1, start_index)


Chosen = Annotated[Shown, Depends(_shown)]
Page = Annotated[tuple[int, int], Depends(_page)]
Filter = Annotated[
    str | None, Query(alias="filter", description='`userName eq "ann@example.com"`')
]


@router.get("/ServiceProviderConfig", summary="Supported features of SCIM")
async def service_provider(request: Request, caller: SignedIn) -> Response:
    """Returns the supported features of SCIM."""
    del caller  # every signed-in user may call it
    return answer(request, _with_meta(request, provider(), "ServiceProviderConfig"))


@router.get("/Schemas", summary="SCIM schemas")
async def all_schemas(request: Request, caller: SignedIn) -> Response:
    """Lists the schemas of all resources."""
    del caller  # every signed-in user may call it
    return answer(request, resource_list([*schemas().values()]))


@router.get("/Schemas/{schema_id}", summary="One SCIM schema")
async def one_schema(request: Request, caller: SignedIn, schema_id: str) -> Response:
    """Returns a schema."""
    del caller  # every signed-in user may call it
    found = schemas().get(schema_id)
    return one_resource_answer(request, found, schema_id)


@router.get("/ResourceTypes", summary="SCIM resource types")
async def resource_types(request: Request, caller: SignedIn) -> Response:
    """Lists the types of resources with their endpoints and schemas."""
    del caller  # every signed-in user may call it
    return answer(request, resource_list([_type(request, kind) for kind in TYPES]))


@router.get("/ResourceTypes/{kind}", summary="One SCIM resource type")
async def one_resource_type(request: Request, caller: SignedIn, kind: str) -> Response:
    """Returns a type of resources."""
    del caller  # every signed-in user may call it
    found = _type(request, kind) if kind in TYPES else None
    return one_resource_answer(request, found, kind)


@router.get("/Users", summary="Users by SCIM")
async def users(
    request: Request,
    caller: SignedIn,
    shown: Chosen,
    page: Page,
    filter_text: Filter = None,
    sort_by: Annotated[
        str, Query(alias="sortBy", description="The attribute to sort by.")
    ] = "id",
    sort_order: Annotated[
        str, Query(alias="sortOrder", description="`ascending` or `descending`.")
    ] = "ascending",
) -> Response:
    """Lists users, in pages: `filter` is one attribute, `eq` and a value in double quotes."""
    attribute, value = _filter(filter_text)
    count, first = page
    orders = {"ascending": False, "descending": True}
    if sort_order.lower() not in orders:
        raise _invalid("sortOrder")
    wanted = UserFilter(
        attribute,
        value,
        sort_by,
        orders[sort_order.lower()],
        count,
        first - 1,
    )
    found = await vault_of(request).user_directory.find(caller, wanted)
    root = _root(request)
    resources = [shown.of(user_resource(user, root)) for user in found.users]
    return answer(request, resource_list(resources, found.total, first))


@router.post("/Users", summary="Create a user by SCIM", openapi_extra=RESOURCE)
async def create(request: Request, caller: CreatesUsers) -> Response:
    """Creates a user, without a password; attributes that are not writable are ignored."""
    fields = user_fields(await _resource(request))
    (result,) = await vault_of(request).users.create(caller, [fields])
    user_id = int(_written(result))
    return await _user(request, caller, user_id, Shown(None, None), CREATED)


@router.get("/Users/{user_id}", summary="One user by SCIM")
async def one_user(
    request: Request, caller: SignedIn, user_id: UserId, shown: Chosen
) -> Response:
    """Returns a user."""
    return await _user(request, caller, user_id, shown)


@router.put(
    "/Users/{user_id}",
    summary="Update a user by SCIM",
    openapi_extra=RESOURCE,
)
async def update(
    request: Request, caller: EditsUser, user_id: UserId, shown: Chosen
) -> Response:
    """Changes the attributes that are sent; null empties an attribute."""
    return await _update(request, caller, user_id, shown)


@router.get("/Me", summary="The caller by SCIM")
async def me(request: Request, caller: SignedIn, shown: Chosen) -> Response:
    """Returns the caller."""
    return await _user(request, caller, caller.user_id, shown)


@router.put("/Me", summary="Update the caller by SCIM", openapi_extra=RESOURCE)
async def update_me(request: Request, caller: EditsSelf, shown: Chosen) -> Response:
    """Changes attributes of the caller, who may change their own name, address, language and zone."""
    return await _update(request, caller, caller.user_id, shown)


# After the others, whose names would be taken for types.
@router.get("/{endpoint}", summary="SCIM resources")
async def resources(
    request: Request, caller: SignedIn, endpoint: str, shown: Chosen, page: Page
) -> Response:
    """Lists security profiles, security policies or license types."""
    found = _resources(request, caller, endpoint)
    count, first = page
    listed = [shown.of(each) for each in found.values()]
    some = listed[first - 1 : first - 1 + count]
    return answer(request, resource_list(some, len(listed), first))


@router.get("/{endpoint}/{resource_id}", summary="One SCIM resource")
async def one_resource(
    request: Request,
    caller: SignedIn,
    endpoint: str,
    resource_id: str,
    shown: Chosen,
) -> Response:
    """Returns a security profile, a security policy or a license type."""
    found = _resources(request, caller, endpoint).get(resource_id)
    return one_resource_answer(
        request, None if found is None else shown.of(found), resource_id
    )


async def _user(
    request: Request, caller: Caller, user_id: int, shown: Shown, status: int = 200
) -> Response:
    user = await vault_of(request).users.get(caller, user_id)
    resource = user_resource(user, _root(request))
    return answer(request, shown.of(resource), status)


async def _update(
    request: Request, caller: Caller, user_id: int, shown: Shown
) -> Response:
    fields = user_fields(await _resource(request))
    service = vault_of(request).users
    # Before the update, which says no more of an unknown user than that the row is wrong.
    await service.get(caller, user_id)
    if fields:
        _written(await service.update_one(caller, user_id, fields))
    return await _user(request, caller, user_id, shown)


async def _resource(request: Request) -> dict[str, object]:
    """Return the resource that a call sends.

    :raises VaultFault: INVALID_DATA when it is not a JSON object, EXCEEDS_FILE_MAX_SIZE when it is too large.
    """
    body = await read_body(request, MAX_RESOURCE_BYTES)
    return parse_json_object(body, MAX_RESOURCE_BYTES)


def _written(result: RowResult) -> str:
    """Return the id of a user that was written.

    :raises VaultFault: the first error of the row, when the user was not written.
    """
    for error in result.errors:
        raise VaultFault(error.type, error.message)
    return str(result.id)


def _resources(request: Request, caller: Caller, endpoint: str) -> dict[str, Json]:
    """Return the resources of an endpoint other than users, by id.

    :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not read users; MALFORMED_URL when there is no such
        endpoint.
    """
    require(caller, OBJECT, Operation.READ)
    kinds = {path: kind for kind, path in ENDPOINTS.items()}
    kind = kinds.get(endpoint)
    picklists = vault_of(request).components.registry.picklists
    match kind:
        case "SecurityProfile":
            entries = picklists[PROFILE].entries.values()
            labels = {each.name: (each.label, each.active) for each in entries}
        case "LicenseType":
            entries = picklists[LICENSE].entries.values()
            labels = {each.name: (each.label, each.active) for each in entries}
        case "SecurityPolicy":
            labels = {str(SECURITY_POLICY): ("Default", True)}
        case _:
            message = f"There is no resource [{endpoint[:100]}]"
            raise VaultFault(ErrorType.MALFORMED_URL, message)
    found: dict[str, Json] = {}
    for name, (label, active) in labels.items():
        location = f"{_root(request)}/{endpoint}/{name}"
        found[name] = {
            "schemas": [schema_of(kind)],
            "id": name,
            "meta": {"resourceType": kind, "location": location},
            "active": active,
            "displayName": label,
        }
    return found


def _type(request: Request, kind: str) -> Json:
    location = f"{_root(request)}/ResourceTypes/{kind}"
    meta = {"resourceType": "ResourceType", "location": location}
    return {**resource_type(kind), "meta": meta}


def _filter(text: str | None) -> tuple[str | None, str]:
    """Return attribute and value of a filter; the attribute is None without a filter.

    :raises VaultFault: INVALID_DATA when it is not of the form ``{attribute} eq "{value}"``.
    """
    if not text:
        return None, ""
    attribute, operator, value = text.strip().partition(EQUALS)
    value = value.strip()
    quoted = len(value) > 1 and value.startswith(QUOTE) and value.endswith(QUOTE)
    if not operator or not quoted:
        raise _invalid("filter")
    return attribute.strip(), value[1:-1].replace('\\"', QUOTE)


def _invalid(name: str) -> VaultFault:
    return VaultFault(ErrorType.INVALID_DATA, f"Invalid value for parameter [{name}]")


def _root(request: Request) -> str:
    """Return the address of the SCIM calls, as the client reached it."""
    return f"{origin(request)}{base_path(request)}/scim/v2"


def _with_meta(request: Request, resource: Json, kind: str) -> Json:
    location = f"{_root(request)}/{kind}"
    return {**resource, "meta": {"resourceType": kind, "location": location}}
