"""Users: who the caller is, users listed, created, changed and made inactive; passwords, permissions, tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import Caller
from shared.vault.access.permissions import Operation, require_own
from shared.vault.access.profiles import permissions_json
from shared.vault.api import response_envelope as envelope
from shared.vault.api.addresses import PREFIX
from shared.vault.api.body import (
    RECORD_DOCUMENTATION,
    ROWS_DOCUMENTATION,
    form_documentation,
    read_fields,
    read_record,
    read_rows,
)
from shared.vault.api.csv_rows import results_csv
from shared.vault.api.records import wants_csv
from shared.vault.api.request_session import PerhapsSignedIn, SignedIn, vault_of
from shared.vault.errors import VaultFault
from shared.vault.records.rows import RowResult
from shared.vault.security.sessions import invalid_session
from shared.vault.security.user_records import OBJECT

router = APIRouter(prefix=f"{PREFIX}/objects/users", tags=["Users"])

ME = "me"
MAX_LIMIT = 1000
TOKENS = "api_access_token__sys"

UserId = Annotated[
    str, Path(pattern=r"^(me|[0-9]{1,18})$", description="The id of a user, or `me`.")
]
Membership = Annotated[bool, Query(alias="exclude_vault_membership")]
Licensing = Annotated[bool, Query(alias="exclude_app_licensing")]
PASSWORD = form_documentation(
    {
        "password__v": "The current password",
        "new_password__v": "The new one",
        "username": "Who changes it, when there is no session because it must be changed",
    }
)
MEMBERSHIP = form_documentation(
    {
        "active__v": "true or false",
        "security_profile__v": "Name of a security profile",
        "license_type__v": "Name of a license type",
    }
)
TOKEN = form_documentation(
    {"name__v": "Name of the token", "expiry_date__v": "YYYY-MM-DDTHH:MM:SSZ; optional"}
)


@router.get("", summary="All users")
async def all_users(
    request: Request,
    caller: SignedIn,
    vaults: str = "",
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 200,
    start: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    sort: str = "id asc",
    without_membership: Membership = True,
    without_licensing: Licensing = True,
) -> Response:
    """Users of this Vault; `vaults` may name it, or be `all`. Users of other Vaults are theirs to tell."""
    vault = vault_of(request)
    users = await vault.users.page(
        caller,
        limit,
        start,
        sort,
        membership=not without_membership,
        licensing=not without_licensing,
    )
    if vaults and not {"all", str(vault.vault_id)} & {
        part.strip() for part in vaults.split(",")
    }:
        users = []
    shown = [{"user": user} for user in users]
    return envelope.success(
        size=len(shown), start=start, limit=limit, sort=sort, users=shown
    )


@router.post("", summary="Create users", openapi_extra=ROWS_DOCUMENTATION)
async def create(
    request: Request,
    caller: SignedIn,
    operation: str = "",
    id_param: Annotated[str, Query(alias="idParam")] = "",
) -> Response:
    """One user as a form, or up to 500 as JSON or CSV; `operation=upsert` with `idParam` changes those who exist.

    Beside the documented fields, `password__v` sets a first password; without one a user cannot sign in yet.
    """
    rows, users = await read_rows(request), vault_of(request).users
    if operation == "upsert":
        results = await users.upsert(caller, rows.rows, id_param)
    elif operation:
        raise VaultFault(ErrorType.INVALID_DATA, "[operation] is upsert, or left out")
    else:
        results = await users.create(caller, rows.rows)
    return (
        _single(results[0], "User successfully created.")
        if rows.single
        else _batch(request, results)
    )


@router.put("", summary="Update users", openapi_extra=ROWS_DOCUMENTATION)
async def update(request: Request, caller: SignedIn) -> Response:
    """Up to 500 users as JSON or CSV, each named by `id`."""
    rows = await read_rows(request)
    results = await vault_of(request).users.update(caller, rows.rows)
    return _single(results[0]) if rows.single else _batch(request, results)


@router.post("/me/password", summary="Change my password", openapi_extra=PASSWORD)
async def change_password(request: Request, caller: PerhapsSignedIn) -> Response:
    """The user's other sessions end. Who must change it before signing in sends `username` instead of a session."""
    fields = await read_fields(request)
    username = caller.username if caller else fields.get("username", "")
    if not username:
        raise invalid_session()
    security = vault_of(request).security
    for name in ("password__v", "new_password__v"):
        if not fields.get(name):
            raise VaultFault(
                ErrorType.PARAMETER_REQUIRED, f"Missing required parameter [{name}]"
            )
    await security.change_password(
        username, fields["password__v"], fields["new_password__v"], caller
    )
    return envelope.success()


