"""Finds the user actions that take a new record to the goal of its guided form, and the entry criteria to be met."""

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
class Way:
    """The full names of the user actions to run after a record's creation, and the entry criteria that they check."""

    actions: tuple[str, ...]
    criteria: tuple[EntryCriterion, ...]


def way_to(registry: Registry, target: VaultObject, goal: str) -> Way | None:
    """Return the user actions that lead to the named action ``goal``, from the starting state or one state further.

    None when neither state offers the named action, for example because an administrator has removed it.
    """
    lifecycle = registry.lifecycles.get(target.lifecycle or "")
    if lifecycle is None:
        return None
    begins = lifecycle.starting_state
    offered = registry.lifecycle_actions(target, begins)
    direct = _that_runs(goal, offered)
    if direct is not None:
        return Way((_full_name(target, begins, direct),), ())
    for step in offered:
        state = lifecycle.states.get(step.next_state or "")
        if step.action != CHANGE_STATE or state is None or not state.active:
            continue
        onward = _from(target, state, goal)
        if onward is not None:
            first = _full_name(target, begins, step)
            return Way((first, *onward), state.entry_criteria)
    return None


def _from(target: VaultObject, state: LifecycleState, goal: str) -> list[str] | None:
    """Return the full names of the user actions to run in a state, empty when entering the state runs the goal.

    None when the state does not offer the goal.
    """
    if any(each.action == goal for each in state.entry_actions):
        return []
    last = _that_runs(goal, state.user_actions)
    return None if last is None else [_full_name(target, state.name, last)]


def _that_runs(goal: str, actions: Iterable[UserAction]) -> UserAction | None:
    return next((each for each in actions if each.action == goal), None)


def _full_name(target: VaultObject, state: str, action: UserAction) -> str:
    return f"{LIFECYCLE_PREFIX}.{target.name}.{state}.{action.name}"
