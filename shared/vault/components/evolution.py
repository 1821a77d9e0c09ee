"""Applies a statement to all components of a Vault, in steps, each of which results in a registry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from shared.vault.components.change import altered, apply
from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_kinds import ComponentKind, PartKind, kind_of
from shared.vault.components.component_tree import Component
from shared.vault.components.configured_queries import check_entry_criteria
from shared.vault.components.entry_action_definitions import check_entry_actions
from shared.vault.components.permission_changes import (
    check_permissions,
    refuse_supplied,
)
from shared.vault.components.platform import BASE_TYPE
from shared.vault.components.registry import Key, Registry
from shared.vault.components.renaming import (
    renamed_component,
    renamed_field,
    renamed_state,
)
from shared.vault.components.rule_changes import check_rule_change
from shared.vault.components.statement import (
    Change,
    Command,
    RenameChild,
    Statement,
)

__all__ = ["Renaming", "Step", "after", "steps"]

_STANDARD = ("__v", "__sys")


@dataclass(frozen=True, slots=True)
class Renaming:
    """The renaming of a component or, with a ``subtype``, of its sub-component ``subname``, to ``new_name``."""

    type: str
    name: str
    new_name: str
    subtype: str = ""
    subname: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a statement.

    ``changes`` has the changed components by their keys before the step; None is a dropped one. A renamed component has
    another key afterwards.
    """

    before: Registry
    after: Registry
    changes: Mapping[Key, Component | None] = field(default_factory=dict)
    renaming: Renaming | None = None


def after(
    statement: Statement,
    registry: Registry,
) -> Registry:
    """Return the registry after a statement.

    :raises ComponentError: if the statement cannot be carried out.
    """
    for step in steps(statement, registry):
        registry = step.after
    return registry


def steps(
    statement: Statement,
    registry: Registry,
) -> list[Step]:
    """Return the steps of a statement, in order; none if its condition is not met.

    Each RENAME inside ALTER is a step, so that stored data is renamed before the next change.

    :raises ComponentError: if the statement cannot be carried out.
    """
    exists = _existing(statement, registry) is not None
    if not statement.condition.holds(exists=exists):
        return []
    refuse_supplied(statement.key)
    taken = []
    for part in _parts(statement):
        step = _step(part, registry)
        # Both look at objects and lifecycles together, so a change of either can break them.
        check_entry_criteria(step.after)
        check_entry_actions(step.after)
        for key, component in step.changes.items():
            _check_change(step, key, component)
        taken.append(step)
        registry = step.after
    return taken


def _check_change(
    step: Step,
    key: Key,
    component: Component | None,
) -> None:
    """Check a change whose validity depends on the previous state, which a registry by itself does not know.

    :raises ComponentError: if it is not allowed.
    """
    kind = kind_of(key[0])
    match kind:
        case ComponentKind.INTEGRATION_RULE:
            check_rule_change(step.before.components.get(key), component)
        case ComponentKind.PERMISSION_SET | ComponentKind.SECURITY_PROFILE:
            if component is not None:
                check_permissions(component, step.after)
        case (
            ComponentKind.OBJECT
            | ComponentKind.OBJECT_TYPE
            | ComponentKind.OBJECT_ACTION
            | ComponentKind.PICKLIST
            | ComponentKind.LIFECYCLE
            | ComponentKind.STATE_TYPE_ASSOCIATION
            | ComponentKind.QUEUE
            | ComponentKind.DOCUMENT_TYPE
            | ComponentKind.DOCUMENT_FIELD
            | ComponentKind.DOCUMENT_LIFECYCLE
            | ComponentKind.RENDITION_TYPE
            | ComponentKind.WORKFLOW
            | None
        ):
            pass  # the registry after the step has checked all
        case _:
            assert_never(kind)


def _parts(statement: Statement) -> Iterator[Statement]:
    """Yield parts of the statement: each RENAME inside ALTER by itself, and the changes between them together."""
    pending: list[Change] = []
    for change in statement.changes:
        if not isinstance(change, RenameChild):
            pending.append(change)
            continue
        if pending:
            yield replace(statement, changes=tuple(pending))
            pending = []
        yield replace(statement, changes=(change,))
    if pending or not statement.changes:
        yield replace(statement, changes=tuple(pending))


def _existing(statement: Statement, registry: Registry) -> Component | None:
    """Return the component that a statement names, or None; for ALTER of an undeclared base type, a new component."""
    component = registry.components.get(statement.key)
    if component is None and statement.command is Command.ALTER:
        return _base_type(statement, registry)
    return component


