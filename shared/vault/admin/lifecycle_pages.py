"""Serves Admin > Lifecycles: states with their actions, and forms that add to them; each change is reviewed as MDL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import (
    Grant,
    authorize,
    authorize_components,
    may_change,
)
from shared.vault.admin.condition_words import condition_words
from shared.vault.admin.field_errors import at_fields
from shared.vault.admin.inputs import BLANK, Input, InputKind
from shared.vault.admin.lifecycle_forms import (
    Addition,
    added,
    addition_inputs,
    chosen_form,
    forms_of,
    named_actions,
    objects_of,
    problems,
    removed,
)
from shared.vault.admin.page_context import CurrentPage, PageContext
from shared.vault.admin.script_review import review, script_of
from shared.vault.components.component_errors import ComponentError
from shared.vault.components.component_kinds import (
    ComponentKind,
    PartKind,
    StateMember,
)
from shared.vault.components.component_tree import Component
from shared.vault.components.evolution import after
from shared.vault.components.naming import name_of_label
from shared.vault.components.object_types import LABEL_LENGTH
from shared.vault.components.statement import Command, SetAttribute, Statement
from shared.vault.errors import ApiError, VaultFault

if TYPE_CHECKING:
    from shared.vault.model.component_model import Lifecycle, LifecycleState

router = APIRouter(prefix="/lifecycles")

LIFECYCLE = ComponentKind.LIFECYCLE
OBJECT = ComponentKind.OBJECT
REMOVABLE = (StateMember.USER_ACTION, StateMember.ENTRY_ACTION)
EXAMPLE_STATES = "Open"


@router.get("")
async def lifecycles(context: CurrentPage) -> Response:
    """List the lifecycles, each with the objects that use it."""
    authorize(context.caller, Grant.READ_CONFIGURATION)
    registry = context.registry
    listed = sorted(registry.lifecycles.values(), key=lambda each: each.label.lower())
    return context.page(
        "lifecycles.html",
        lifecycles=[(each, objects_of(registry, each.name)) for each in listed],
        creates=_may_create(context),
    )


@router.get("/new")
async def new(context: CurrentPage) -> Response:
    """Show the form of a new lifecycle."""
    authorize_components(context.caller, (LIFECYCLE, OBJECT))
    sent = context.request.query_params
    return _new_form(context, {"states": EXAMPLE_STATES, **sent})


@router.post("/new")
async def create(context: CurrentPage) -> Response:
    """Show for review the statements that create a lifecycle and assign it to an object."""
    authorize_components(context.caller, (LIFECYCLE, OBJECT))
    form = context.form.fields
    missing = [
        ApiError(ErrorType.PARAMETER_REQUIRED, f"[{name}] is required")
        for name in ("label", "object", "states")
        if not form.get(name, "").strip()
    ]
    if missing:
        return _new_form(context, form, missing)
    statements = _new_statements(form)
    refusal = _refusal(context, statements)
    if refusal is not None:
        return _new_form(context, form, (refusal,))
    path = f"/ui/lifecycles/{statements[0].name}"
    return await review(context, script_of(statements), path)


@router.get("/{name}")
async def one_lifecycle(context: CurrentPage, name: str) -> Response:
    """Show the states of a lifecycle, and the actions and criteria of each."""
    authorize(context.caller, Grant.READ_CONFIGURATION)
    lifecycle = _lifecycle(context, name)
    return context.page(
        "lifecycle.html",
        lifecycle=lifecycle,
        objects=objects_of(context.registry, name),
        labels=named_actions(context, name),
        forms=forms_of(context, name),
        condition_words=partial(condition_words, registry=context.registry),
        changes=may_change(context.caller, LIFECYCLE),
        additions=Addition,
        member=StateMember,
    )


@router.get("/{name}/{state}/{addition}")
async def new_member(
    context: CurrentPage, name: str, state: str, addition: Addition
) -> Response:
    """Show the form of a user action, an entry action or a notification that a state is to have."""
    authorize_components(context.caller, (LIFECYCLE,))
    return await _form(context, name, state, addition)


@router.post("/{name}/{state}/{addition}")
async def add_member(
    context: CurrentPage, name: str, state: str, addition: Addition
) -> Response:
    """Show for review the statement that adds a form's member to a state."""
    authorize_components(context.caller, (LIFECYCLE,))
    lifecycle = _lifecycle(context, name)
    found = _state(lifecycle, state)
    inputs = await addition_inputs(context, lifecycle, found, addition)
    errors = problems(addition, inputs)
    if errors:
        return await _form(context, name, state, addition, errors)
    form = chosen_form(context, lifecycle, addition)
    statement = added(lifecycle, found, addition, inputs, form)
    refusal = _refusal(context, (statement,))
    if refusal is not None:
        return await _form(context, name, state, addition, (refusal,))
    return await review(context, script_of((statement,)), f"/ui/lifecycles/{name}")


