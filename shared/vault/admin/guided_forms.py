"""Leads through the form of a record to what it is made for: what is asked for, what is lacking, what may be sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, may
from shared.vault.actions.goal_actions import Way, way_to
from shared.vault.admin.form_needs import Lack, lack_of, needed
from shared.vault.assembly.spent_actions import only_value
from shared.vault.errors import ApiError

if TYPE_CHECKING:
    from shared.vault.admin.inputs import Input
    from shared.vault.admin.visit import Visit
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
    """The inputs of a form by where they stand; ``asked`` and ``others`` depend on what is chosen."""

    details: list[Input]
    choice: Input
    asked: list[Input]
    others: list[Input]

    @property
    def chosen(self) -> str:
        """Return the label of the value that is chosen; empty before."""
        options = dict(self.choice.options)
        if self.choice.value:
            return options.get(self.choice.value, "")
        return ""

    @property
    def unfolded(self) -> bool:
        """Return whether one of the others has something that must not be overlooked."""
        return any(each.value or each.error for each in self.others)


@dataclass(frozen=True, slots=True)
class Guide:
    """The guided form of an object, with the way to its goal, and whether the caller may go it now."""

    form: GuidedForm
    target: VaultObject
    way: Way | None
    active: bool  # the integration that takes what is sent
    permitted: bool
    draft: bool = True  # in the state that records begin in

    @property
    def sends(self) -> bool:
        """Return whether the button that sends a record would not be refused in any case."""
        return self.way is not None and self.active and self.permitted

    @property
    def send(self) -> str:
        """Return the label of that button."""
        return self.form.send if self.draft else self.form.send_again

    @property
    def in_one_step(self) -> bool:
        """Return whether the button does more than the actions of the record's state each do."""
        return self.sends and self.draft

    @property
    def unsent(self) -> str:
        """Return why nothing can be sent now."""
        if self.way is None:
            return "The lifecycle does not lead there."
        if not self.active:
            return INACTIVE
        return "Your security profile does not allow it."

    def lack(self, row: Mapping[str, object]) -> Lack:
        """Return what a row lacks to be sent."""
        values = {name: _text(value) for name, value in row.items()}
        return lack_of(self.way.criteria if self.way else (), values)

    def worthless(self, row: Mapping[str, object]) -> ApiError | None:
        """Return what a new record needs at least, when it has none of it."""
        if any(_text(row.get(name)).strip() for name in self.form.least):
            return None
        known = [name for name in self.form.least if name in self.target.fields]
        named = " or ".join(
            f"{self.target.fields[each].label} [{each}]" for each in known
        )
        message = f"There is nothing to save yet; fill in {named} at least"
        return ApiError(ErrorType.PARAMETER_REQUIRED, message)

    def sections(self, shown: Sequence[Input]) -> Sections | None:
        """Return the inputs by where they stand, marked; None when the form has no choice any more."""
        values = {each.name: each.value for each in shown}
        marked = self._marked(shown, values)
        choice = next((each for each in marked if each.name == self.form.choice), None)
        if choice is None:
            return None
        belonging = self.form.belongs.get(choice.value, ())
        dependent = [each for each in marked if each.name in self.form.dependent]
        asked = [each for each in dependent if each.name in belonging or each.needed]
        details = [
            each
            for each in marked
            if not each.system and each is not choice and each not in dependent
        ]
        others = [each for each in dependent if each not in asked]
        return Sections(details, choice, asked, others)

    def _marked(self, shown: Sequence[Input], values: Mapping[str, str]) -> list[Input]:
        """Return the inputs, marked where a record is not sent without their value."""
        criteria = self.way.criteria if self.way else ()
        names = {each.required_field for each in needed(criteria, values)}
        return [replace(each, needed=each.name in names) for each in shown]


async def guide_of(
    visit: Visit, target: VaultObject, record: Mapping[str, object] | None = None
) -> Guide | None:
    """Return the guide of an object's form, for a new record or one that there is; None for an object without one."""
    form = visit.vault.definition.guided.get(target.name)
    if form is None:
        return None
    lifecycle = visit.registry.lifecycles.get(target.lifecycle or "")
    begins = lifecycle.starting_state if lifecycle else ""
    state = begins if record is None else str(only_value(record, "state__v"))
    return Guide(
        form,
        target,
        way_to(visit.registry, target, form.goal, state),
        await visit.vault.runs.is_active(form.integration),
        may(visit.caller, target.name, Operation.EDIT),
        draft=state == begins,
    )


def _text(value: object) -> str:
    """Return a value of a row as a form has it."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    if value is None:
        return ""
    return str(value)
