"""Makes form inputs from the parameters of entry actions, and attributes from a submitted form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, assert_never

from shared.vault.admin.inputs import BLANK, Input, InputKind
from shared.vault.assembly.action_parameters import (
    OF_MESSAGES,
    ActionParameter,
    EntryActionForm,
    ParameterKind,
)

if TYPE_CHECKING:
    from shared.vault.admin.page_context import PageContext
    from shared.vault.components.component_tree import Scalar
    from shared.vault.components.registry import Registry
    from shared.vault.model.component_model import Field, LifecycleState, VaultObject

MAX_PARAMETER = 1500
OF_PLATFORM: Mapping[str, EntryActionForm] = {
    "set_field": EntryActionForm(
        "Set a field",
        (
            ActionParameter("field", "Field", ParameterKind.FIELD),
            ActionParameter(
                "value",
                "Value",
                ParameterKind.TEXT,
                "now: the current date and time; empty: the field is emptied",
                required=False,
            ),
        ),
    ),
    "send_message": EntryActionForm("Send a message", OF_MESSAGES),
    "run_action": EntryActionForm(
        "Run a user action",
        (ActionParameter("user_action", "User Action", ParameterKind.USER_ACTION),),
    ),
}
"""The actions of every Vault that have parameters."""

Options = Sequence[tuple[str, str]]


def entry_action_forms(
    context: PageContext, targets: Sequence[VaultObject]
) -> dict[str, EntryActionForm]:
    """Return the forms, by name, of the entry actions with parameters that all ``targets`` support."""
    if not targets:
        return {}
    of_vault = context.vault.definition.entry_action_forms
    own = [of_vault.get(each.name, {}) for each in targets]
    first, *others = own
    common = {n: f for n, f in first.items() if all(n in other for other in others)}
    return {**OF_PLATFORM, **common}


def parameter_inputs(
    registry: Registry,
    targets: Sequence[VaultObject],
    state: LifecycleState,
    form: EntryActionForm,
    sent: Mapping[str, str],
) -> list[Input]:
    """Return an input for each parameter of an action, with the values that were sent."""
    listed = []
    for each in form.parameters:
        options = _options(registry, targets, state, each.kind)
        listed.append(_input(each, options, sent.get(each.name, "")))
    return listed


def _input(parameter: ActionParameter, options: Options | None, value: str) -> Input:
    chosen = options is not None
    return Input(
        parameter.name,
        parameter.label,
        InputKind.SELECT if chosen else InputKind.TEXT,
        value,
        options=(BLANK, *options) if options is not None else (),
        required=parameter.required,
        help=parameter.help,
        max_length=None if chosen else MAX_PARAMETER,
    )


def _options(
    registry: Registry,
    targets: Sequence[VaultObject],
    state: LifecycleState,
    kind: ParameterKind,
) -> Options | None:
    """Return the choices of a parameter, sorted by label; None for one that is entered as text."""
    match kind:
        case ParameterKind.TEXT:
            return None
        case ParameterKind.FIELD:
            return _common(
                {f.name: f.label for f in each.fields.values() if _is_set(f)}
                for each in targets
            )
        case ParameterKind.QUEUE:
            queues = registry.queues.values()
            return [(each.name, each.label) for each in queues if each.type.delivers]
        case ParameterKind.USER_ACTION:
            offered = {each.name: each.label for each in state.user_actions}
            return _common(
                offered | {a.name: a.label for a in each.actions if a.active}
                for each in targets
            )
        case _:
            assert_never(kind)


def _is_set(field: Field) -> bool:
    """Return whether an entry action can set a field."""
    return field.active and not field.system


def _common(of_each: Iterable[Mapping[str, str]]) -> Options:
    """Return the names that all mappings have, with the labels of the first mapping, sorted by label."""
    first, *others = of_each
    common = [(n, label) for n, label in first.items() if all(n in o for o in others)]
    return sorted(common, key=lambda each: each[1].lower())


def parameter_attributes(
    form: EntryActionForm, values: Mapping[str, Input]
) -> dict[str, tuple[Scalar, ...]]:
    """Return the attributes of an entry action that store its parameters."""
    return {each.name: (values[each.name].value.strip(),) for each in form.parameters}
