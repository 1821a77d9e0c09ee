"""Serves Admin > Groups: lists groups, creates and changes them, and adds and removes their members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, may, require
from shared.vault.admin.fault_pages import status_of
from shared.vault.admin.field_errors import at_fields
from shared.vault.admin.inputs import YES_OR_NO, Input, InputKind, entered, inputs
from shared.vault.admin.named_records import with_ids
from shared.vault.admin.page_context import CurrentPage, PageContext, page_context
from shared.vault.components.platform import SECURITY_PROFILES
from shared.vault.errors import ApiError, VaultFault
from shared.vault.model.component_model import Field, FieldType
from shared.vault.security.group_service import (
    FLAGS,
    LENGTHS,
    MEMBERS_FIELD,
    OBJECT,
    PROFILES_FIELD,
)
from shared.vault.security.user_records import OBJECT as USER

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller

router = APIRouter(prefix="/groups")

LABELS = {
    "label__v": "Label",
    "group_description__v": "Description",
    "active__v": "Active",
    "allow_delegation_among_members__v": "Members delegate to members only",
}
NEW = {"active__v": True, "allow_delegation_among_members__v": False}
MEMBER = Field("member", "User", FieldType.OBJECT, object=USER)
MISSING_MEMBER = ApiError(ErrorType.PARAMETER_REQUIRED, "[member] is required")

OVERTAKEN = ApiError(
    ErrorType.RACE_CONDITION,
    "The group was changed after you opened this form. The form shows your values; save again to store them",
)

# Ids of groups are PostgreSQL's bigint.
GroupId = Annotated[int, Path(ge=0, lt=2**63)]


def _may_create(caller: Caller) -> None:
    require(caller, OBJECT, Operation.CREATE)


def _may_edit(caller: Caller) -> None:
    require(caller, OBJECT, Operation.EDIT)


def _may_delete(caller: Caller) -> None:
    require(caller, OBJECT, Operation.DELETE)


Creating = Annotated[PageContext, Depends(page_context(admit=_may_create))]
Editing = Annotated[PageContext, Depends(page_context(admit=_may_edit))]
Deleting = Annotated[PageContext, Depends(page_context(admit=_may_delete))]


@router.get("")
async def groups(context: CurrentPage) -> Response:
    """List the groups with the number of their members."""
    listed = await context.vault.groups.all(context.caller, implied=True)
    return context.page("groups.html", groups=listed)


@router.get("/new")
async def new(context: CurrentPage) -> Response:
    """Show an empty form."""
    _may_create(context.caller)
    return _form(context, None, NEW)


@router.post("/new")
async def create(context: Creating) -> Response:
    """Create a group, or show the form again with the error at its field."""
    fields = _sent(context, None)

    async def carry_out() -> str:
        group_id = await context.vault.groups.create(context.caller, fields)
        return f"/ui/groups/{group_id}"

    try:
        path = await context.once(carry_out)
    except VaultFault as fault:
        return _form(context, None, fields, fault.error)
    return context.go(path, "The Group was created.")


@router.get("/{group_id}")
async def one_group(context: CurrentPage, group_id: GroupId) -> Response:
    """Show a group with its members."""
    return await _page(context, group_id)


@router.get("/{group_id}/edit")
async def edit(context: CurrentPage, group_id: GroupId) -> Response:
    """Show a group in a form."""
    _may_edit(context.caller)
    group = await context.vault.groups.get(context.caller, group_id)
    return _form(context, group, group)


@router.post("/{group_id}/edit")
async def update(context: Editing, group_id: GroupId) -> Response:
    """Store a group's fields, unless another user has changed the group since."""
    group = await context.vault.groups.get(context.caller, group_id)
    fields = _sent(context, group)
    read = context.form.fields.get("read", str(group["modified_date__v"]))
    if read != group["modified_date__v"]:
        return _form(context, group, {**group, **fields}, OVERTAKEN)
    try:
        await context.vault.groups.update(context.caller, group_id, fields, read)
    except VaultFault as fault:
        if fault.error.type is ErrorType.RACE_CONDITION:
            group = await context.vault.groups.get(context.caller, group_id)
            return _form(context, group, {**group, **fields}, OVERTAKEN)
        return _form(context, group, {**group, **fields}, fault.error)
    return context.go(f"/ui/groups/{group_id}", "The Group was saved.")


