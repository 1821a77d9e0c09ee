"""Decides which of a record's user actions its page offers: those that would neither be refused nor change nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from shared.vault.actions.action_service import ActionType, AvailableAction
from shared.vault.admin.error_advice import labelled
from shared.vault.admin.guided_forms import INACTIVE
from shared.vault.assembly.spent_actions import SPENT_ACTIONS, only_value
from shared.vault.errors import ApiError, VaultFault
from shared.vault.queries.query_pages import unless_changed
from shared.vault.records.state_criteria import unsatisfied

if TYPE_CHECKING:
    from shared.vault.admin.visit import Visit
    from shared.vault.model.component_model import (
        EntryCriterion,
        LifecycleState,
        VaultObject,
    )


@dataclass(frozen=True, slots=True)
class Unoffered:
    """An action that a record's state has and its page does not offer, with what is to be done first."""

    label: str
    reason: str


async def offered_actions(
    visit: Visit, target: VaultObject, record: Mapping[str, Any]
) -> tuple[list[AvailableAction], list[Unoffered]]:
    """Return the actions that a record's page offers, and those that somebody has to do something for first."""
    available = await visit.vault.actions.available(
        visit.caller, target.name, str(record["id"])
    )
    offered: list[AvailableAction] = []
    unoffered: list[Unoffered] = []
    # What moves the record on comes first.
    for action in sorted(
        available, key=lambda each: each.type is not ActionType.STATE_CHANGE
    ):
        if _is_spent(visit, action, record):
            continue
        reason = await _reason(visit, target, record, action)
        if reason:
            unoffered.append(Unoffered(action.label, reason))
        else:
            offered.append(action)
    return offered, unoffered


def _is_spent(visit: Visit, action: AvailableAction, record: Mapping[str, Any]) -> bool:
    """Return whether an action has nothing left to do for a record as it is."""
    own = visit.vault.definition.spent_actions
    spent = own.get(action.runs) or SPENT_ACTIONS.get(action.runs)
    return spent is not None and spent(record, visit.caller.user_id)


async def _reason(
    visit: Visit,
    target: VaultObject,
    record: Mapping[str, Any],
    action: AvailableAction,
) -> str:
    """Return what keeps an action from being carried out now; empty when nothing is known."""
    lifecycle = visit.registry.lifecycles.get(target.lifecycle or "")
    if lifecycle is None:
        return ""
    state = lifecycle.states.get(action.next_state)
    form = visit.vault.definition.guided.get(target.name)
    if form is not None and _leads_to(form.goal, action, state):
        if not await visit.vault.runs.is_active(form.integration):
            return INACTIVE
        # The goal is refused to a record that has lost what its state required.
        state = state or lifecycle.states.get(str(only_value(record, "state__v")))
    if state is None:
        return ""
    return await _lacking(visit, target, state, str(record["id"]), action.prompts)


def _leads_to(goal: str, action: AvailableAction, state: LifecycleState | None) -> bool:
    """Return whether an action carries a goal out, itself or by the state that it leads to."""
    entered = state.entry_actions if state is not None else ()
    return action.runs == goal or any(each.action == goal for each in entered)


async def _lacking(
    visit: Visit,
    target: VaultObject,
    state: LifecycleState,
    record_id: str,
    prompts: Iterable[str],
) -> str:
    """Return what a record lacks to be in a state, apart from what the action asks for itself."""
    asked = frozenset(prompts)
    known = tuple(each for each in state.entry_criteria if _is_known(each, asked))
    if not known:
        return ""
    ids = [record_id]
    checked = replace(state, entry_criteria=known)

    async def look() -> Mapping[str, ApiError]:
        async with visit.vault.database.connection() as connection:
            registry = visit.vault.components.registry
            return await unsatisfied(connection, registry, target, checked, ids)

    try:
        refused = await unless_changed(visit.vault.components, look)
    except VaultFault as fault:
        # Criteria that name what is gone refuse every record.
        return fault.error.message
    errors = labelled(refused.values(), target.fields.values())
    return "; ".join(each.message for each in errors)


def _is_known(criterion: EntryCriterion, asked: frozenset[str]) -> bool:
    """Return whether a record tells already whether it meets a criterion, whatever is entered for the action."""
    if not asked:
        return True
    if criterion.condition is not None or criterion.required_field is None:
        return False
    return criterion.required_field not in asked
