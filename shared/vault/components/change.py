"""Applies a statement to the component that it names."""

from __future__ import annotations

from collections.abc import Iterable
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
from shared.vault.components.types import COMPONENT_TYPES

__all__ = ["ComponentError", "altered", "apply"]

# Two names of one thing: the one set last counts.
_ENTRY_LABELS = {"label": "value", "value": "label"}


def apply(
    statement: Statement,
    existing: Component | None,
) -> Component | None:
    """Return the component after the statement, checked by itself; None when it was dropped.

    If the statement's condition is not met, ``existing`` is returned. References of the component are checked by
    ``Registry.with_component`` or ``Registry.without``, references to a renamed component by ``evolution``.

    :param existing: the present component of that type and name; None when there is none.
    :raises ComponentError: EXISTS or NOT_FOUND, or what ``check`` raises for the result.
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

    :raises ComponentError: EXISTS if a part to add exists, NOT_FOUND if a part to change does not.
    """
    path = f"{component.type} {component.name}"
    return _altered(component, changes, path)


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


def _altered(
    component: Component,
    changes: tuple[Change, ...],
    path: str,
) -> Component:
    under_way = _Alteration(component, path)
    for change in changes:
        under_way.carry_out(change)
    return under_way.result()


class _Alteration:
    """A component during an ALTER; the cost of a change depends on the change's size, not on the component's."""

    def __init__(self, component: Component, path: str) -> None:
        self._component = component
        self._path = path
        self._values: dict[str, Iterable[Scalar]] = dict(component.attributes)
        # A changed child stays in its place: the order of children is the order of values and rules.
        self._children: list[Component | None] = [*component.children]
        self._places = {
            child.key: place for place, child in enumerate(component.children)
        }

    def result(self) -> Component:
        """Return the component with the changes made so far."""
        attributes = {name: tuple(values) for name, values in self._values.items()}
        children = tuple(child for child in self._children if child is not None)
        return replace(self._component, attributes=attributes, children=children)

    def carry_out(self, change: Change) -> None:
        """Carry out one change.

        :raises ComponentError: EXISTS if a part to add exists, NOT_FOUND if a part to change does not.
        """
        match change:
            case SetAttribute():
                self._set(change)
            case AddValues(name, values):
                # Values of an attribute are a set that has an order.
                self._distinct(name).update(dict.fromkeys(values))
            case DropValues():
                self._drop_values(change)
            case DropAttribute(name):
                if name not in self._values:
                    message = f"{self._path} has no attribute {name} to drop."
                    raise ComponentError(message, Code.NOT_FOUND)
                del self._values[name]
            case AddChild():
                self._add_child(change)
            case ModifyChild() | RenameChild() | DropChild():
                if isinstance(change, ModifyChild):
                    self._declare(change)
                exists = (change.type, change.name) in self._places
                if change.condition.holds(exists=exists):
                    self._change_child(change)
            case _:
                assert_never(change)

    def _set(self, change: SetAttribute) -> None:
        self._values[change.name] = change.values
        is_entry = self._component.type == PartKind.PICKLIST_ENTRY
        if is_entry and change.name in _ENTRY_LABELS:
            self._values.pop(_ENTRY_LABELS[change.name], None)

    def _distinct(self, name: str) -> dict[Scalar, None]:
        """Return an attribute's values as the keys of a dictionary, and store it in place of the values."""
        values = self._values.get(name, ())
        if isinstance(values, dict):
            return values
        distinct = dict.fromkeys(values)
        self._values[name] = distinct
        return distinct

    def _drop_values(self, change: DropValues) -> None:
        left = self._distinct(change.name)
        if not all(value in left for value in change.values):
            message = (
                f"{self._path}: {change.name} does not have all of the values to drop."
            )
            raise ComponentError(message, Code.NOT_FOUND)
        for value in change.values:
            left.pop(value, None)

    def _add_child(self, change: AddChild) -> None:
        child = change.child
        exists = child.key in self._places
        if not change.condition.holds(exists=exists):
            return
        if exists:
            message = f"{self._path} already has {child.type} {child.name}; use MODIFY."
            raise ComponentError(message, Code.EXISTS)
        self._places[child.key] = len(self._children)
        self._children.append(child)

    def _declare(self, change: ModifyChild) -> None:
        """Add a sub-component of the platform that the MDL does not mention, so that it can be modified."""
        key = (change.type, change.name)
        owner = COMPONENT_TYPES.get(self._component.type)
        kind = None if owner is None else owner.subtypes.get(change.type)
        if kind is None or key in self._places or change.name not in kind.redefinable:
            return
        self._places[key] = len(self._children)
        self._children.append(Component(*key))

    def _change_child(self, change: ModifyChild | RenameChild | DropChild) -> None:
        key = (change.type, change.name)
        place = self._places.get(key)
        child = None if place is None else self._children[place]
        if place is None or child is None:
            message = f"{self._path} has no {change.type} {change.name}."
            raise ComponentError(message, Code.NOT_FOUND)
        match change:
            case DropChild():
                del self._places[key]
                self._children[place] = None
            case ModifyChild():
                where = f"{self._path}: {change.type} {change.name}"
                self._children[place] = _altered(child, change.changes, where)
            case RenameChild():
                renamed = replace(child, name=change.new_name)
                if renamed.key in self._places:
                    message = (
                        f"{self._path} already has {change.type} {change.new_name}."
                    )
                    raise ComponentError(message, Code.EXISTS)
                del self._places[key]
                self._places[renamed.key] = place
                self._children[place] = renamed
            case _:
                assert_never(change)
