"""Serves Admin > Users: lists users, creates and changes them, and shows what each may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import SYSTEM
from shared.vault.access.permissions import Operation, may, require, require_own
from shared.vault.admin.fault_pages import status_of
from shared.vault.admin.field_errors import at_fields
from shared.vault.admin.listing import Page
from shared.vault.admin.page_context import CurrentPage, PageContext, page_context
from shared.vault.admin.record_lists import record_list
from shared.vault.admin.record_pages import list_page, searched
from shared.vault.admin.user_forms import (
    FIRST,
    LICENSE,
    NEW_PASSWORD_INPUT,
    ORDER,
    PASSWORD_INPUT,
    PROFILE,
    changed_fields,
    editable_names,
    label_of_value,
    may_assign,
    password_inputs,
    user_inputs,
)
from shared.vault.admin.viewing import object_of
from shared.vault.errors import ApiError
from shared.vault.security.group_service import OBJECT as GROUP
from shared.vault.security.user_fields import CHANGE_PASSWORD, PASSWORD
from shared.vault.security.user_records import OBJECT

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller

router = APIRouter(prefix="/users")

COLUMNS = (
    "username__sys",
    "first_name__sys",
    "last_name__sys",
    "security_profile__sys",
    "license_type__sys",
    "status__v",
)
MODIFIED = "modified_date__v"
OVERTAKEN = ApiError(
    ErrorType.RACE_CONDITION,
    "The user was changed after you opened this form. The form shows your values; save again to store them",
)
# Shown apart from the details: what a user may do.
ACCESS = frozenset({PROFILE, LICENSE})
MISSING_PASSWORD = ApiError(ErrorType.PARAMETER_REQUIRED, "A new password is required")

ME = "me"  # in an address: the caller
# 18 digits always fit PostgreSQL's bigint.
UserId = Annotated[str, Path(pattern=r"^(me|[0-9]{1,18})$")]


def _id(context: PageContext, named: str) -> int:
    """Return the id of the user in an address: a number, or ``me`` for the caller."""
    if named == ME:
        return context.caller.user_id
    return int(named)


def _may_create(caller: Caller) -> None:
    require(caller, OBJECT, Operation.CREATE)


def _may_edit(caller: Caller) -> None:
    require(caller, OBJECT, Operation.EDIT)


Creating = Annotated[PageContext, Depends(page_context(admit=_may_create))]
Editing = Annotated[PageContext, Depends(page_context(admit=_may_edit))]


@router.get("")
async def users(context: CurrentPage, page: Page = 1) -> Response:
    """List users; the address may restrict them by status, profile, licence or a search."""
    shown = await record_list(context, object_of(context, OBJECT), usual=COLUMNS)
    return await list_page(context, shown, page, "users.html")


@router.post("")
async def search(context: CurrentPage) -> Response:
    """Redirect to the list of the users who match all words of a search."""
    object_of(context, OBJECT)
    return await searched(context)


@router.get("/new")
async def new(context: CurrentPage) -> Response:
    """Show an empty form."""
    _may_create(context.caller)
    return _form(context, None, {}, ())


@router.post("/new")
async def create(context: Creating) -> Response:
    """Create a user, or show the form again with the errors at their fields."""
    fields = context.form.fields
    names = (*ORDER, PASSWORD, CHANGE_PASSWORD)
    row = {name: fields[name] for name in names if fields.get(name)}
    # Without a password there is none to change.
    if PASSWORD not in row:
        row.pop(CHANGE_PASSWORD, None)
    refused: Sequence[ApiError] = ()

    async def carry_out() -> str | None:
        nonlocal refused
        (result,) = await context.vault.users.create(context.caller, [row])
        refused = result.errors
        return None if result.errors else f"/ui/users/{result.id}"

    path = await context.once(carry_out)
    if path is None:
        return _form(context, None, fields, refused)
    return context.go(path, "The User was created.")


@router.get("/{user_id}")
async def one_user(context: CurrentPage, user_id: UserId) -> Response:
    """Show a user: identity, sign-ins, permissions and groups."""
    known_id = _id(context, user_id)
    return await _page(context, known_id)


@router.get("/{user_id}/edit")
async def edit(context: CurrentPage, user_id: UserId) -> Response:
    """Show a user in a form."""
    known_id = _id(context, user_id)
    require_own(context.caller, known_id, OBJECT, Operation.EDIT)
    user = await context.vault.users.get(context.caller, known_id)
    return _form(context, user, user, ())


@router.post("/{user_id}/edit")
async def update(context: CurrentPage, user_id: UserId) -> Response:
    """Store the fields that were changed in the form, unless another user has changed the user since."""
    known_id = _id(context, user_id)
    require_own(context.caller, known_id, OBJECT, Operation.EDIT)
    user = await context.vault.users.get(context.caller, known_id)
    sent = context.form.fields
    seen = str(user[MODIFIED])
    if sent.get("read", seen) != seen:
        return _form(context, user, {**user, **sent}, (OVERTAKEN,))
    shown = user_inputs(context, editable_names(context), user)
    fields = changed_fields(shown, sent)
    path = f"/ui/users/{known_id}"
    if not fields:
        return context.go(path, "Nothing was changed.")
    result = await context.vault.users.update_one(
        context.caller, known_id, fields, seen
    )
    if result.overtaken:
        user = await context.vault.users.get(context.caller, known_id)
        return _form(context, user, {**user, **sent}, (OVERTAKEN,))
    if result.errors:
        return _form(context, user, {**user, **sent}, result.errors)
    return context.go_with(path, result, "The User was saved.")


@router.post("/{user_id}/status")
async def switch(context: Editing, user_id: UserId) -> Response:
    """Deactivate a user, which ends their sessions, or activate them again."""
    known_id = _id(context, user_id)
    active = context.form.fields.get("active") == "true"
    row = {"id": known_id, "active__v": active}
    (result,) = await context.vault.users.update(context.caller, [row])
    done = "The user is active." if active else "The user is inactive."
    return context.go_with(f"/ui/users/{known_id}", result, done)


@router.post("/{user_id}/password")
async def reset_password(context: Editing, user_id: UserId) -> Response:
    """Set a user's password, which ends their sessions and access tokens."""
    known_id = _id(context, user_id)
    sent = context.form.fields
    if not sent.get(PASSWORD):
        return await _page(context, known_id, (MISSING_PASSWORD,))
    names = (PASSWORD, CHANGE_PASSWORD)
    row = {"id": known_id, **{name: sent[name] for name in names if sent.get(name)}}
    (result,) = await context.vault.users.update(context.caller, [row])
    if result.errors:
        return await _page(context, known_id, result.errors)
    return context.go(f"/ui/users/{known_id}", "The password was set.")


