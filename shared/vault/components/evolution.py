"""Applies a statement to all components of a Vault, step by step, each with a registry of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from shared.vault.components import change
from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_kinds import ComponentKind, PartKind
from shared.vault.components.component_tree import Component
from shared.vault.components.configured_queries import check_entry_criteria
from shared.vault.components.entry_action_definitions import check_entry_actions
from shared.vault.components.permission_changes import (
    check_permissions,
    refuse_supplied,
)
from shared.vault.components.permission_types import PERMISSION_SET, PROFILE
from shared.vault.components.registry import Key, Registry
from shared.vault.components.renaming import (
    renamed_component,
    renamed_field,
    renamed_state,
)
from shared.vault.components.rule_changes import RULE, check_rule_change
from shared.vault.components.statement import Command, RenameChild, Statement

__all__ = ["Renaming", "Step", "after", "steps"]

_STANDARD = ("__v", "__sys")


@dataclass(frozen=True, slots=True)
class Renaming:
    """A component that gets the name ``new_name``; or, with a ``subtype``, its sub-component ``subname`` does."""

    type: str
    name: str
    new_name: str
    subtype: str = ""
    subname: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a statement.

    ``changes`` are the components by their keys before; None for one that is gone. A component that was renamed has
    another key after.
    """

    before: Registry
    after: Registry
    changes: Mapping[Key, Component | None] = field(default_factory=dict)
    renaming: Renaming | None = None


def after(statement: Statement, registry: Registry) -> Registry:
    """Return the registry after a statement.

    :raises ComponentError: if it cannot be carried out.
    """
    for step in steps(statement, registry):
        registry = step.after
    return registry


def steps(statement: Statement, registry: Registry) -> list[Step]:
    """Return the steps of a statement, in order; none where its condition does not hold.

    Inside ALTER each RENAME is a step, so that data follow the name before anything else is done with it.

    :raises ComponentError: if it cannot be carried out.
    """
    if not statement.condition.holds(exists=statement.key in registry.components):
        return []
    refuse_supplied(statement.key)
    taken = []
    for part in _parts(statement):
        step = _step(part, registry)
        check_entry_criteria(step.after)
        check_entry_actions(step.after)
        _check_rules(step)
        taken.append(step)
        registry = step.after
    return taken


def _check_rules(step: Step) -> None:
    for (kind, name), component in step.changes.items():
        if kind == RULE:
            check_rule_change(step.before.components.get((kind, name)), component)
        elif kind in (PERMISSION_SET, PROFILE) and component is not None:
            check_permissions(component, step.after)


def _parts(statement: Statement) -> Iterator[Statement]:
    pending = []
    for one in statement.changes:
        if not isinstance(one, RenameChild):
            pending.append(one)
            continue
        if pending:
            yield replace(statement, changes=tuple(pending))
            pending = []
        yield replace(statement, changes=(one,))
    if pending or not statement.changes:
        yield replace(statement, changes=tuple(pending))


def _step(statement: Statement, registry: Registry) -> Step:
    existing = registry.components.get(statement.key)
    if statement.command is Command.RENAME:
        return _rename(statement, existing, registry)
    if (
        existing is not None
        and len(statement.changes) == 1
        and isinstance(statement.changes[0], RenameChild)
    ):
        return _rename_child(statement.changes[0], existing, registry)
    result = change.apply(statement, existing)
    if result is None:
        _refuse_standard_drop(statement)
        return Step(registry, registry.without(*statement.key), {statement.key: None})
    following = registry.with_component(result)
    return Step(
        registry, following, {statement.key: following.components[statement.key]}
    )


def _rename(
    statement: Statement, existing: Component | None, registry: Registry
) -> Step:
    new_name = statement.new_name or ""
    change.apply(statement, existing)  # both names are checked there
    full_name = f"{statement.type} {statement.name}"
    _refuse_standard(full_name, statement.name, new_name)
    if statement.type == ComponentKind.QUEUE:
        raise ComponentError(
            f"{full_name}: its messages go by its name; create a new queue.",
            Code.NOT_SUPPORTED,
        )
    if (statement.type, new_name) in registry.components:
        raise ComponentError(
            f"{statement.type} {new_name} already exists.", Code.EXISTS
        )
    if statement.name.rpartition(".")[0] != new_name.rpartition(".")[0]:
        raise ComponentError(
            f"{full_name} stays with the component it belongs to.", Code.INVALID_NAME
        )
    changes = renamed_component(registry, statement.key, new_name)
    following = registry.with_changes(changes)
    return Step(
        registry, following, changes, Renaming(statement.type, statement.name, new_name)
    )


def _rename_child(one: RenameChild, existing: Component, registry: Registry) -> Step:
    result = change.altered(existing, (one,))
    if result is existing:  # IF EXISTS, and there is none
        return Step(registry, registry)
    path = f"{existing.type} {existing.name}: {one.type} {one.name}"
    _refuse_standard(path, one.name, one.new_name)
    trees: dict[Key, Component | None] = {existing.key: result}
    begun = replace(registry, components={**registry.components, existing.key: result})
    if existing.type == ComponentKind.OBJECT and one.type == PartKind.FIELD:
        trees |= {
            c.key: c for c in renamed_field(begun, result, one.name, one.new_name)
        }
    elif existing.type == ComponentKind.LIFECYCLE and one.type == PartKind.STATE:
        trees |= {
            c.key: c for c in renamed_state(begun, result, one.name, one.new_name)
        }
    following = registry.with_changes(trees)
    changes = {key: following.components[key] for key in trees}
    return Step(
        registry,
        following,
        changes,
        Renaming(existing.type, existing.name, one.new_name, one.type, one.name),
    )


def _refuse_standard(path: str, name: str, new_name: str) -> None:
    if name.endswith(_STANDARD):
        raise ComponentError(
            f"{path} is standard; only custom components can be renamed.",
            Code.NOT_SUPPORTED,
        )
    if new_name.endswith(_STANDARD):
        raise ComponentError(
            f"{path}: the new name must be a custom one.", Code.INVALID_NAME
        )


def _refuse_standard_drop(statement: Statement) -> None:
    if statement.name.endswith("__sys"):
        path = f"{statement.type} {statement.name}"
        raise ComponentError(
            f"{path} belongs to the system and cannot be dropped.", Code.NOT_SUPPORTED
        )
