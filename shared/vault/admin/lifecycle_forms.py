"""Makes form inputs for the actions and criteria of lifecycle states, and the statements that add or remove them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, may
from shared.vault.admin.inputs import BLANK, YES_OR_NO, Input, InputKind
from shared.vault.admin.parameter_inputs import (
    entry_action_forms,
    parameter_attributes,
    parameter_inputs,
)
from shared.vault.components.component_kinds import (
    ComponentKind,
    PartKind,
    StateMember,
)
from shared.vault.components.component_tree import Component, Scalar
from shared.vault.components.entry_action_definitions import (
    CHANGE_STATE,
    MAX_SUBJECT,
    START_WORKFLOW,
    USER_FIELDS,
    USER_OBJECT,
)
from shared.vault.components.naming import name_of_label
from shared.vault.components.object_types import LABEL_LENGTH
from shared.vault.components.statement import (
    AddChild,
    Change,
    Command,
    DropChild,
    ModifyChild,
    Statement,
)
from shared.vault.components.workflow_definitions import read_workflow
from shared.vault.errors import ApiError
from shared.vault.security.group_service import OBJECT as GROUP

if TYPE_CHECKING:
    from shared.vault.admin.page_context import PageContext
    from shared.vault.assembly.action_parameters import EntryActionForm
    from shared.vault.components.registry import Registry
    from shared.vault.model.component_model import (
        Lifecycle,
        LifecycleState,
        VaultObject,
    )

NOTIFY = "notify"
# What a form chooses: an action, or one with the state or workflow that it is for.
CHOICE = "does"
OF_PLATFORM: Mapping[str, Mapping[str, str]] = {
    "exception_message__sys": {
        "retry_transfer": "Retry Transfer",
        "ignore": "Ignore",
    },
    "connection__sys": {
        "activate_connection": "Activate",
        "reject_connection": "Reject",
        "release_connection": "Establish Again",
    },
}
"""Actions that states of the platform's objects may name, each with its label."""


class Addition(StrEnum):
    """The kinds of members that a form adds to a state; the values are segments of addresses."""

    USER_ACTION = "user-action"
    ENTRY_ACTION = "entry-action"
    NOTIFICATION = "notification"

    @property
    def label(self) -> str:
        """Return the name of the addition on pages."""
        match self:
            case Addition.USER_ACTION:
                return "User Action"
            case Addition.ENTRY_ACTION:
                return "Entry Action"
            case Addition.NOTIFICATION:
                return "Notification"
            case _:
                assert_never(self)


def objects_of(registry: Registry, lifecycle: str) -> list[VaultObject]:
    """Return the objects that use a lifecycle."""
    return [each for each in registry.objects.values() if each.lifecycle == lifecycle]


def named_actions(context: PageContext, lifecycle: str) -> dict[str, str]:
    """Return the labels, by name, of the actions without parameters that all objects of a lifecycle support."""
    offered = {**OF_PLATFORM, **context.vault.definition.state_actions}
    found = [
        offered.get(each.name, {}) for each in objects_of(context.registry, lifecycle)
    ]
    if not found:
        return {}
    first, *others = found
    return {
        name: label
        for name, label in first.items()
        if all(name in each for each in others)
    }


def choices(
    context: PageContext, lifecycle: Lifecycle, state: str, addition: Addition
) -> tuple[tuple[str, str], ...]:
    """Return the operations that an added action can have, each with its label."""
    workflows = [
        (f"{START_WORKFLOW}:{each.name}", f"Start {each.text('label')}")
        for each in _workflows(context.registry, lifecycle.name)
    ]
    states = [
        (f"{CHANGE_STATE}:{each.name}", f"Move to {each.label}")
        for each in lifecycle.states.values()
        if each.active and each.name != state and addition is Addition.USER_ACTION
    ]
    formed: list[tuple[str, str]] = []
    if addition is Addition.ENTRY_ACTION:
        formed = [(n, f.label) for n, f in forms_of(context, lifecycle.name).items()]
    return (
        *named_actions(context, lifecycle.name).items(),
        *formed,
        *states,
        *workflows,
    )


def forms_of(context: PageContext, lifecycle: str) -> dict[str, EntryActionForm]:
    """Return the forms, by name, of the entry actions with parameters that a lifecycle's states can have."""
    return entry_action_forms(context, objects_of(context.registry, lifecycle))


def _workflows(registry: Registry, lifecycle: str) -> Iterator[Component]:
    """Yield the active workflows for records of a lifecycle."""
    for (kind, _), component in registry.components.items():
        if kind == ComponentKind.WORKFLOW:
            workflow = read_workflow(component)
            if workflow.active and lifecycle in workflow.lifecycles:
                yield component


