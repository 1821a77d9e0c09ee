"""Lifecycle components: what belongs to each state, however it is written, checked and built into the model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_tree import Component
from shared.vault.components.lifecycle_types import (
    ENTRY_ACTION,
    ENTRY_CRITERION,
    STATE,
    STATE_MEMBERS,
    USER_ACTION,
)
from shared.vault.model.component_model import (
    EntryAction,
    EntryCriterion,
    Lifecycle,
    LifecycleState,
    UserAction,
    state_type_name,
)

__all__ = [
    "CHANGE_STATE",
    "associated",
    "build_lifecycle",
    "check_lifecycle",
    "state_type_name",
]

CHANGE_STATE = "change_state"
"""The user action that moves a record to ``next_state``."""

ASSOCIATION = "Lifecyclestatetypeassociation"

_ACTION = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*(?:__(?:v|c|sys))?")
_ENTRY_ACTION_ATTRIBUTES = frozenset({"action", "order", "rule"})


def check_lifecycle(component: Component) -> None:
    """Check that states, and what belongs to them, agree with each other.

    :raises ComponentError: naming the state and what is wrong with it.
    """
    path = component.full_name
    states = {state.name for state in component.children_of(STATE)}
    for attribute in ("starting_state", "labeled_states"):
        if any(_last(value) not in states for value in component.texts(attribute)):
            raise ComponentError(
                f"{path}: {attribute} is not one of its states.", Code.BROKEN_REFERENCE
            )
    for state in component.children_of(STATE):
        if (
            state.text("cancel_state")
            and _last(state.text("cancel_state")) not in states
        ):
            raise ComponentError(
                f"{path}: {state.name}: cancel_state is not a state.",
                Code.BROKEN_REFERENCE,
            )
    for member in component.children:
        if member.type in STATE_MEMBERS and member.name.partition(".")[0] not in states:
            raise ComponentError(
                f"{path}: {member.type} {member.name}: there is no such state.",
                Code.BROKEN_REFERENCE,
            )
    for name in states:
        members = [
            member
            for kind in STATE_MEMBERS
            for member in _members(component, name, kind)
        ]
        for key, count in Counter(member.key for member in members).items():
            if count > 1:
                raise ComponentError(
                    f"{path}: {name} has {key[0]} {key[1]} twice.", Code.EXISTS
                )
        for member in members:
            _CHECKS[member.type](
                member, f"{path}: {name}: {member.type} {member.name}", states
            )


def build_lifecycle(component: Component) -> Lifecycle:
    """The lifecycle of a valid ``Objectlifecycle`` component; what belongs to a state is sorted by its order."""
    labelled = zip(
        component.texts("labeled_states"), component.texts("state_labels"), strict=False
    )
    types = {_last(state): state_type_name(label) for state, label in labelled}
    return Lifecycle(
        component.name,
        component.text("label"),
        _last(component.text("starting_state")),
        component.flag("active", True),
        {
            state.name: _state(component, state, types.get(state.name))
            for state in component.children_of(STATE)
        },
    )


def associated(
    lifecycles: Mapping[str, Lifecycle], components: Iterable[Component]
) -> dict[str, Lifecycle]:
    """The lifecycles with the state types that association components give to states without one of their own."""
    found = dict(lifecycles)
    for component in components:
        lifecycle = found.get(component.reference("object_lifecycle") or "")
        if (
            component.type != ASSOCIATION
            or lifecycle is None
            or not component.flag("active", True)
        ):
            continue
        state = lifecycle.states.get(_last(component.text("object_lifecycle_state")))
        if (
            state is None
            or state.state_type is not None
            or not component.text("state_type")
        ):
            continue
        typed = replace(state, state_type=state_type_name(component.text("state_type")))
        found[lifecycle.name] = replace(
            lifecycle, states={**lifecycle.states, state.name: typed}
        )
    return found


def _members(lifecycle: Component, state: str, kind: str) -> Iterator[Component]:
    """What belongs to a state: written in it, or beside it as ``{state}.{name}``; here with the short name."""
    owner = lifecycle.child(STATE, state)
    if owner is not None:
        yield from owner.children_of(kind)
    for member in lifecycle.children_of(kind):
        head, _, name = member.name.partition(".")
        if head == state:
            yield replace(member, name=name)


def _state(
    lifecycle: Component, state: Component, labelled: str | None
) -> LifecycleState:
    state_type = state.optional_text("state_type")
    # A rule is another Vault's way to say what happens; it is kept, and nothing here happens by it.
    user_actions = [
        _user_action(c)
        for c in _members(lifecycle, state.name, USER_ACTION)
        if c.text("action")
    ]
    entry_actions = [
        entry_action(c)
        for c in _members(lifecycle, state.name, ENTRY_ACTION)
        if c.text("action")
    ]
    criteria = [
        c
        for m in _members(lifecycle, state.name, ENTRY_CRITERION)
        if (c := _entry_criterion(m))
    ]
    return LifecycleState(
        name=state.name,
        label=state.text("label"),
        active=state.flag("active", True),
        state_type=labelled if state_type is None else state_type_name(state_type),
        entry_actions=tuple(sorted(entry_actions, key=lambda action: action.order)),
        user_actions=tuple(sorted(user_actions, key=lambda action: action.order)),
        entry_criteria=tuple(sorted(criteria, key=lambda criterion: criterion.order)),
        record_status=state.optional_text("record_status"),
    )


def entry_action(component: Component) -> EntryAction:
    """The entry action that a sub-component of a state describes: its other attributes are parameters."""
    parameters = {
        n: v
        for n, v in component.attributes.items()
        if n not in _ENTRY_ACTION_ATTRIBUTES
    }
    return EntryAction(
        component.name,
        component.text("action"),
        component.whole("order") or 0,
        parameters,
    )


def _user_action(component: Component) -> UserAction:
    next_state = component.optional_text("next_state")
    return UserAction(
        component.name,
        component.text("label"),
        component.text("action"),
        component.whole("order") or 0,
        None if next_state is None else _last(next_state),
        component.texts("prompts"),
    )


def _entry_criterion(component: Component) -> EntryCriterion | None:
    field, criteria = (
        component.optional_text("required_field"),
        component.optional_text("criteria"),
    )
    if criteria is None and field is None:
        return None
    message = (
        f"Field [{field}] needs a value"
        if field
        else f"Entry criterion [{component.name}] does not hold"
    )
    return EntryCriterion(
        component.name,
        criteria or f"{field} != null",
        component.text("message") or message,
        component.whole("order") or 0,
        field,
    )


def _last(reference: str) -> str:
    """The state's own name in ``Objectlifecyclestate.{lifecycle}.{state}``, of which any part but the last may lack."""
    return reference.rpartition(".")[2]


