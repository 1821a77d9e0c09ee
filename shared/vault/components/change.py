"""What a statement makes of a component: the tree that results, or the reason why it may not."""

from __future__ import annotations

from dataclasses import replace

from shared.vault.components.errors import Code, ComponentError
from shared.vault.components.statement import (
    AddChild,
    Change,
    Command,
    DropAttribute,
    DropChild,
    ModifyChild,
    SetAttribute,
    Statement,
)
from shared.vault.components.tree import Component
from shared.vault.components.validation import check

__all__ = ["ComponentError", "apply"]


def apply(statement: Statement, existing: Component | None) -> Component | None:
    """The component after the statement, checked on its own; None when it was dropped.

    What the component refers to is checked by ``Registry.with_component`` or ``Registry.without``.

    :param existing: the component of that type and name as it is now.
    :raises ComponentError: if it exists and may not, does not exist and must, or would be invalid.
    """
    full_name = f"{statement.type} {statement.name}"
    match statement.command:
        case Command.CREATE if existing is not None:
            raise ComponentError(f"{full_name} already exists; use ALTER or RECREATE.", Code.EXISTS)
        case Command.CREATE | Command.RECREATE:
            return check(statement.component or Component(statement.type, statement.name))
        case Command.RENAME:
            raise ComponentError(f"{full_name}: RENAME is not supported yet.", Code.NOT_SUPPORTED)
        case _ if existing is None:
            raise ComponentError(f"{full_name} does not exist.", Code.NOT_FOUND)
        case Command.DROP:
            return None
        case Command.ALTER:
            return check(_changed(existing, statement.changes, full_name))


def _changed(component: Component, changes: tuple[Change, ...], path: str) -> Component:
    for change in changes:
        component = _apply_one(component, change, path)
    return component


def _apply_one(component: Component, change: Change, path: str) -> Component:
    match change:
        case SetAttribute(name, values):
            return replace(component, attributes={**component.attributes, name: values})
        case DropAttribute(name):
            if name not in component.attributes:
                raise ComponentError(f"{path} has no attribute {name} to drop.", Code.NOT_FOUND)
            kept = {key: values for key, values in component.attributes.items() if key != name}
            return replace(component, attributes=kept)
        case AddChild(child):
            if component.child(child.type, child.name) is not None:
                raise ComponentError(f"{path} already has {child.type} {child.name}; use MODIFY.", Code.EXISTS)
            return replace(component, children=(*component.children, child))
        case ModifyChild(type_name, name, inner):
            child = _existing_child(component, type_name, name, path)
            changed = _changed(child, inner, f"{path}: {type_name} {name}")
            return replace(component, children=tuple(changed if c is child else c for c in component.children))
        case DropChild(type_name, name):
            child = _existing_child(component, type_name, name, path)
            return replace(component, children=tuple(c for c in component.children if c is not child))


def _existing_child(component: Component, type_name: str, name: str, path: str) -> Component:
    child = component.child(type_name, name)
    if child is None:
        raise ComponentError(f"{path} has no {type_name} {name}.", Code.NOT_FOUND)
    return child
