"""Serves users: lists, creates, changes and disables them; their passwords, permissions and access tokens."""

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
from shared.vault.api.admission import CreatesToken, CreatesUsers, EditsUser, EditsUsers
from shared.vault.api.body import read_fields, read_record, read_rows, required
from shared.vault.api.body_limits import MAX_SIGN_IN_BYTES
from shared.vault.api.openapi.request_bodies import (
    RECORD_DOCUMENTATION,
    ROWS_DOCUMENTATION,
    form_documentation,
)
from shared.vault.api.paging import Offset, PageSize
from shared.vault.api.request_context import (
    PREFIX,
    PerhapsSignedIn,
    SignedIn,
    vault_of,
    wants_csv,
)
from shared.vault.api.response_envelope import results_csv
from shared.vault.api.signing_in import client_of
from shared.vault.errors import VaultFault
from shared.vault.records.rows import RowResult
from shared.vault.security.sessions import invalid_session
from shared.vault.security.user_records import OBJECT

router = APIRouter(prefix=f"{PREFIX}/objects/users", tags=["Users"])

# In a path, `me` stands for the caller.
ME = "me"
# As ids of Vaults: every one.
ALL_VAULTS = "all"
TOKENS = "api_access_token__sys"

# 18 digits always fit PostgreSQL's bigint.
UserId = Annotated[
    str, Path(pattern=r"^(me|[0-9]{1,18})$", description="The id of a user, or `me`.")
]
Membership = Annotated[bool, Query(alias="exclude_vault_membership")]
Licensing = Annotated[bool, Query(alias="exclude_app_licensing")]
PASSWORD = form_documentation(
    {
        "password__v": "The current password",
        "new_password__v": "The new one",
        "username": "The user's name, when there is no session because the password must be changed",
    }
)
MEMBERSHIP_FIELDS = {
    "active__v": "true or false",
    "security_profile__v": "Name of a security profile",
    "license_type__v": "Name of a license type",
}
MEMBERSHIP = form_documentation(MEMBERSHIP_FIELDS)
TOKEN = form_documentation(
    {"name__v": "Name of the token", "expiry_date__v": "YYYY-MM-DDTHH:MM:SSZ; optional"}
)


@router.get("", summary="All users")
async def all_users(
    request: Request,
    caller: SignedIn,
    vaults: str = "",
    limit: PageSize = 200,
    start: Offset = 0,
    sort: str = "id asc",
    without_membership: Membership = True,
    without_licensing: Licensing = True,
) -> Response:
    """Lists the users of this Vault; the list is empty when `vaults` does not name this Vault."""
    vault = vault_of(request)
    # Users of other Vaults are not known here.
    of_others = vaults != "" and not _names_vault(vaults, vault.vault_id)
    users = await vault.users.page(
        caller,
        limit,
        start,
        sort,
        membership=not without_membership,
        licensing=not without_licensing,
    )
    shown = [] if of_others else [{"user": user} for user in users]
    return envelope.success(
        size=len(shown), start=start, limit=limit, sort=sort, users=shown
    )


@router.post("", summary="Create users", openapi_extra=ROWS_DOCUMENTATION)
async def create(
    request: Request,
    caller: CreatesUsers,
    operation: str = "",
    id_param: Annotated[str, Query(alias="idParam")] = "",
) -> Response:
    """Creates one user from a form, or up to 500 from JSON or CSV; `operation=upsert` updates those who exist.

    With `upsert`, `idParam` is the field that identifies users. `password__v` sets a first password; without one, a
    user cannot sign in yet.
    """
    rows = await read_rows(request)
    users = vault_of(request).users
    if operation == "upsert":
        results = await users.upsert(caller, rows.rows, id_param)
    elif operation:
        raise VaultFault(ErrorType.INVALID_DATA, "[operation] is upsert, or left out")
    else:
        results = await users.create(caller, rows.rows)
    if rows.single:
        return _single(results[0], "User successfully created.")
    return _batch(request, results)


@router.put("", summary="Update users", openapi_extra=ROWS_DOCUMENTATION)
async def update(request: Request, caller: EditsUsers) -> Response:
    """Updates up to 500 users from JSON or CSV; rows identify them by `id`."""
    rows = await read_rows(request)
    results = await vault_of(request).users.update(caller, rows.rows)
    return _single(results[0]) if rows.single else _batch(request, results)


@router.post("/me/password", summary="Change my password", openapi_extra=PASSWORD)
async def change_password(request: Request, caller: PerhapsSignedIn) -> Response:
    """Changes the caller's password, and ends the user's other sessions and access tokens.

    A user who must change the password before signing in sends `username` instead of a session.
    """
    fields = await read_fields(request, MAX_SIGN_IN_BYTES)
    # A session decides: with one, `username` cannot name somebody else.
    username = caller.username if caller else fields.get("username", "")
    if not username:
        # The same refusal as of any call without a session.
        raise invalid_session()
    security = vault_of(request).security
    current, new = required(fields, "password__v", "new_password__v")
    client = client_of(request)
    await security.change_password(username, current, new, client, caller)
    return envelope.success()


@router.post("/{user_id}/password", include_in_schema=False)
async def change_password_by_id(
    request: Request,
    caller: SignedIn,
    user_id: UserId,
) -> Response:
    """Changes the caller's password by the caller's id, as the vendor's Java client does.

    :raises VaultFault: INSUFFICIENT_ACCESS for another user, whose password administrators set with the user.
    """
    if _id(caller, user_id) != caller.user_id:
        message = "Users change their own passwords; administrators set [password__v] of a user"
        raise VaultFault(ErrorType.INSUFFICIENT_ACCESS, message)
    return await change_password(request, caller)