def _base_type(statement: Statement, registry: Registry) -> Component | None:
    """Return a component for the base type of an object, if the statement names one; else None."""
    owner_name, _, type_name = statement.name.rpartition(".")
    owner = registry.objects.get(owner_name)
    named = (statement.type, type_name) == (ComponentKind.OBJECT_TYPE, BASE_TYPE)
    if owner is None or not named:
        return None
    label = f"Base {owner.label}"
    return Component(statement.type, statement.name, {"label": (label,)})


def _step(statement: Statement, registry: Registry) -> Step:
    existing = _existing(statement, registry)
    if statement.command is Command.RENAME:
        return _rename(statement, existing, registry)
    if existing is not None and len(statement.changes) == 1:
        only = statement.changes[0]
        if isinstance(only, RenameChild):
            return _rename_child(only, existing, registry)
    result = apply(statement, existing)
    if result is None:
        _refuse_standard_drop(statement)
        left = registry.without(*statement.key)
        # What refers to the component has been looked for by the registry.
        return Step(registry, left, {statement.key: None})
    following = registry.with_component(result)
    # The registry may have added a prefix to the component.
    whole = following.components[statement.key]
    return Step(registry, following, {statement.key: whole})


def _rename(
    statement: Statement,
    existing: Component | None,
    registry: Registry,
) -> Step:
    new_name = statement.new_name or ""
    # Both names are checked there, and that the component exists.
    apply(statement, existing)
    full_name = f"{statement.type} {statement.name}"
    _refuse_standard(full_name, statement.name, new_name)
    if statement.type == ComponentKind.QUEUE:
        message = f"{full_name}: its messages go by its name; create a new queue."
        raise ComponentError(message, Code.NOT_SUPPORTED)
    if (statement.type, new_name) in registry.components:
        message = f"{statement.type} {new_name} already exists."
        raise ComponentError(message, Code.EXISTS)
    former_owner = statement.name.rpartition(".")[0]
    new_owner = new_name.rpartition(".")[0]
    if former_owner != new_owner:
        message = f"{full_name} stays with the component it belongs to."
        raise ComponentError(message, Code.INVALID_NAME)
    changes = renamed_component(registry, statement.key, new_name)
    following = registry.with_changes(changes)
    renaming = Renaming(statement.type, statement.name, new_name)
    return Step(
        registry,
        following,
        changes,
        renaming,
    )


def _rename_child(
    change: RenameChild,
    existing: Component,
    registry: Registry,
) -> Step:
    result = altered(existing, (change,))
    if result is existing:  # IF EXISTS, and there is none
        return Step(registry, registry)
    path = f"{existing.type} {existing.name}: {change.type} {change.name}"
    _refuse_standard(path, change.name, change.new_name)
    trees: dict[Key, Component | None] = {existing.key: result}
    # A registry in which only the child has its new name: others still use the old one.
    components = {**registry.components, existing.key: result}
    begun = replace(registry, components=components)
    for component in _with_new_name(change, result, begun):
        trees[component.key] = component
    following = registry.with_changes(trees)
    changes = {key: following.components[key] for key in trees}
    renaming = Renaming(
        existing.type,
        existing.name,
        change.new_name,
        change.type,
        change.name,
    )
    return Step(
        registry,
        following,
        changes,
        renaming,
    )


def _with_new_name(
    change: RenameChild,
    owner: Component,
    registry: Registry,
) -> Iterator[Component]:
    """Yield the components that refer to a renamed sub-component by name; only some types can be referred to."""
    kinds = (owner.type, change.type)
    if kinds == (ComponentKind.OBJECT, PartKind.FIELD):
        return renamed_field(
            registry,
            owner,
            change.name,
            change.new_name,
        )
    if kinds == (ComponentKind.LIFECYCLE, PartKind.STATE):
        return renamed_state(
            registry,
            owner,
            change.name,
            change.new_name,
        )
    return iter(())


def _refuse_standard(
    path: str,
    name: str,
    new_name: str,
) -> None:
    if name.endswith(_STANDARD):
        message = f"{path} is standard; only custom components can be renamed."
        raise ComponentError(message, Code.NOT_SUPPORTED)
    if new_name.endswith(_STANDARD):
        message = f"{path}: the new name must be a custom one."
        raise ComponentError(message, Code.INVALID_NAME)


def _refuse_standard_drop(statement: Statement) -> None:
    if statement.name.endswith("__sys"):
        path = f"{statement.type} {statement.name}"
        message = f"{path} belongs to the system and cannot be dropped."
        raise ComponentError(message, Code.NOT_SUPPORTED)
