"""Applies a statement to the component that it is about."""

from __future__ import annotations

from dataclasses import replace

from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_kinds import PartKind
from shared.vault.components.component_tree import Component, Scalar
from shared.vault.components.component_validation import check
from shared.vault.components.statement import (
    AddChild,
    AddValues,
    Change,
    Command,
    DropAttribute,
    DropChild,
    DropValues,
    ModifyChild,
    RenameChild,
    SetAttribute,
    Statement,
)

__all__ = ["ComponentError", "altered", "apply"]

_ENTRY_LABELS = {
    "label": "value",
    "value": "label",
}  # two names of one thing: the one set last counts


def apply(statement: Statement, existing: Component | None) -> Component | None:
    """Return the component after the statement, checked on its own; None when it was dropped.

    Where the statement's condition does not hold, it is what it was. What the component refers to is checked by
    ``Registry.with_component`` or ``Registry.without``; what refers to it, when it is renamed, by ``evolution``.

    :param existing: the component of that type and name as it is now.
    :raises ComponentError: if it exists and may not, does not exist and must, or would be invalid.
    """
    full_name = f"{statement.type} {statement.name}"
    if not statement.condition.holds(exists=existing is not None):
        return existing
    match statement.command:
        case Command.CREATE if existing is not None:
            raise ComponentError(
                f"{full_name} already exists; use ALTER or RECREATE.", Code.EXISTS
            )
        case Command.CREATE | Command.RECREATE:
            return check(
                statement.component or Component(statement.type, statement.name)
            )
        case _ if existing is None:
            raise ComponentError(f"{full_name} does not exist.", Code.NOT_FOUND)
        case Command.RENAME:
            return check(replace(existing, name=statement.new_name or existing.name))
        case Command.DROP:
            return None
        case Command.ALTER:
            return check(altered(existing, statement.changes))


def altered(component: Component, changes: tuple[Change, ...]) -> Component:
    """Return the component with the changes of an ALTER, not yet checked.

    :raises ComponentError: if a change does not fit what is there.
    """
    return _changed(component, changes, f"{component.type} {component.name}")


def _changed(component: Component, changes: tuple[Change, ...], path: str) -> Component:
    for change in changes:
        component = _apply_one(component, change, path)
    return component


def _apply_one(component: Component, change: Change, path: str) -> Component:
    match change:
        case SetAttribute() | AddValues() | DropValues() | DropAttribute():
            return replace(component, attributes=_attributes(component, change, path))
        case AddChild(child, condition):
            exists = component.child(child.type, child.name) is not None
            if not condition.holds(exists=exists):
                return component
            if exists:
                raise ComponentError(
                    f"{path} already has {child.type} {child.name}; use MODIFY.",
                    Code.EXISTS,
                )
            return replace(component, children=(*component.children, child))
    existing = component.child(change.type, change.name)
    if not change.condition.holds(exists=existing is not None):
        return component
    return _with_child_changed(component, change, path)


def _with_child_changed(
    component: Component, change: ModifyChild | RenameChild | DropChild, path: str
) -> Component:
    child = _existing_child(component, change.type, change.name, path)
    where = f"{path}: {change.type} {change.name}"
    if isinstance(change, DropChild):
        return replace(
            component, children=tuple(c for c in component.children if c is not child)
        )
    if isinstance(change, ModifyChild):
        changed = _changed(child, change.changes, where)
    else:
        if component.child(change.type, change.new_name) is not None:
            raise ComponentError(
                f"{path} already has {change.type} {change.new_name}.", Code.EXISTS
            )
        changed = replace(child, name=change.new_name)
    return replace(
        component,
        children=tuple(changed if c is child else c for c in component.children),
    )


def _attributes(
    component: Component,
    change: SetAttribute | AddValues | DropValues | DropAttribute,
    path: str,
) -> dict[str, tuple[Scalar, ...]]:
    attributes = dict(component.attributes)
    former = attributes.get(change.name, ())
    match change:
        case SetAttribute(name, values):
            attributes[name] = values
            if component.type == PartKind.PICKLIST_ENTRY and name in _ENTRY_LABELS:
                attributes.pop(_ENTRY_LABELS[name], None)
        case AddValues(name, values):
            attributes[name] = (
                *former,
                *(value for value in values if value not in former),
            )
        case DropValues(name, values):
            missing = [value for value in values if value not in former]
            if missing:
                raise ComponentError(
                    f"{path}: {name} does not have all of the values to drop.",
                    Code.NOT_FOUND,
                )
            attributes[name] = tuple(value for value in former if value not in values)
        case DropAttribute(name):
            if name not in attributes:
                raise ComponentError(
                    f"{path} has no attribute {name} to drop.", Code.NOT_FOUND
                )
            del attributes[name]
    return attributes


def _existing_child(
    component: Component, type_name: str, name: str, path: str
) -> Component:
    child = component.child(type_name, name)
    if child is None:
        raise ComponentError(f"{path} has no {type_name} {name}.", Code.NOT_FOUND)
    return child
