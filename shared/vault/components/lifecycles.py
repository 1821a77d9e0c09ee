"""Checks lifecycles of records, and builds the model from both ways in which MDL writes the members of a state."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import assert_never

from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_kinds import (
    ComponentKind,
    PartKind,
    StateMember,
)
from shared.vault.components.component_tree import Component, Embedded, Scalar
from shared.vault.components.strict_xml import XmlFault, parse_xml
from shared.vault.model.component_model import (
    EntryAction,
    EntryCriterion,
    Lifecycle,
    LifecycleState,
    UserAction,
    ValueFormat,
    state_type_name,
)

__all__ = [
    "BY_RULE",
    "CHANGE_STATE",
    "START_WORKFLOW",
    "associated",
    "build_lifecycle",
    "check_lifecycle",
    "last_name",
    "state_type_name",
]

# The user action that moves a record to ``next_state``.
CHANGE_STATE = "change_state"
# The action that starts the object workflow ``workflow`` with the records.
START_WORKFLOW = "start_workflow"
# The parameter that says that a rule of an export starts it.
BY_RULE = "by_rule"
# The same, as rules of other Vaults' exports name it.
_START_RULE = "LIFECYCLE_RUN_WORKFLOW_ACTION"

_ACTION = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*(?:__(?:v|c|sys))?")
_ENTRY_ACTION_ATTRIBUTES = frozenset({"action", "order", "rule"})
_STATE_MEMBERS = frozenset(StateMember)

INITIAL_STATE = "initial_state__sys"
NO_STATE = "NONE"


def check_lifecycle(component: Component) -> None:
    """Check that the states of a lifecycle, and the members of each state, agree with each other.

    :raises ComponentError: BROKEN_REFERENCE, EXISTS, INVALID_NAME or INVALID_ATTRIBUTE, naming the state.
    """
    states = {state.name for state in component.children_of(PartKind.STATE)}
    _check_named_states(component, states)
    # A member written beside the states names its state, which may be missing.
    for member in component.children:
        owner = member.name.partition(".")[0]
        if member.type in _STATE_MEMBERS and owner not in states:
            message = f"{member.type} {member.name}: there is no such state."
            raise _broken(f"{component.full_name}: {message}")
    for name in states:
        _check_members(component, name, states)


def build_lifecycle(component: Component) -> Lifecycle:
    """Return the lifecycle of a valid ``Objectlifecycle`` component; the members of a state are in their ``order``."""
    types = labelled_state_types(component)
    states = {
        state.name: _state(component, state, types.get(state.name))
        for state in component.children_of(PartKind.STATE)
    }
    return Lifecycle(
        component.name,
        component.text("label"),
        _starting_state(component),
        component.flag("active", True),
        states,
    )


def _starting_state(component: Component) -> str:
    """Return the initial state: the one that ``starting_state`` names, or the one labelled as initial.

    Vaults export either. Without both the result is empty, and the check of the lifecycle refuses it.
    """
    named = component.text("starting_state")
    if named:
        return last_name(named)
    types = labelled_state_types(component)
    initial = [state for state, kind in types.items() if kind == INITIAL_STATE]
    if initial:
        return initial[0]
    return ""


def labelled_state_types(component: Component) -> Mapping[str, str]:
    """Return the state types that ``labeled_states`` and ``state_labels`` of a lifecycle assign to its states."""
    # Nothing checks that both lists have one length: what has no counterpart is left out.
    pairs = zip(
        component.texts("labeled_states"),
        component.texts("state_labels"),
        strict=False,
    )
    return {last_name(state): state_type_name(label) for state, label in pairs}


def associated(
    lifecycles: Mapping[str, Lifecycle],
    components: Iterable[Component],
) -> dict[str, Lifecycle]:
    """Return the lifecycles with the state types that active association components assign to their states.

    A state that has a type already keeps it.
    """
    found = dict(lifecycles)
    for component in components:
        if component.type != ComponentKind.STATE_TYPE_ASSOCIATION:
            continue
        label = component.text("state_type")
        lifecycle = found.get(component.reference("object_lifecycle") or "")
        if lifecycle is None or not label or not component.flag("active", True):
            continue
        name = last_name(component.text("object_lifecycle_state"))
        state = lifecycle.states.get(name)
        if state is None or state.state_type is not None:
            continue
        typed = replace(state, state_type=state_type_name(label))
        states = {**lifecycle.states, name: typed}
        found[lifecycle.name] = replace(lifecycle, states=states)
    return found


def entry_action(component: Component) -> EntryAction:
    """Return the entry action of a sub-component; the attributes that are no part of its definition are parameters."""
    parameters = {
        name: values
        for name, values in component.attributes.items()
        if name not in _ENTRY_ACTION_ATTRIBUTES
    }
    order = component.whole("order") or 0
    return EntryAction(
        component.name,
        component.text("action"),
        order,
        parameters,
    )


def started_workflow(member: Component) -> str:
    """Return the name of the workflow that a member of a state starts; empty when it starts none."""
    if member.text("action") == START_WORKFLOW:
        return last_name(member.text("workflow"))
    rule = member.first("rule")
    if member.text("action") or _START_RULE not in str(rule):
        return ""
    text = rule.content if isinstance(rule, Embedded) else str(rule)
    try:
        root = parse_xml(text.strip().encode())
    except XmlFault:
        return ""  # a rule that nobody can read starts nothing
    for action in root.iter("action"):
        if action.get("type") == _START_RULE:
            return last_name(action.get("objectWorkflow", ""))
    return ""


def last_name(reference: str) -> str:
    """Return the short name of a state in ``Objectlifecyclestate.{lifecycle}.{state}`` or a shorter form."""
    return reference.rpartition(".")[2]


def _members(
    lifecycle: Component,
    state: str,
    kind: StateMember,
) -> Iterator[Component]:
    """Yield the members of a state, with their short names.

    They are sub-components of the state or, as Vaults export them, of the lifecycle, as ``{state}.{name}``.
    """
    owner = lifecycle.child(PartKind.STATE, state)
    if owner is not None:
        yield from owner.children_of(kind)
    for member in lifecycle.children_under(state):
        if member.type == kind:
            yield replace(member, name=member.name.partition(".")[2])


def _state(
    lifecycle: Component,
    state: Component,
    labelled_type: str | None,
) -> LifecycleState:
    state_type = state.optional_text("state_type")
    own_type = labelled_type if state_type is None else state_type_name(state_type)
    user_actions = _user_actions(lifecycle, state.name)
    entry_actions = _entry_actions(lifecycle, state.name)
    criteria = _entry_criteria(lifecycle, state.name)
    return LifecycleState(
        name=state.name,
        label=state.text("label"),
        active=state.flag("active", True),
        state_type=own_type,
        entry_actions=tuple(sorted(entry_actions, key=lambda action: action.order)),
        user_actions=tuple(sorted(user_actions, key=lambda action: action.order)),
        entry_criteria=tuple(sorted(criteria, key=lambda criterion: criterion.order)),
        record_status=state.optional_text("record_status"),
    )


# Members with a rule instead of an action say in another Vault's language what happens.
# They are stored and returned, and of all that they may say only the start of a workflow happens here.


def _user_actions(
    lifecycle: Component,
    state: str,
) -> Iterator[UserAction]:
    for member in _members(lifecycle, state, StateMember.USER_ACTION):
        if member.text("action") or started_workflow(member):
            yield _user_action(member)


def _entry_actions(
    lifecycle: Component,
    state: str,
) -> Iterator[EntryAction]:
    for member in _members(lifecycle, state, StateMember.ENTRY_ACTION):
        name = started_workflow(member)
        if name:
            order = member.whole("order") or 0
            # A workflow of an export that cannot be carried out here keeps no record out of the state.
            started: dict[str, tuple[Scalar, ...]] = {
                "workflow": (name,),
                BY_RULE: (not member.text("action"),),
            }
            yield EntryAction(member.name, START_WORKFLOW, order, started)
        elif member.text("action"):
            yield entry_action(member)


def _entry_criteria(
    lifecycle: Component,
    state: str,
) -> Iterator[EntryCriterion]:
    for member in _members(lifecycle, state, StateMember.ENTRY_CRITERION):
        criterion = _entry_criterion(member)
        if criterion is not None:
            yield criterion


def _user_action(component: Component) -> UserAction:
    next_state = component.optional_text("next_state")
    next_name = None if next_state is None else last_name(next_state)
    workflow = started_workflow(component)
    return UserAction(
        component.name,
        component.text("label"),
        START_WORKFLOW if workflow else component.text("action"),
        component.whole("order") or 0,
        next_name,
        component.texts("prompts"),
        workflow,
    )


def _entry_criterion(component: Component) -> EntryCriterion | None:
    field = component.optional_text("required_field")
    criteria = component.optional_text("criteria")
    if criteria is None and field is None:
        return None
    # What fields a record lacks is said together, with the labels that the fields have then.
    default = "" if field else f"Entry criterion [{component.name}] is not met"
    return EntryCriterion(
        component.name,
        criteria or f"{field} != null",
        component.text("message") or default,
        component.whole("order") or 0,
        field,
        component.optional_text("condition"),
        _value_format(component),
    )


def _value_format(component: Component) -> ValueFormat | None:
    name = component.optional_text("value_format")
    return None if name is None else ValueFormat(name)


def _check_named_states(
    component: Component,
    states: Collection[str],
) -> None:
    path = component.full_name
    for attribute in ("starting_state", "labeled_states"):
        for value in component.texts(attribute):
            # A label that no state has is exported with this name.
            unused = attribute == "labeled_states" and last_name(value) == NO_STATE
            if not unused and last_name(value) not in states:
                raise _broken(f"{path}: {attribute} is not one of its states.")
    if _starting_state(component) not in states:
        message = f"{path}: the attribute starting_state is required, or a state labelled as the initial one."
        raise ComponentError(message)
    for state in component.children_of(PartKind.STATE):
        cancel_state = state.text("cancel_state")
        if cancel_state and last_name(cancel_state) not in states:
            raise _broken(f"{path}: {state.name}: cancel_state is not a state.")


def _check_members(
    component: Component,
    state: str,
    states: Collection[str],
) -> None:
    path = f"{component.full_name}: {state}"
    members = []
    for kind in StateMember:
        members += [(kind, member) for member in _members(component, state, kind)]
    # The two ways to write a member can name the same one.
    counts = Counter(member.key for _, member in members)
    for (type_name, name), count in counts.items():
        if count > 1:
            raise ComponentError(f"{path} has {type_name} {name} twice.", Code.EXISTS)
    for kind, member in members:
        _check_member(
            kind,
            member,
            f"{path}: {kind} {member.name}",
            states,
        )


def _check_member(
    kind: StateMember,
    member: Component,
    path: str,
    states: Collection[str],
) -> None:
    match kind:
        case StateMember.USER_ACTION:
            _check_action(member, path)
            _check_next_state(member, path, states)
        case StateMember.ENTRY_ACTION:
            _check_action(member, path)
        case StateMember.ENTRY_CRITERION:
            _check_entry_criterion(member, path)
        case _:
            assert_never(kind)


def _check_action(member: Component, path: str) -> None:
    action = member.text("action")
    if not action and not member.text("rule"):
        raise ComponentError(f"{path}: the attribute action is required.")
    if action and not _ACTION.fullmatch(action):
        message = f"{path}: action is not an action name."
        raise ComponentError(message, Code.INVALID_NAME)


def _check_next_state(
    member: Component,
    path: str,
    states: Collection[str],
) -> None:
    next_state = member.optional_text("next_state")
    changes_state = member.text("action") == CHANGE_STATE
    if changes_state != (next_state is not None):
        message = f"next_state belongs to the action {CHANGE_STATE}, which needs it."
        raise ComponentError(f"{path}: {message}")
    if next_state is None:
        return
    name = last_name(next_state)
    if name not in states:
        raise _broken(f"{path}: there is no state {name}.")


def _check_entry_criterion(
    member: Component,
    path: str,
) -> None:
    written = [name for name in ("required_field", "criteria") if member.text(name)]
    has_rule = bool(member.text("rule"))
    if len(written) > 1 or not (written or has_rule):
        raise ComponentError(f"{path}: give either required_field, or criteria.")
    if member.text("value_format") and not member.text("required_field"):
        raise ComponentError(f"{path}: value_format needs required_field.")


def _broken(message: str) -> ComponentError:
    return ComponentError(message, Code.BROKEN_REFERENCE)