async def addition_inputs(
    context: PageContext,
    lifecycle: Lifecycle,
    state: LifecycleState,
    addition: Addition,
) -> list[Input]:
    """Return the inputs of a form that adds something to a state, with the values that were sent."""
    sent = _sent(context)
    match addition:
        case Addition.USER_ACTION:
            label = Input(
                "label",
                "Label",
                InputKind.TEXT,
                sent.get("label", ""),
                help="empty: as the choice is called",
                max_length=LABEL_LENGTH,
            )
            return [_choice(context, lifecycle, state.name, addition), label]
        case Addition.ENTRY_ACTION:
            choice = _choice(context, lifecycle, state.name, addition)
            return [choice, *_parameters(context, lifecycle, state)]
        case Addition.NOTIFICATION:
            return await _notification_inputs(context, lifecycle)
        case _:
            assert_never(addition)


def _sent(context: PageContext) -> Mapping[str, str]:
    """Return the values of the form or, before it is sent, the choices in the address."""
    return {**context.request.query_params, **context.form.fields}


def chosen_form(
    context: PageContext, lifecycle: Lifecycle, addition: Addition
) -> EntryActionForm | None:
    """Return the parameters of the entry action that is chosen in a form; None for an action without any."""
    if addition is not Addition.ENTRY_ACTION:
        return None
    return forms_of(context, lifecycle.name).get(_sent(context).get(CHOICE, ""))


def _parameters(
    context: PageContext, lifecycle: Lifecycle, state: LifecycleState
) -> list[Input]:
    """Return the inputs of the chosen action's parameters."""
    form = chosen_form(context, lifecycle, Addition.ENTRY_ACTION)
    if form is None:
        return []
    targets = objects_of(context.registry, lifecycle.name)
    return parameter_inputs(context.registry, targets, state, form, _sent(context))


def _choice(
    context: PageContext, lifecycle: Lifecycle, state: str, addition: Addition
) -> Input:
    return Input(
        CHOICE,
        "What it does",
        InputKind.SELECT,
        _sent(context).get(CHOICE, ""),
        options=(BLANK, *choices(context, lifecycle, state, addition)),
        required=True,
    )


async def _notification_inputs(
    context: PageContext, lifecycle: Lifecycle
) -> list[Input]:
    sent = context.form.fields
    groups: list[tuple[str, str]] = []
    if may(context.caller, GROUP, Operation.READ):
        groups = [
            (str(each["name__v"]), str(each["label__v"]))
            for each in await context.vault.groups.all(context.caller)
            if each["active__v"]
        ]
    users = "user names, separated by commas"
    text = sent.get
    return [
        Input("users", "Users", InputKind.TEXT, text("users", ""), help=users),
        Input(
            "subject",
            "Subject",
            InputKind.TEXT,
            text("subject", ""),
            required=True,
            max_length=MAX_SUBJECT,
        ),
        Input(
            "email",
            "Also by e-mail",
            InputKind.SELECT,
            text("email", "true"),
            options=YES_OR_NO,
        ),
        Input("body", "Text", InputKind.TEXT_AREA, text("body", ""), required=True),
        _chosen("groups", "Groups", groups, sent),
        _chosen(
            "fields",
            "Users in fields of the record",
            user_fields(context.registry, lifecycle.name),
            sent,
        ),
    ]


def _chosen(
    name: str, label: str, options: Sequence[tuple[str, str]], sent: Mapping[str, str]
) -> Input:
    chosen = tuple(each for each, _ in options if f"{name}.{each}" in sent)
    return Input(name, label, InputKind.CHOICES, chosen=chosen, options=tuple(options))


def user_fields(registry: Registry, lifecycle: str) -> list[tuple[str, str]]:
    """Return the name and label of each user field that all objects of a lifecycle have, to notify its user."""
    of_each = [
        {
            field.name: field.label
            for field in target.fields.values()
            if field.active
            and (field.object == USER_OBJECT or field.name in USER_FIELDS)
        }
        for target in objects_of(registry, lifecycle)
    ]
    if not of_each:
        return []
    return [
        (n, label) for n, label in of_each[0].items() if all(n in o for o in of_each)
    ]


