"""Makes form inputs from a user's fields, and the fields of a user call from a submitted form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared.vault.access.permissions import Operation, holds_all_of, may
from shared.vault.admin.inputs import YES_OR_NO, Input, InputKind
from shared.vault.components.platform import SECURITY_PROFILES
from shared.vault.security.user_fields import (
    CHANGE_PASSWORD,
    COLUMNS,
    DEFAULTS,
    NAME,
    OWN,
    PASSWORD,
    REQUIRED,
)
from shared.vault.security.user_records import OBJECT

if TYPE_CHECKING:
    from shared.vault.admin.page_context import PageContext
    from shared.vault.errors import ApiError
    from shared.vault.model.component_model import Field

PROFILE = "security_profile__v"
LICENSE = "license_type__v"
# In the order of the form: who they are, what they may do, how they are reached.
FIRST = (
    "user_first_name__v",
    "user_last_name__v",
    NAME,
    "user_email__v",
    PROFILE,
    LICENSE,
)
ORDER = (*FIRST, *(name for name in COLUMNS if name not in FIRST))

PASSWORD_INPUT = Input(
    PASSWORD,
    "Password",
    InputKind.PASSWORD,
    help="at least 12 characters; empty: the user cannot sign in yet",
)
NEW_PASSWORD_INPUT = Input(PASSWORD, "New password", InputKind.PASSWORD, required=True)
CHANGE_INPUT = Input(
    CHANGE_PASSWORD,
    "Must be changed at the next sign-in",
    InputKind.SELECT,
    "true",
    options=YES_OR_NO,
)


def editable_names(context: PageContext) -> tuple[str, ...]:
    """Return the names of the user fields that the caller may change.

    Callers without the right to edit users may change some of their own fields.
    """
    if may(context.caller, OBJECT, Operation.EDIT):
        return ORDER
    return tuple(name for name in ORDER if name in OWN)


def may_assign(context: PageContext, profile: str) -> bool:
    """Return whether the caller may create or change users of a profile, which must not allow more than their own."""
    return holds_all_of(
        context.caller, context.vault.security.profiles.in_full(profile)
    )


def user_inputs(
    context: PageContext, names: Iterable[str], values: Mapping[str, Any]
) -> list[Input]:
    """Return the inputs of these fields of a user, filled with values from the user calls."""
    fields = context.registry.objects[OBJECT].fields
    listed = []
    for name in names:
        # The user__sys that an administrator has made may lack some of these columns.
        field = fields.get(COLUMNS[name])
        if field is not None:
            listed.append(_input(context, name, field, str(values.get(name) or "")))
    return listed


def _input(context: PageContext, name: str, field: Field, value: str) -> Input:
    """Return the input of one field of a user."""
    options = _options(context, name, value)
    return Input(
        name,
        field.label,
        InputKind.SELECT if options else InputKind.TEXT,
        value or DEFAULTS.get(COLUMNS[name], ""),
        options=options,
        required=name in REQUIRED,
        max_length=field.max_length,
    )


def _options(
    context: PageContext, name: str, value: str
) -> tuple[tuple[str, str], ...]:
    """Return the name and label of each value of a field; empty for a field that is typed.

    Of security profiles, they are the present one and those that the caller may assign.
    """
    picklists = context.registry.picklists
    if name == LICENSE:
        entries = picklists["license_type__sys"].entries.values()
        return tuple((each.name, each.label) for each in entries if each.active)
    if name != PROFILE:
        return ()
    entries = picklists[SECURITY_PROFILES.name].entries.values()
    return tuple(
        (each.name, each.label)
        for each in entries
        if each.name == value or (each.active and may_assign(context, each.name))
    )


def changed_fields(
    shown: Iterable[Input], form: Mapping[str, str]
) -> dict[str, object]:
    """Return the fields of a form that differ from the values that the page showed."""
    return {
        each.name: form[each.name].strip()
        for each in shown
        if each.name in form and form[each.name].strip() != each.value
    }


def label_of_value(field: Input) -> str:
    """Return the label of an input's value; the value itself when it has no label."""
    return dict(field.options).get(field.value, field.value)


def password_inputs(field: Input, errors: Sequence[ApiError]) -> tuple[Input, Input]:
    """Return the inputs of a new password with the errors about it, which do not name the field in brackets."""
    about = [each.message for each in errors if "password" in each.message.lower()]
    return replace(field, error=" ".join(about)), CHANGE_INPUT
