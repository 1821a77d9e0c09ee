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
from shared.vault.admin.visit import Visit, Visiting
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
async def profiles(visit: Visiting) -> Response:
    """List the security profiles and the permission sets, those that every Vault has first."""
    authorize(visit.caller, Grant.READ_CONFIGURATION)
    every = {**SUPPLIED, **visit.registry.components}
    return visit.page(
        "profiles.html",
        profiles=[each for (kind, _), each in every.items() if kind == PROFILE],
        sets=[each for (kind, _), each in every.items() if kind == PERMISSION_SET],
        labels={
            each.name: each.text("label") or each.name
            for (kind, _), each in every.items()
            if kind == PERMISSION_SET
        },
        supplied=SUPPLIED,
        creates=visit.may_change(PROFILE),
        sees_users=may(visit.caller, USER, Operation.READ),
    )


@router.get("/profiles/new")
async def new_profile(visit: Visiting) -> Response:
    """Show an empty form of a security profile."""
    return _form(visit, _to_change(visit, PROFILE))


@router.post("/profiles/new")
async def create_profile(visit: Visiting) -> Response:
    """Show for review the statement that creates the security profile in a form."""
    return await _reviewed(visit, _to_change(visit, PROFILE), "/ui/profiles")


@router.get("/profiles/{name}")
async def one_profile(visit: Visiting, name: str) -> Response:
    """Show in plain words what a security profile allows."""
    component = visit.vault.components.component(visit.caller, f"{PROFILE}.{name}")
    profile = visit.vault.security.profiles.in_full(name)
    components = {**SUPPLIED, **visit.registry.components}
    names = component.references("permission_sets")
    found = [components.get((PERMISSION_SET, each)) for each in names]
    return visit.page(
        "profile.html",
        component=component,
        access=access_of(profile, visit.registry.objects.values()),
        sets=[each for each in found if each is not None],
        of=[],
        changes=may_change(visit, component),
        sees_users=may(visit.caller, USER, Operation.READ),
    )


@router.get("/profiles/{name}/edit")
async def edit_profile(visit: Visiting, name: str) -> Response:
    """Show a security profile in a form."""
    return _form(visit, _to_change(visit, PROFILE, name))


@router.post("/profiles/{name}/edit")
async def change_profile(visit: Visiting, name: str) -> Response:
    """Show for review the changes that a form would make to a security profile."""
    component = _to_change(visit, PROFILE, name)
    return await _reviewed(visit, component, f"/ui/profiles/{name}")


@router.get("/permission-sets/new")
async def new_set(visit: Visiting) -> Response:
    """Show an empty form of a permission set."""
    return _form(visit, _to_change(visit, PERMISSION_SET))


@router.post("/permission-sets/new")
async def create_set(visit: Visiting) -> Response:
    """Show for review the statement that creates the permission set in a form."""
    return await _reviewed(visit, _to_change(visit, PERMISSION_SET), "/ui/profiles")


@router.get("/permission-sets/{name}")
async def one_set(visit: Visiting, name: str) -> Response:
    """Show in plain words what a permission set allows by itself."""
    full_name = f"{PERMISSION_SET}.{name}"
    component = visit.vault.components.component(visit.caller, full_name)
    alone = SecurityProfile(name, (set_of(component),))
    return visit.page(
        "profile.html",
        component=component,
        access=access_of(alone, visit.registry.objects.values()),
        sets=[],
        of=profiles_with(name, {**SUPPLIED, **visit.registry.components}),
        changes=may_change(visit, component),
        sees_users=False,
    )


@router.get("/permission-sets/{name}/edit")
async def edit_set(visit: Visiting, name: str) -> Response:
    """Show a permission set in a form."""
    return _form(visit, _to_change(visit, PERMISSION_SET, name))


@router.post("/permission-sets/{name}/edit")
async def change_set(visit: Visiting, name: str) -> Response:
    """Show for review the changes that a form would make to a permission set."""
    component = _to_change(visit, PERMISSION_SET, name)
    return await _reviewed(visit, component, f"/ui/permission-sets/{name}")


def _to_change(visit: Visit, kind: str, name: str = "") -> Component:
    """Return the component that a form changes; an empty component without a name, for a form that creates one.

    :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not change it; INVALID_DATA for an unknown name.
    """
    authorize_components(visit.caller, (kind,))
    if not name:
        return Component(kind, "")
    component = visit.vault.components.component(visit.caller, f"{kind}.{name}")
    if not may_change(visit, component):
        message = "It belongs to the Vault, or allows more than your own profile, and cannot be changed"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
    return component


async def _reviewed(visit: Visit, component: Component, back: str) -> Response:
    """Show the statement of a form for review; or the form again, when the statement would be refused."""
    form = visit.form.fields
    if not form.get("label", "").strip():
        return _form(visit, component, NO_LABEL)
    statement = statement_of(component, form)
    if statement is None:
        return visit.go(back, "Nothing was changed.")
    try:
        steps(statement, visit.registry)
    except ComponentError as error:
        return _form(visit, component, ApiError(ErrorType.INVALID_DATA, str(error)))
    return await review(visit, script_of([statement]), back)


def _form(
    visit: Visit, component: Component, error: ApiError | None = None
) -> Response:
    """Show the form of a profile or permission set; with an error, when the form was refused."""
    form = visit.form.fields
    of_set = component.type == PERMISSION_SET
    chosen = grant_input if of_set else set_input
    inputs = [*plain_inputs(component, form), chosen(visit, component, form)]
    errors = [error] if error else []
    return visit.page(
        "permission_edit.html",
        400 if error else 200,
        component=component,
        of_set=of_set,
        inputs=at_fields(inputs, errors),
        rows=rows_of(visit, component) if of_set else [],
        addable=addable(visit, component) if of_set else (),
        operations=[each.value for each in Operation],
        sent=form,
        errors=errors,
    )
