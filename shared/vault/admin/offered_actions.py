"""Decides which user actions a record's page offers: it leaves out actions that would be refused or change nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from shared.vault.actions.action_service import ActionType, AvailableAction
from shared.vault.admin.error_advice import labelled
from shared.vault.admin.guided_forms import INACTIVE
from shared.vault.assembly.ineffective_actions import INEFFECTIVE_ACTIONS, only_value
from shared.vault.errors import ApiError, VaultFault
from shared.vault.fulfillment.fulfillment_model import MAKE_PACKAGE
from shared.vault.queries.query_pages import unless_changed
from shared.vault.records.state_criteria import unsatisfied

if TYPE_CHECKING:
    from shared.vault.admin.page_context import PageContext
    from shared.vault.model.component_model import (
        EntryCriterion,
        LifecycleState,
        VaultObject,
    )


@dataclass(frozen=True, slots=True)
class BlockedAction:
    """A user action that a record's page does not offer yet, with the reason."""

    name: str
    label: str
    reason: str


async def offered_actions(
    context: PageContext, target: VaultObject, record: Mapping[str, Any]
) -> tuple[list[AvailableAction], list[BlockedAction]]:
    """Return the user actions that a record's page offers, and those that are not possible yet.

    Actions that would change nothing are in neither list.
    """
    available = await context.vault.actions.available(
        context.caller, target.name, str(record["id"])
    )
    offered: list[AvailableAction] = []
    blocked_actions: list[BlockedAction] = []
    # Actions that change the state come first.
    for action in sorted(
        available, key=lambda each: each.type is not ActionType.STATE_CHANGE
    ):
        if _is_ineffective(context, action, record):
            continue
        reason = await _blocking_reason(context, target, record, action)
        if reason:
            blocked_actions.append(BlockedAction(action.name, action.label, reason))
        else:
            offered.append(action)
    return offered, blocked_actions


def _is_ineffective(
    context: PageContext, action: AvailableAction, record: Mapping[str, Any]
) -> bool:
    """Return whether an action would change nothing of a record, or be refused, by the record's values alone."""
    of_vault = context.vault.definition.ineffective_actions
    ineffective = of_vault.get(action.runs) or INEFFECTIVE_ACTIONS.get(action.runs)
    return ineffective is not None and ineffective(record, context.caller.user_id)


async def _blocking_reason(
    context: PageContext,
    target: VaultObject,
    record: Mapping[str, Any],
    action: AvailableAction,
) -> str:
    """Return the reason why an action would be refused now; empty when no reason is known."""
    if action.runs == MAKE_PACKAGE:
        return await _package_refusal(context, str(record["id"]))
    lifecycle = context.registry.lifecycles.get(target.lifecycle or "")
    if lifecycle is None:
        return ""
    state = lifecycle.states.get(action.next_state)
    form = context.vault.definition.guided.get(target.name)
    if form is not None and _runs_goal(form.goal, action, state):
        if not await context.vault.runs.is_active(form.integration):
            return INACTIVE
        # The goal is refused to a record that no longer meets the entry criteria of its state.
        state = state or lifecycle.states.get(str(only_value(record, "state__v")))
    if state is None:
        return ""
    return await _unmet_text(context, target, state, str(record["id"]), action.prompts)


async def _package_refusal(context: PageContext, response: str) -> str:
    """Return the reason why no package can be made of a response now; empty when no reason is known."""

    async def check() -> ApiError | None:
        async with context.vault.database.connection() as connection:
            registry = context.vault.components.registry
            packages = context.vault.response_packages
            return await packages.refusal(
                connection, registry, context.caller, response
            )

    refusal = await unless_changed(context.vault.components, check)
    return refusal.message if refusal is not None else ""


def _runs_goal(
    goal: str, action: AvailableAction, state: LifecycleState | None
) -> bool:
    """Return whether an action runs the named action ``goal``, itself or by the entry actions of its next state."""
    entered = state.entry_actions if state is not None else ()
    return action.runs == goal or any(each.action == goal for each in entered)


async def _unmet_text(
    context: PageContext,
    target: VaultObject,
    state: LifecycleState,
    record_id: str,
    prompts: Iterable[str],
) -> str:
    """Return the text of the entry criteria of a state that a record does not meet; empty when it meets all of them.

    Criteria that depend on the fields in ``prompts``, which the action asks for, are left out.
    """
    prompted = frozenset(prompts)
    criteria = tuple(
        each for each in state.entry_criteria if _is_independent(each, prompted)
    )
    if not criteria:
        return ""
    ids = [record_id]
    limited = replace(state, entry_criteria=criteria)

    async def check() -> Mapping[str, ApiError]:
        async with context.vault.database.connection() as connection:
            registry = context.vault.components.registry
            return await unsatisfied(connection, registry, target, limited, ids)

    try:
        refused = await unless_changed(context.vault.components, check)
    except VaultFault as fault:
        # Criteria that name a field which no longer exists refuse every record.
        return fault.error.message
    errors = labelled(refused.values(), target.fields.values())
    return "; ".join(each.message for each in errors)


def _is_independent(criterion: EntryCriterion, prompts: frozenset[str]) -> bool:
    """Return whether a criterion depends on none of the fields in ``prompts``; False when this is unknown."""
    if not prompts:
        return True
    if criterion.condition is not None or criterion.required_field is None:
        return False
    return criterion.required_field not in prompts
