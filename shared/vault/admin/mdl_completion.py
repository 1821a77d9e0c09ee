"""Offers the possible next words of an MDL script, from the types and components of the registry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from shared.vault.components.component_tree import Component, Scalar
from shared.vault.components.mdl_writing import render_statement
from shared.vault.components.specification import Attribute, ComponentType, ValueType
from shared.vault.components.statement import (
    AddChild,
    Change,
    Command,
    SetAttribute,
    Statement,
)
from shared.vault.components.types import COMPONENT_TYPES

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry

NEW_NAME = "new__c"
COMMANDS = (Command.ALTER, Command.CREATE, Command.RECREATE, Command.DROP)
MAX_NAMES = 1000  # of components that are offered


@dataclass(frozen=True, slots=True)
class Completion:
    """A person's choice: a command, a component type and a name; for ALTER also an attribute or a subcomponent type.

    ``kind`` is None until an existing type is chosen.
    """

    command: Command
    type: str
    name: str
    part: str
    kind: ComponentType | None

    def names(self, registry: Registry) -> list[str]:
        """Return the names of the components of the type, at most ``MAX_NAMES``."""
        of_type = (name for kind, name in registry.components if kind == self.type)
        return sorted(of_type)[:MAX_NAMES]

    def parts(self) -> list[tuple[str, str]]:
        """Return the attributes and subcomponent types that the type declares, each with a description."""
        if self.kind is None:
            return []
        attributes = [
            (each.name, meaning(each)) for each in self.kind.attributes.values()
        ]
        subtypes = [(each.name, each.label) for each in self.kind.subtypes.values()]
        return [*attributes, *subtypes]


def completion_of(form: Mapping[str, str]) -> Completion:
    """Return the choice in a form; an unknown command counts as ALTER."""
    command_name = form.get("of_command", "")
    command = next((each for each in COMMANDS if each == command_name), Command.ALTER)
    type_name = form.get("of_type", "").strip()
    return Completion(
        command,
        type_name,
        form.get("of_name", "").strip(),
        form.get("of_part", "").strip(),
        COMPONENT_TYPES.get(type_name),
    )


def meaning(attribute: Attribute) -> str:
    """Return a description of an attribute's values."""
    words = [attribute.type.value]
    if attribute.enums:
        words = [" or ".join(attribute.enums)]
    elif attribute.component:
        words = [attribute.component]
    if attribute.max_length:
        words.append(f"up to {attribute.max_length} characters")
    if attribute.multi_value:
        words.append("several")
    if attribute.required:
        words.append("required")
    return ", ".join(words)


def statement_text(registry: Registry, chosen: Completion) -> str:
    """Return the beginning of the chosen statement, to be completed by hand; empty without a type."""
    if chosen.kind is None:
        return ""
    name = chosen.name or NEW_NAME
    present = registry.components.get((chosen.type, name))
    component = None
    changes: tuple[Change, ...] = ()
    match chosen.command:
        case Command.CREATE | Command.RECREATE:
            # RECREATE begins with the present definition, to be changed.
            component = present or _new_component(chosen.kind, name)
        case Command.ALTER:
            changes = (_change(chosen.kind, chosen.part, present),)
        case Command.DROP | Command.RENAME:
            pass
        case _:
            assert_never(chosen.command)
    statement = Statement(
        chosen.command, chosen.type, name, 1, component=component, changes=changes
    )
    return render_statement(statement)


def _new_component(kind: ComponentType, name: str) -> Component:
    """Return a component with the attributes that its type requires."""
    required = [each for each in kind.attributes.values() if each.required]
    return Component(
        kind.name, name, {each.name: (_example(each),) for each in required}
    )


def _change(kind: ComponentType, part: str, present: Component | None) -> Change:
    """Return a change of the attribute or part that was chosen, or of the first attribute."""
    if part in kind.subtypes:
        return AddChild(_new_component(kind.subtypes[part], NEW_NAME))
    attribute = kind.attributes.get(part) or next(_attributes(kind))
    stored = present.attributes.get(attribute.name) if present else None
    return SetAttribute(attribute.name, stored or (_example(attribute),))


def _attributes(kind: ComponentType) -> Iterator[Attribute]:
    """Yield the attributes of a type, the label first."""
    label = kind.attributes.get("label")
    if label is not None:
        yield label
    yield from kind.attributes.values()
    # A type that declares none takes any.
    yield Attribute("label", ValueType.STRING)


def _example(attribute: Attribute) -> Scalar:
    """Return an example of a value of an attribute."""
    match attribute.type:
        case ValueType.BOOLEAN:
            return True
        case ValueType.NUMBER:
            return attribute.minimum or 0
        case ValueType.ENUM:
            return attribute.enums[0] if attribute.enums else ""
        case ValueType.COMPONENT:
            return f"{attribute.component}.{NEW_NAME}"
        case ValueType.STRING | ValueType.XML | ValueType.EXPRESSION:
            return ""
        case _:
            assert_never(attribute.type)
