"""Serves Admin > Security Profiles: what profiles and permission sets allow, and the forms that change them."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import SecurityProfile
from shared.vault.access.permissions import (
    Grant,
    Operation,
    authorize,
    authorize_components,
    may,
)
from shared.vault.access.profiles import supplied_components
from shared.vault.admin.field_errors import at_fields
from shared.vault.admin.page_context import CurrentPage, PageContext
from shared.vault.admin.permission_forms import (
    addable,
    grant_input,
    may_change,
    plain_inputs,
    rows_of,
    set_input,
    statement_of,
)
from shared.vault.admin.permission_views import access_of, profiles_with, set_of
from shared.vault.admin.script_review import review, script_of
from shared.vault.components.component_errors import ComponentError
from shared.vault.components.component_tree import Component
from shared.vault.components.evolution import steps
from shared.vault.components.permission_types import PERMISSION_SET, PROFILE
from shared.vault.errors import ApiError, VaultFault
from shared.vault.security.user_records import OBJECT as USER

router = APIRouter()

SUPPLIED = supplied_components()
NO_LABEL = ApiError(ErrorType.PARAMETER_REQUIRED, "[label] is required")


@router.get("/profiles")
async def profiles(context: CurrentPage) -> Response:
    """List the security profiles and the permission sets, those that every Vault has first."""
    authorize(context.caller, Grant.READ_CONFIGURATION)
    every = {**SUPPLIED, **context.registry.components}
    return context.page(
        "profiles.html",
        profiles=[each for (kind, _), each in every.items() if kind == PROFILE],
        sets=[each for (kind, _), each in every.items() if kind == PERMISSION_SET],
        labels={
            each.name: each.text("label") or each.name
            for (kind, _), each in every.items()
            if kind == PERMISSION_SET
        },
        supplied=SUPPLIED,
        creates=context.may_change(PROFILE),
        sees_users=may(context.caller, USER, Operation.READ),
    )


@router.get("/profiles/new")
async def new_profile(context: CurrentPage) -> Response:
    """Show an empty form of a security profile."""
    return _form(context, _to_change(context, PROFILE))


@router.post("/profiles/new")
async def create_profile(context: CurrentPage) -> Response:
    """Show for review the statement that creates the security profile in a form."""
    return await _reviewed(context, _to_change(context, PROFILE), "/ui/profiles")


@router.get("/profiles/{name}")
async def one_profile(context: CurrentPage, name: str) -> Response:
    """Show in plain words what a security profile allows."""
    component = context.vault.components.component(context.caller, f"{PROFILE}.{name}")
    profile = context.vault.security.profiles.in_full(name)
    components = {**SUPPLIED, **context.registry.components}
    names = component.references("permission_sets")
    found = [components.get((PERMISSION_SET, each)) for each in names]
    return context.page(
        "profile.html",
        component=component,
        access=access_of(profile, context.registry.objects.values()),
        sets=[each for each in found if each is not None],
        of=[],
        changes=may_change(context, component),
        sees_users=may(context.caller, USER, Operation.READ),
    )


@router.get("/profiles/{name}/edit")
async def edit_profile(context: CurrentPage, name: str) -> Response:
    """Show a security profile in a form."""
    return _form(context, _to_change(context, PROFILE, name))


@router.post("/profiles/{name}/edit")
async def change_profile(context: CurrentPage, name: str) -> Response:
    """Show for review the changes that a form would make to a security profile."""
    component = _to_change(context, PROFILE, name)
    return await _reviewed(context, component, f"/ui/profiles/{name}")


@router.get("/permission-sets/new")
async def new_set(context: CurrentPage) -> Response:
    """Show an empty form of a permission set."""
    return _form(context, _to_change(context, PERMISSION_SET))


@router.post("/permission-sets/new")
async def create_set(context: CurrentPage) -> Response:
    """Show for review the statement that creates the permission set in a form."""
    return await _reviewed(context, _to_change(context, PERMISSION_SET), "/ui/profiles")


@router.get("/permission-sets/{name}")
async def one_set(context: CurrentPage, name: str) -> Response:
    """Show in plain words what a permission set allows by itself."""
    full_name = f"{PERMISSION_SET}.{name}"
    component = context.vault.components.component(context.caller, full_name)
    alone = SecurityProfile(name, (set_of(component),))
    return context.page(
        "profile.html",
        component=component,
        access=access_of(alone, context.registry.objects.values()),
        sets=[],
        of=profiles_with(name, {**SUPPLIED, **context.registry.components}),
        changes=may_change(context, component),
        sees_users=False,
    )


@router.get("/permission-sets/{name}/edit")
async def edit_set(context: CurrentPage, name: str) -> Response:
    """Show a permission set in a form."""
    return _form(context, _to_change(context, PERMISSION_SET, name))


@router.post("/permission-sets/{name}/edit")
async def change_set(context: CurrentPage, name: str) -> Response:
    """Show for review the changes that a form would make to a permission set."""
    component = _to_change(context, PERMISSION_SET, name)
    return await _reviewed(context, component, f"/ui/permission-sets/{name}")


def _to_change(context: PageContext, kind: str, name: str = "") -> Component:
    """Return the component that a form changes; an empty component without a name, for a form that creates one.

    :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not change it; INVALID_DATA for an unknown name.
    """
    authorize_components(context.caller, (kind,))
    if not name:
        return Component(kind, "")
    component = context.vault.components.component(context.caller, f"{kind}.{name}")
    if not may_change(context, component):
        message = "It belongs to the Vault, or allows more than your own profile, and cannot be changed"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
    return component


async def _reviewed(context: PageContext, component: Component, back: str) -> Response:
    """Show the statement of a form for review; or the form again, when the statement would be refused."""
    form = context.form.fields
    if not form.get("label", "").strip():
        return _form(context, component, NO_LABEL)
    statement = statement_of(component, form)
    if statement is None:
        return context.go(back, "Nothing was changed.")
    try:
        steps(statement, context.registry)
    except ComponentError as error:
        return _form(context, component, ApiError(ErrorType.INVALID_DATA, str(error)))
    return await review(context, script_of([statement]), back)


def _form(
    context: PageContext, component: Component, error: ApiError | None = None
) -> Response:
    """Show the form of a profile or permission set; with an error, when the form was refused."""
    form = context.form.fields
    of_set = component.type == PERMISSION_SET
    chosen = grant_input if of_set else set_input
    inputs = [*plain_inputs(component, form), chosen(context, component, form)]
    errors = [error] if error else []
    return context.page(
        "permission_edit.html",
        400 if error else 200,
        component=component,
        of_set=of_set,
        inputs=at_fields(inputs, errors),
        rows=rows_of(context, component) if of_set else [],
        addable=addable(context, component) if of_set else (),
        operations=[each.value for each in Operation],
        sent=form,
        errors=errors,
    )