async def _page(
    context: PageContext, user_id: int, errors: Sequence[ApiError] = ()
) -> Response:
    """Show a user; with errors, as the answer to a password that was refused."""
    user = await context.vault.users.get(context.caller, user_id)
    shown = user_inputs(context, ORDER, user)
    own = user_id == context.caller.user_id
    administers = _may_administer(context, user, own=own)
    in_person = context.caller.delegate_user_id is None
    return context.page(
        "user.html",
        status_of(errors[0]) if errors else 200,
        user=user,
        own=own,
        details=[each for each in shown if each.value and each.name not in ACCESS],
        labels={each.name: label_of_value(each) for each in shown},
        groups=await _groups_of(context, user),
        edits=administers or (own and in_person),
        administers=administers and not own,
        new_password=password_inputs(NEW_PASSWORD_INPUT, errors),
        refused=bool(errors),
    )


async def _groups_of(
    context: PageContext, user: Mapping[str, Any]
) -> list[dict[str, object]]:
    """Return the groups of a user; none for callers who may not see groups."""
    if not may(context.caller, GROUP, Operation.READ):
        return []
    every = await context.vault.groups.all(context.caller)
    return [each for each in every if each["id"] in user["group_id__v"]]


def _may_administer(
    context: PageContext, user: Mapping[str, Any], *, own: bool
) -> bool:
    """Return whether the caller may change all fields and the password of a user."""
    if user["id"] == SYSTEM.user_id or not may(context.caller, OBJECT, Operation.EDIT):
        return False
    return own or may_assign(context, str(user[PROFILE]))


def _form(
    context: PageContext,
    user: Mapping[str, Any] | None,
    values: Mapping[str, Any],
    errors: Sequence[ApiError],
) -> Response:
    """Show the form of a user, or of a new user (None), with these values and errors; passwords are never filled in."""
    names = editable_names(context) if user else ORDER
    return context.page(
        "user_edit.html",
        status_of(errors[0]) if errors else 200,
        user=user,
        inputs=at_fields(user_inputs(context, names, values), errors),
        first=FIRST,
        sign_in=() if user else password_inputs(PASSWORD_INPUT, errors),
        errors=errors,
    )