@router.get("/{user_id}", summary="One user")
async def one_user(
    request: Request,
    caller: SignedIn,
    user_id: UserId,
    without_membership: Membership = True,
    without_licensing: Licensing = True,
) -> Response:
    """The user; `me` is the caller, with `delegate_user_id` in a delegated session."""
    user = await vault_of(request).users.get(
        caller,
        _id(caller, user_id),
        membership=not without_membership,
        licensing=not without_licensing,
    )
    return envelope.success(users=[{"user": user}])


@router.put("/{user_id}", summary="Update a user", openapi_extra=RECORD_DOCUMENTATION)
async def update_one(request: Request, caller: SignedIn, user_id: UserId) -> Response:
    """Fields to change, as a form or a JSON object; everyone may change name, address and language of themselves."""
    fields = await read_record(request)
    return _single(
        await vault_of(request).users.update_one(caller, _id(caller, user_id), fields)
    )


@router.delete("/{user_id}", summary="Disable a user")
async def disable(request: Request, caller: SignedIn, user_id: UserId) -> Response:
    """Makes the user inactive; users are never deleted."""
    (result,) = await vault_of(request).users.update(
        caller, [{"id": _id(caller, user_id), "active__v": False}]
    )
    return _single(result)


@router.put(
    "/{user_id}/vault_membership/{vault_id}",
    summary="Update a user's membership",
    openapi_extra=MEMBERSHIP,
)
async def update_membership(
    request: Request, caller: SignedIn, user_id: UserId, vault_id: str
) -> Response:
    """Form fields `active__v`, `security_profile__v`, `license_type__v`."""
    vault = vault_of(request)
    if vault_id != str(vault.vault_id):
        raise VaultFault(
            ErrorType.INVALID_DATA, "The user is no member of a Vault with this id"
        )
    names = ("active__v", "security_profile__v", "license_type__v")
    fields = {
        name: value
        for name, value in (await read_fields(request)).items()
        if name in names
    }
    (result,) = await vault.users.update(
        caller, [{**fields, "id": _id(caller, user_id)}]
    )
    return _single(result)


@router.get("/{user_id}/permissions", summary="Permissions of a user")
async def permissions(
    request: Request, caller: SignedIn, user_id: UserId, filter: str = ""
) -> Response:
    """On every object and field; `filter=name__v::object.{object}.object_actions` asks for one."""
    vault, holder = vault_of(request), caller
    asked = _id(caller, user_id)
    if asked != caller.user_id:
        require_own(caller, asked, OBJECT, Operation.READ)
        holder = await vault.security.caller_of(asked)
    shown = permissions_json(
        holder.profile, vault.components.registry.objects.values(), filter
    )
    return envelope.success(data=shown)


@router.get(f"/{{user_id}}/{TOKENS}", summary="Access tokens of a user")
async def tokens(request: Request, caller: SignedIn, user_id: UserId) -> Response:
    """The tokens without their values."""
    return envelope.success(
        data=await vault_of(request).security.tokens.of_user(
            caller, _id(caller, user_id)
        )
    )


@router.post(
    f"/{{user_id}}/{TOKENS}", summary="Generate an access token", openapi_extra=TOKEN
)
async def generate_token(
    request: Request, caller: SignedIn, user_id: UserId
) -> Response:
    """`token__sys` is sent as `Authorization: Bearer …` with later calls; it is shown this once only."""
    fields = await read_fields(request)
    name, expiry = fields.get("name__v", ""), fields.get("expiry_date__v", "")
    token = await vault_of(request).security.tokens.generate(
        caller, _id(caller, user_id), name, expiry
    )
    return envelope.success(data=token)


@router.delete(f"/{{user_id}}/{TOKENS}/{{token_id}}", summary="Revoke an access token")
async def revoke_token(
    request: Request, caller: SignedIn, user_id: UserId, token_id: str
) -> Response:
    """The token cannot be used again."""
    await vault_of(request).security.tokens.remove(
        caller, _id(caller, user_id), token_id
    )
    return envelope.success()


def _id(caller: Caller, user_id: str) -> int:
    return caller.user_id if user_id == ME else int(user_id)


def _single(result: RowResult, message: str = "") -> Response:
    """The outcome of a call about one user."""
    if not result.ok:
        return envelope.failures(result.errors)
    members: dict[str, object] = {"responseMessage": message} if message else {}
    return envelope.success(**members, id=int(result.id or 0))


def _batch(request: Request, results: Sequence[RowResult]) -> Response:
    """The outcomes in input order, the id beside the status of each."""
    if wants_csv(request.headers.get("accept", "")):
        return results_csv(results)
    return envelope.action_batch(results)