@router.post("/{group_id}/members")
async def change_members(context: Editing, group_id: GroupId) -> Response:
    """Add a user to a group, or remove one of its members."""
    path = f"/ui/groups/{group_id}"
    removed = context.form.fields.get("remove", "")
    if removed:
        change = {MEMBERS_FIELD: f"delete ({removed})"}
        await context.vault.groups.update(context.caller, group_id, change)
        return context.go(path, "The user was removed from the group.")
    sent = entered((MEMBER,), context.form.fields, context.registry)
    named, unknown = await with_ids(context, (MEMBER,), sent)
    if not named.get(MEMBER.name):
        return await _page(context, group_id, MISSING_MEMBER)
    if unknown:
        named_error = ApiError(unknown[0].type, f"[member] {unknown[0].message}")
        return await _page(context, group_id, named_error)
    try:
        change = {MEMBERS_FIELD: f"add ({named[MEMBER.name]})"}
        await context.vault.groups.update(context.caller, group_id, change)
    except VaultFault as fault:
        return await _page(context, group_id, fault.error)
    return context.go(path, "The user was added to the group.")


@router.post("/{group_id}/delete")
async def delete(context: Deleting, group_id: GroupId) -> Response:
    """Delete a group, unless it is a system group."""
    await context.vault.groups.delete(context.caller, group_id)
    return context.go("/ui/groups", "The Group was deleted.")


async def _page(
    context: PageContext, group_id: int, error: ApiError | None = None
) -> Response:
    """Show a group; with an error, as the answer to a member who was refused."""
    group = await context.vault.groups.get(context.caller, group_id, implied=True)
    changes = may(context.caller, OBJECT, Operation.EDIT) and bool(group["editable__v"])
    errors = [error] if error else []
    sent = context.form.fields.get(MEMBER.name, "")
    offered = (
        await inputs(
            context, context.registry.objects[USER], (MEMBER,), {MEMBER.name: sent}
        )
        if changes
        else []
    )
    return context.page(
        "group.html",
        status_of(error) if error else 200,
        group=group,
        members=await _members(context, group),
        member_input=at_fields(offered, errors),
        changes=changes,
    )


async def _members(
    context: PageContext, group: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return id, name and origin of the members; members by security profile come last."""
    labels = context.registry.picklists[SECURITY_PROFILES.name].entries
    members = [{"id": each, "by": ""} for each in group["members__v"]]
    for implied in group["implied_members__v"]:
        entry = labels.get(implied["source_name"])
        profile = entry.label if entry else implied["source_name"]
        members.append({"id": implied["id"], "by": profile})
    # The right to see groups does not include the right to see users.
    known = may(context.caller, USER, Operation.READ)
    ids = [each["id"] for each in members] if known else []
    names = await context.vault.security.names_of(ids)
    return [
        {**each, "name": _name(names.get(each["id"]), each["id"])} for each in members
    ]


def _name(named: tuple[str, ...] | None, user_id: int) -> str:
    """Return first and last name of a user, or the user name where there are none."""
    if named is None:
        return f"User {user_id}"
    username, *others = named
    return " ".join(each for each in others[:2] if each) or username


def _sent(context: PageContext, group: Mapping[str, Any] | None) -> dict[str, str]:
    """Return a form's fields as the group calls take them; for a system group, only those that may be changed."""
    form = context.form.fields
    if group is not None and not group["editable__v"]:
        name = "allow_delegation_among_members__v"
        return {name: form[name]} if name in form else {}
    fields = {name: form[name] for name in LABELS if name in form}
    chosen = [
        name for name, _ in _profiles(context) if f"{PROFILES_FIELD}.{name}" in form
    ]
    if PROFILES_FIELD in form:
        fields[PROFILES_FIELD] = ",".join(chosen)
    return fields


def _profiles(context: PageContext) -> list[tuple[str, str]]:
    """Return name and label of each security profile."""
    entries = context.registry.picklists[SECURITY_PROFILES.name].entries.values()
    return [(each.name, each.label) for each in entries]


def _form(
    context: PageContext,
    group: Mapping[str, Any] | None,
    values: Mapping[str, Any],
    error: ApiError | None = None,
) -> Response:
    """Show the form of a group, or of a new one, filled with these values."""
    shown = [_input(name, values.get(name)) for name in LABELS]
    chosen = values.get(PROFILES_FIELD) or ()
    names = chosen.split(",") if isinstance(chosen, str) else chosen
    profiles = Input(
        PROFILES_FIELD,
        "All users of these security profiles are members",
        InputKind.CHOICES,
        chosen=tuple(names),
        options=tuple(_profiles(context)),
    )
    of_system = group is not None and not group["editable__v"]
    # Of a group of the system only the delegation may be changed.
    offered = shown[-1:] if of_system else [*shown, profiles]
    errors = [error] if error else []
    return context.page(
        "group_edit.html",
        status_of(error) if error else 200,
        group=group,
        inputs=at_fields(offered, errors),
        errors=errors,
    )


def _input(name: str, value: object) -> Input:
    """Return the input of one field of a group."""
    if name in FLAGS:
        text = str(value).lower()
        return Input(name, LABELS[name], InputKind.SELECT, text, options=YES_OR_NO)
    return Input(
        name,
        LABELS[name],
        InputKind.TEXT,
        str(value or ""),
        required=name == "label__v",
        max_length=LENGTHS[name],
    )
