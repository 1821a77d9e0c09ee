"""Finds the user actions that lead a record to what it is made for, and what the states on the way require."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.vault.components.entry_action_definitions import (
    CHANGE_STATE,
    LIFECYCLE_PREFIX,
)

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry
    from shared.vault.model.component_model import (
        EntryCriterion,
        LifecycleState,
        UserAction,
        VaultObject,
    )


@dataclass(frozen=True, slots=True)
class GoalActions:
    """The user actions from a record's state to a goal, by their full names, and the entry criteria on the way."""

    actions: tuple[str, ...]
    criteria: tuple[EntryCriterion, ...]


def goal_actions_of(
    registry: Registry, target: VaultObject, goal: str, state: str = ""
) -> GoalActions | None:
    """Return the way to a named action, which a state offers, or the next one; by default that which records begin in.

    None when neither state offers the named action, for example because an administrator has removed it.
    """
    lifecycle = registry.lifecycles.get(target.lifecycle or "")
    if lifecycle is None:
        return None
    begins = state or lifecycle.starting_state
    offered = registry.lifecycle_actions(target, begins)
    direct = _action_that_runs(goal, offered)
    if direct is not None:
        # What a record has lost since it entered the state keeps it from going on.
        criteria = lifecycle.states[begins].entry_criteria
        return GoalActions((_full_name(target, begins, direct),), criteria)
    for step in offered:
        following = lifecycle.states.get(step.next_state or "")
        if step.action != CHANGE_STATE or following is None or not following.active:
            continue
        onward = _actions_from(target, following, goal)
        if onward is not None:
            first = _full_name(target, begins, step)
            return GoalActions((first, *onward), following.entry_criteria)
    return None


def _actions_from(
    target: VaultObject, state: LifecycleState, goal: str
) -> list[str] | None:
    """Return the full names of the user actions to run in a state, empty when entering the state runs the goal.

    None when the state does not offer the goal.
    """
    if any(each.action == goal for each in state.entry_actions):
        return []
    last = _action_that_runs(goal, state.user_actions)
    return None if last is None else [_full_name(target, state.name, last)]


def _action_that_runs(goal: str, actions: Iterable[UserAction]) -> UserAction | None:
    return next((each for each in actions if each.action == goal), None)


def _full_name(target: VaultObject, state: str, action: UserAction) -> str:
    return f"{LIFECYCLE_PREFIX}.{target.name}.{state}.{action.name}"
