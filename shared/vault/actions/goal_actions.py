"""Finds the user actions that take a record to the goal of its guided form, and the entry criteria to be met."""

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
    """The full names of the user actions to run on a record, and the entry criteria that it must meet for them."""

    actions: tuple[str, ...]
    criteria: tuple[EntryCriterion, ...]


def goal_actions_of(
    registry: Registry, target: VaultObject, goal: str, state: str = ""
) -> GoalActions | None:
    """Return the user actions that lead to the named action ``goal``, from ``state`` or one state further.

    ``state`` is the record's state, empty for the starting state.

    None when neither state offers the named action, for example because an administrator has removed it.
    """
    lifecycle = registry.lifecycles.get(target.lifecycle or "")
    if lifecycle is None:
        return None
    start = state or lifecycle.starting_state
    offered = registry.lifecycle_actions(target, start)
    direct = _action_that_runs(goal, offered)
    if direct is not None:
        # The goal is refused to a record that no longer meets the entry criteria of its state.
        criteria = lifecycle.states[start].entry_criteria
        return GoalActions((_full_name(target, start, direct),), criteria)
    for step in offered:
        following = lifecycle.states.get(step.next_state or "")
        if step.action != CHANGE_STATE or following is None or not following.active:
            continue
        further = _actions_from(target, following, goal)
        if further is not None:
            first = _full_name(target, start, step)
            return GoalActions((first, *further), following.entry_criteria)
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