def _check_action(member: Component, path: str) -> None:
    action = member.text("action")
    if not action and not member.text("rule"):
        raise ComponentError(f"{path}: the attribute action is required.")
    if action and not _ACTION.fullmatch(action):
        raise ComponentError(
            f"{path}: action is not an action name.", Code.INVALID_NAME
        )


def _check_entry_action(member: Component, path: str, _states: set[str]) -> None:
    _check_action(member, path)


def _check_user_action(member: Component, path: str, states: set[str]) -> None:
    _check_action(member, path)
    next_state = member.optional_text("next_state")
    if (member.text("action") == CHANGE_STATE) != (next_state is not None):
        raise ComponentError(
            f"{path}: next_state belongs to the action {CHANGE_STATE}, which needs it."
        )
    if next_state is not None and _last(next_state) not in states:
        raise ComponentError(
            f"{path}: there is no state {_last(next_state)}.", Code.BROKEN_REFERENCE
        )


def _check_entry_criterion(member: Component, path: str, _states: set[str]) -> None:
    given = bool(member.text("required_field")) + bool(member.text("criteria"))
    if given > 1 or (not given and not member.text("rule")):
        raise ComponentError(f"{path}: give either required_field, or criteria.")


_CHECKS = {
    USER_ACTION: _check_user_action,
    ENTRY_ACTION: _check_entry_action,
    ENTRY_CRITERION: _check_entry_criterion,
}