def problems(addition: Addition, inputs: Sequence[Input]) -> list[ApiError]:
    """Return an error for each missing value, and for a notification without recipients."""
    missing = [
        ApiError(ErrorType.PARAMETER_REQUIRED, f"[{each.name}] is required")
        for each in inputs
        if each.required and not each.value.strip()
    ]
    if addition is not Addition.NOTIFICATION:
        return missing
    values = {each.name: each for each in inputs}
    users = values["users"].value.strip()
    if not (users or values["groups"].chosen or values["fields"].chosen):
        message = "[users] Name at least one user, group or field"
        missing.append(ApiError(ErrorType.PARAMETER_REQUIRED, message))
    return missing


def added(
    lifecycle: Lifecycle,
    state: LifecycleState,
    addition: Addition,
    inputs: Sequence[Input],
    form: EntryActionForm | None,
) -> Statement:
    """Return the statement that adds the member described by a form; ``form`` has the parameters of an entry action."""
    values = {each.name: each for each in inputs}
    of_message = addition is Addition.NOTIFICATION
    action = None if of_message else _action(state, addition, values, form)
    member = action or _notification(state, values)
    change = ModifyChild(PartKind.STATE, state.name, (AddChild(member),))
    return _altered(lifecycle.name, change)


def _action(
    state: LifecycleState,
    addition: Addition,
    values: Mapping[str, Input],
    form: EntryActionForm | None,
) -> Component:
    """Return the user action or entry action of a form."""
    chosen = values[CHOICE].value
    meaning = dict(values[CHOICE].options).get(chosen, chosen)
    action, _, of = chosen.partition(":")
    attributes: dict[str, tuple[Scalar, ...]] = {"action": (action,)}
    if action == START_WORKFLOW:
        attributes["workflow"] = (of,)
    elif action == CHANGE_STATE:
        attributes["next_state"] = (of,)
    if addition is Addition.USER_ACTION:
        label = values["label"].value.strip() or meaning
        own: dict[str, tuple[Scalar, ...]] = {
            "label": (label,),
            "order": (_next(state.user_actions),),
        }
        name = name_of_label(label)
        return Component(StateMember.USER_ACTION, name, {**own, **attributes})
    order: dict[str, tuple[Scalar, ...]] = {"order": (_next(state.entry_actions),)}
    if form is not None:
        parameters = parameter_attributes(form, values)
        name = _free_name(state, action)
        return Component(
            StateMember.ENTRY_ACTION, name, {**attributes, **order, **parameters}
        )
    name = name_of_label(meaning)
    return Component(StateMember.ENTRY_ACTION, name, {**attributes, **order})


def _notification(state: LifecycleState, values: Mapping[str, Input]) -> Component:
    """Return the entry action that sends the notification of a form."""
    users = [each.strip() for each in values["users"].value.split(",") if each.strip()]
    recipients: dict[str, tuple[Scalar, ...]] = {
        "users": tuple(users),
        "groups": values["groups"].chosen,
        "fields": values["fields"].chosen,
    }
    attributes: dict[str, tuple[Scalar, ...]] = {
        "action": (NOTIFY,),
        "order": (_next(state.entry_actions),),
        **{name: each for name, each in recipients.items() if each},
        "subject": (values["subject"].value.strip(),),
        "body": (values["body"].value.replace("\r\n", "\n").strip(),),
    }
    if values["email"].value == "false":
        attributes["email"] = (False,)
    name = _free_name(state, NOTIFY)
    return Component(StateMember.ENTRY_ACTION, name, attributes)


def _free_name(state: LifecycleState, action: str) -> str:
    """Return a name for a new entry action of a state; it is numbered, as a state may run an action several times."""
    taken = {each.name for each in state.entry_actions}
    numbered = (f"{action}_{number}__c" for number in range(1, len(taken) + 2))
    return next(each for each in numbered if each not in taken)


def _next(members: Sequence[object]) -> int:
    """Return the order number of a state's next member."""
    return max((getattr(each, "order", 0) for each in members), default=0) + 1


def removed(
    component: Component, state: str, kind: str, member: str
) -> Statement | None:
    """Return the statement that removes a member of a state; None when the state has no member of that name."""
    full_name = f"{state}.{member}"
    if component.child(kind, full_name) is not None:
        return _altered(component.name, DropChild(kind, full_name))
    owner = component.child(PartKind.STATE, state)
    if owner is None or owner.child(kind, member) is None:
        return None
    change = ModifyChild(PartKind.STATE, state, (DropChild(kind, member),))
    return _altered(component.name, change)


def _altered(lifecycle: str, *changes: Change) -> Statement:
    return Statement(
        Command.ALTER, ComponentKind.LIFECYCLE, lifecycle, 1, changes=changes
    )
