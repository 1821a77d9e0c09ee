"""Prepares guided forms: which fields a record needs for its goal, which are missing, and whether it can be sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, may
from shared.vault.actions.goal_actions import GoalActions, goal_actions_of
from shared.vault.admin.form_needs import (
    UnmetCriteria,
    applicable_criteria,
    unmet_criteria,
)
from shared.vault.assembly.ineffective_actions import only_value
from shared.vault.errors import ApiError

if TYPE_CHECKING:
    from shared.vault.admin.inputs import Input
    from shared.vault.admin.page_context import PageContext
    from shared.vault.assembly.work_lists import GuidedForm
    from shared.vault.model.component_model import VaultObject

# What the buttons send as ``THEN``.
UPDATE = "update"
SEND = "send"
INACTIVE = (
    "The integration or its connection is not active; an administrator can activate it."
)


@dataclass(frozen=True, slots=True)
class Sections:
    """The inputs of a guided form by section.

    ``choice`` selects which of the dependent inputs are in ``chosen_inputs``; the rest of them are in ``other_inputs``.
    """

    details: list[Input]
    choice: Input
    chosen_inputs: list[Input]
    other_inputs: list[Input]

    @property
    def chosen(self) -> str:
        """Return the label of the chosen value; empty before a value is chosen."""
        options = dict(self.choice.options)
        if self.choice.value:
            return options.get(self.choice.value, "")
        return ""

    @property
    def unfolded(self) -> bool:
        """Return whether the other inputs are shown unfolded, because one of them has a value or an error."""
        return any(each.value or each.error for each in self.other_inputs)


@dataclass(frozen=True, slots=True)
class Guide:
    """The guided form of an object, with the actions to its goal, and whether the caller may run them now."""

    form: GuidedForm
    target: VaultObject
    goal_actions: GoalActions | None
    active: bool  # the integration that transfers the records
    permitted: bool
    is_draft: bool = True  # in the starting state, as new records are

    @property
    def can_send(self) -> bool:
        """Return whether the form has the button that sends a record."""
        return self.goal_actions is not None and self.active and self.permitted

    @property
    def send_label(self) -> str:
        """Return the label of the button that sends a record."""
        return self.form.send_label if self.is_draft else self.form.resend_label

    @property
    def can_send_draft(self) -> bool:
        """Return whether the record is a draft that the button can send."""
        return self.can_send and self.is_draft

    @property
    def reason_not_sent(self) -> str:
        """Return the reason why records cannot be sent now."""
        if self.goal_actions is None:
            return "The lifecycle has no user action for it."
        if not self.active:
            return INACTIVE
        return "Your security profile does not allow it."

    def unmet_criteria(self, row: Mapping[str, object]) -> UnmetCriteria:
        """Return the entry criteria that a row does not meet to be sent."""
        values = {name: _text(value) for name, value in row.items()}
        return unmet_criteria(
            self.goal_actions.criteria if self.goal_actions else (), values
        )

    def empty_record_error(self, row: Mapping[str, object]) -> ApiError | None:
        """Return the error of a new record that has none of ``minimum_fields``; None when it has one of them."""
        if any(_text(row.get(name)).strip() for name in self.form.minimum_fields):
            return None
        known = [
            name for name in self.form.minimum_fields if name in self.target.fields
        ]
        named = " or ".join(
            f"{self.target.fields[each].label} [{each}]" for each in known
        )
        message = f"There is nothing to save yet; fill in {named} at least"
        return ApiError(ErrorType.PARAMETER_REQUIRED, message)

    def sections(self, shown: Sequence[Input]) -> Sections | None:
        """Return the inputs by section, with ``needed`` set; None when the object no longer has the choice's field."""
        values = {each.name: each.value for each in shown}
        marked = self._marked(shown, values)
        choice = next(
            (each for each in marked if each.name == self.form.choice_field), None
        )
        if choice is None:
            return None
        belonging = self.form.fields_by_choice.get(choice.value, ())
        dependent = [each for each in marked if each.name in self.form.dependent]
        chosen_inputs = [
            each for each in dependent if each.name in belonging or each.needed
        ]
        details = [
            each
            for each in marked
            if not each.system and each is not choice and each not in dependent
        ]
        other_inputs = [each for each in dependent if each not in chosen_inputs]
        return Sections(details, choice, chosen_inputs, other_inputs)

    def _marked(self, shown: Sequence[Input], values: Mapping[str, str]) -> list[Input]:
        """Return the inputs, with ``needed`` set where a record cannot be sent without a value."""
        criteria = self.goal_actions.criteria if self.goal_actions else ()
        names = {each.required_field for each in applicable_criteria(criteria, values)}
        return [replace(each, needed=each.name in names) for each in shown]


async def guide_of(
    context: PageContext,
    target: VaultObject,
    record: Mapping[str, object] | None = None,
) -> Guide | None:
    """Return the guided form of an object; None for an object without a guided form.

    ``record`` has the values of the record to edit, None for a new record.
    """
    form = context.vault.definition.guided.get(target.name)
    if form is None:
        return None
    lifecycle = context.registry.lifecycles.get(target.lifecycle or "")
    start = lifecycle.starting_state if lifecycle else ""
    state = start if record is None else str(only_value(record, "state__v"))
    return Guide(
        form,
        target,
        goal_actions_of(context.registry, target, form.goal, state),
        await context.vault.runs.is_active(form.integration),
        may(context.caller, target.name, Operation.EDIT),
        is_draft=state == start,
    )


def _text(value: object) -> str:
    """Return a value of a row as the text of its input."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    if value is None:
        return ""
    return str(value)