@router.post("/{name}/{state}/{member_kind}/{member}/remove")
async def remove_member(
    context: CurrentPage, name: str, state: str, member_kind: StateMember, member: str
) -> Response:
    """Show for review the statement that removes a user action or an entry action from a state."""
    authorize_components(context.caller, (LIFECYCLE,))
    full_name = f"{LIFECYCLE}.{name}"
    component = context.vault.components.component(context.caller, full_name)
    statement = removed(component, state, member_kind, member)
    if statement is None:
        message = f"The state has no [{member[:100]}]"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return await review(context, script_of((statement,)), f"/ui/lifecycles/{name}")


def _lifecycle(context: PageContext, name: str) -> Lifecycle:
    """Return a lifecycle.

    :raises VaultFault: INVALID_DATA when there is no such lifecycle.
    """
    found = context.registry.lifecycles.get(name)
    if found is None:
        message = f"There is no lifecycle [{name[:100]}]"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return found


def _state(lifecycle: Lifecycle, name: str) -> LifecycleState:
    """Return a state of a lifecycle.

    :raises VaultFault: INVALID_DATA when it has no such state.
    """
    found = lifecycle.states.get(name)
    if found is None:
        message = f"The lifecycle has no state [{name[:100]}]"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return found


def _may_create(context: PageContext) -> bool:
    return all(may_change(context.caller, kind) for kind in (LIFECYCLE, OBJECT))


def _refusal(context: PageContext, statements: Sequence[Statement]) -> ApiError | None:
    """Return the error with which statements would be refused; None when they would be executed."""
    registry = context.registry
    try:
        for statement in statements:
            registry = after(statement, registry)
    except ComponentError as error:
        return ApiError(ErrorType.INVALID_DATA, str(error))
    return None


async def _form(
    context: PageContext,
    name: str,
    state: str,
    addition: Addition,
    errors: Sequence[ApiError] = (),
) -> Response:
    """Show the form of a state's new member; with errors, when the form was refused."""
    lifecycle = _lifecycle(context, name)
    found = _state(lifecycle, state)
    inputs = await addition_inputs(context, lifecycle, found, addition)
    targets = objects_of(context.registry, name)
    return context.page(
        "lifecycle_edit.html",
        400 if errors else 200,
        lifecycle=lifecycle,
        state=found,
        addition=addition,
        of_message=addition is Addition.NOTIFICATION,
        inputs=at_fields(inputs, errors),
        fields=[f for f in targets[0].fields.values() if f.active] if targets else [],
        errors=errors,
    )


def _new_form(
    context: PageContext, values: Mapping[str, str], errors: Sequence[ApiError] = ()
) -> Response:
    """Show the form of a new lifecycle; objects that already have a lifecycle are not offered."""
    free = [
        (each.name, each.label)
        for each in context.registry.objects.values()
        if each.active and not each.lifecycle
    ]
    objects = (BLANK, *sorted(free, key=lambda each: each[1].lower()))
    text = values.get
    inputs = [
        Input(
            "label",
            "Label",
            InputKind.TEXT,
            text("label", ""),
            required=True,
            max_length=LABEL_LENGTH,
        ),
        Input(
            "object",
            "Object",
            InputKind.SELECT,
            text("object", ""),
            options=objects,
            required=True,
        ),
        Input(
            "states",
            "States",
            InputKind.TEXT_AREA,
            text("states", ""),
            help="one label a line; records begin in the first",
            required=True,
        ),
    ]
    return context.page(
        "lifecycle_new.html",
        400 if errors else 200,
        inputs=at_fields(inputs, errors),
        errors=errors,
    )


def _new_statements(form: Mapping[str, str]) -> tuple[Statement, Statement]:
    """Return the statements that create a lifecycle with states, and assign it to an object."""
    label = form["label"].strip()
    name = name_of_label(label)
    labels = [line.strip() for line in form["states"].splitlines() if line.strip()]
    states = tuple(
        Component(PartKind.STATE, _state_name(each), {"label": (each,)})
        for each in labels
    )
    attributes = {"label": (label,), "starting_state": (states[0].name,)}
    made = Component(LIFECYCLE, name, attributes, states)
    association = SetAttribute("lifecycle", (f"{LIFECYCLE}.{name}",))
    return (
        Statement(Command.CREATE, LIFECYCLE, name, 1, component=made),
        Statement(
            Command.ALTER, OBJECT, form["object"].strip(), 1, changes=(association,)
        ),
    )


def _state_name(label: str) -> str:
    """Return the API name of a state, formed as in other lifecycles."""
    return f"{name_of_label(label).removesuffix('__c')}_state__c"
