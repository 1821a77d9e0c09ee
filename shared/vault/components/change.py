"""Applies a statement to the component that it is about."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

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

# Two names of one thing: the one set last counts.
_ENTRY_LABELS = {"label": "value", "value": "label"}


def apply(
    statement: Statement,
    existing: Component | None,
) -> Component | None:
    """Return the component after the statement, checked on its own; None when it was dropped.

    Where the statement's condition does not hold, it is what it was. What the component refers to is checked by
    ``Registry.with_component`` or ``Registry.without``; what refers to it, when it is renamed, by ``evolution``.

    :param existing: the component of that type and name as it is now.
    :raises ComponentError: EXISTS, NOT_FOUND, or what ``check`` raises of the result.
    """
    full_name = f"{statement.type} {statement.name}"
    if not statement.condition.holds(exists=existing is not None):
        return existing
    match statement.command:
        case Command.CREATE:
            if existing is not None:
                message = f"{full_name} already exists; use ALTER or RECREATE."
                raise ComponentError(message, Code.EXISTS)
            return _created(statement)
        case Command.RECREATE:
            return _created(statement)
        case Command.RENAME:
            former = _required(existing, full_name)
            renamed = replace(former, name=statement.new_name or former.name)
            return check(renamed)
        case Command.DROP:
            _required(existing, full_name)
            return None
        case Command.ALTER:
            former = _required(existing, full_name)
            return check(altered(former, statement.changes))
        case _:
            assert_never(statement.command)


def altered(
    component: Component,
    changes: tuple[Change, ...],
) -> Component:
    """Return the component with the changes of an ALTER, not yet checked.

    :raises ComponentError: EXISTS or NOT_FOUND if a change does not fit what is there.
    """
    path = f"{component.type} {component.name}"
    return _changed(component, changes, path)


def _created(statement: Statement) -> Component:
    empty = Component(statement.type, statement.name)
    return check(statement.component or empty)


def _required(
    existing: Component | None,
    full_name: str,
) -> Component:
    if existing is None:
        raise ComponentError(f"{full_name} does not exist.", Code.NOT_FOUND)
    return existing


def _changed(
    component: Component,
    changes: tuple[Change, ...],
    path: str,
) -> Component:
    for change in changes:
        component = _apply_one(component, change, path)
    return component


def _apply_one(
    component: Component,
    change: Change,
    path: str,
) -> Component:
    match change:
        case SetAttribute() | AddValues() | DropValues() | DropAttribute():
            attributes = _attributes(component, change, path)
            return replace(component, attributes=attributes)
        case AddChild():
            return _with_child(component, change, path)
        case ModifyChild() | RenameChild() | DropChild():
            existing = component.child(change.type, change.name)
            if not change.condition.holds(exists=existing is not None):
                return component
            return _with_child_changed(component, change, path)
        case _:
            assert_never(change)


def _with_child(
    component: Component,
    change: AddChild,
    path: str,
) -> Component:
    child = change.child
    exists = component.child(child.type, child.name) is not None
    if not change.condition.holds(exists=exists):
        return component
    if exists:
        message = f"{path} already has {child.type} {child.name}; use MODIFY."
        raise ComponentError(message, Code.EXISTS)
    return replace(component, children=(*component.children, child))


def _with_child_changed(
    component: Component,
    change: ModifyChild | RenameChild | DropChild,
    path: str,
) -> Component:
    child = _existing_child(
        component,
        change.type,
        change.name,
        path,
    )
    match change:
        case DropChild():
            changed: tuple[Component, ...] = ()
        case ModifyChild():
            where = f"{path}: {change.type} {change.name}"
            changed = (_changed(child, change.changes, where),)
        case RenameChild():
            if component.child(change.type, change.new_name) is not None:
                message = f"{path} already has {change.type} {change.new_name}."
                raise ComponentError(message, Code.EXISTS)
            changed = (replace(child, name=change.new_name),)
        case _:
            assert_never(change)
    # A changed child stays in its place: the order of children is the order of values and rules.
    position = component.children.index(child)
    before = component.children[:position]
    behind = component.children[position + 1 :]
    return replace(component, children=(*before, *changed, *behind))


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
            # Values of an attribute are a set that has an order.
            added = [value for value in values if value not in former]
            attributes[name] = (*former, *added)
        case DropValues(name, values):
            if not set(values) <= set(former):
                message = f"{path}: {name} does not have all of the values to drop."
                raise ComponentError(message, Code.NOT_FOUND)
            left = [value for value in former if value not in values]
            attributes[name] = tuple(left)
        case DropAttribute(name):
            if name not in attributes:
                message = f"{path} has no attribute {name} to drop."
                raise ComponentError(message, Code.NOT_FOUND)
            del attributes[name]
        case _:
            assert_never(change)
    return attributes


def _existing_child(
    component: Component,
    type_name: str,
    name: str,
    path: str,
) -> Component:
    child = component.child(type_name, name)
    if child is None:
        raise ComponentError(f"{path} has no {type_name} {name}.", Code.NOT_FOUND)
    return child