@router.get("/{user_id}", summary="One user")
async def one_user(
    request: Request,
    caller: SignedIn,
    user_id: UserId,
    without_membership: Membership = True,
    without_licensing: Licensing = True,
) -> Response:
    """Returns a user; for `me`, the caller, in a delegated session with `delegate_user_id`."""
    user = await vault_of(request).users.get(
        caller,
        _id(caller, user_id),
        membership=not without_membership,
        licensing=not without_licensing,
    )
    return envelope.success(users=[{"user": user}])


@router.put("/{user_id}", summary="Update a user", openapi_extra=RECORD_DOCUMENTATION)
async def update_one(
    request: Request,
    caller: EditsUser,
    user_id: UserId,
) -> Response:
    """Changes fields of a user, from a form or a JSON object.

    All users may change their own name, address and language.
    """
    fields = await read_record(request)
    users = vault_of(request).users
    result = await users.update_one(caller, _id(caller, user_id), fields)
    return _single(result)


@router.delete("/{user_id}", summary="Disable a user")
async def disable(
    request: Request,
    caller: SignedIn,
    user_id: UserId,
) -> Response:
    """Makes the user inactive; users are never deleted."""
    row = {"id": _id(caller, user_id), "active__v": False}
    (result,) = await vault_of(request).users.update(caller, [row])
    return _single(result)


@router.put(
    "/{user_id}/vault_membership/{vault_id}",
    summary="Update a user's membership",
    openapi_extra=MEMBERSHIP,
)
async def update_membership(
    request: Request,
    caller: EditsUsers,
    user_id: UserId,
    vault_id: str,
) -> Response:
    """Changes those fields of a user's membership in this Vault that the form has."""
    vault = vault_of(request)
    if vault_id != str(vault.vault_id):
        raise VaultFault(
            ErrorType.INVALID_DATA, "The user is no member of a Vault with this id"
        )
    fields = await read_fields(request)
    # Other fields are no part of a membership, and are ignored.
    row: dict[str, object] = {
        name: fields[name] for name in MEMBERSHIP_FIELDS if name in fields
    }
    row["id"] = _id(caller, user_id)
    (result,) = await vault.users.update(caller, [row])
    return _single(result)


@router.get("/{user_id}/permissions", summary="Permissions of a user")
async def permissions(
    request: Request,
    caller: SignedIn,
    user_id: UserId,
    filter: str = "",
) -> Response:
    """Lists permissions on all objects and fields; `filter=name__v::object.{object}.object_actions` returns one."""
    vault = vault_of(request)
    holder = caller
    wanted_id = _id(caller, user_id)
    if wanted_id != caller.user_id:
        # Everyone may read their own permissions.
        require_own(caller, wanted_id, OBJECT, Operation.READ)
        holder = await vault.security.caller_of(wanted_id)
    shown = permissions_json(holder, vault.components.registry.objects.values(), filter)
    return envelope.success(data=shown)


@router.get(f"/{{user_id}}/{TOKENS}", summary="Access tokens of a user")
async def tokens(
    request: Request,
    caller: SignedIn,
    user_id: UserId,
) -> Response:
    """Lists a user's access tokens without their values."""
    access_tokens = vault_of(request).security.tokens
    listed = await access_tokens.of_user(caller, _id(caller, user_id))
    return envelope.success(data=listed)


@router.post(
    f"/{{user_id}}/{TOKENS}", summary="Generate an access token", openapi_extra=TOKEN
)
async def generate_token(
    request: Request,
    caller: CreatesToken,
    user_id: UserId,
) -> Response:
    """Makes an access token, `token__sys`, for later calls (`Authorization: Bearer …`); only this answer shows it."""
    fields = await read_fields(request)
    name = fields.get("name__v", "")
    expiry = fields.get("expiry_date__v", "")
    owner = _id(caller, user_id)
    access_tokens = vault_of(request).security.tokens
    token = await access_tokens.generate(caller, owner, name, expiry)
    return envelope.success(data=token)


@router.delete(f"/{{user_id}}/{TOKENS}/{{token_id}}", summary="Revoke an access token")
async def revoke_token(
    request: Request,
    caller: SignedIn,
    user_id: UserId,
    token_id: str,
) -> Response:
    """Revokes an access token, which cannot be used again."""
    access_tokens = vault_of(request).security.tokens
    await access_tokens.remove(caller, _id(caller, user_id), token_id)
    return envelope.success()


def _id(caller: Caller, user_id: str) -> int:
    """Return the id of the user in the path, which is a number or ``me``."""
    if user_id == ME:
        return caller.user_id
    return int(user_id)


def _single(result: RowResult, message: str = "") -> Response:
    """Return the result of a call about one user."""
    if not result.ok:
        return envelope.failures(result.errors)
    members: dict[str, object] = {"responseMessage": message} if message else {}
    return envelope.success(**members, id=int(result.id or 0))


def _batch(request: Request, results: Sequence[RowResult]) -> Response:
    """Return the results in input order, in the format that the call accepts."""
    if wants_csv(request.headers.get("accept", "")):
        return results_csv(results)
    # The documented rows have the id beside the status, as those of user actions.
    return envelope.action_batch(results)


def _names_vault(vaults: str, vault_id: int) -> bool:
    """Return whether ``vaults``, comma-separated ids of Vaults or ``all``, includes the Vault.

    :raises VaultFault: INVALID_DATA when it is neither.
    """
    named = {part.strip() for part in vaults.split(",")}
    # Clients exclude a Vault by a minus before its id.
    ids = (part.removeprefix("-") for part in named - {ALL_VAULTS})
    if not all(map(str.isdecimal, ids)):
        message = (
            f"[vaults] takes ids of Vaults, separated by commas, or [{ALL_VAULTS}]"
        )
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return not named.isdisjoint({ALL_VAULTS, str(vault_id)})
