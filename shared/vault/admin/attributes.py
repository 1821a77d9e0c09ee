"""The inputs of a component's attributes, and the changes that a form comes to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from shared.vault.admin.inputs import BLANK, Input
from shared.vault.components.component_tree import Component, Scalar
from shared.vault.components.specification import Attribute, ValueType
from shared.vault.components.statement import Change, DropAttribute, SetAttribute

if TYPE_CHECKING:
    from shared.vault.components.specification import ComponentType

ACTIVE = "active"
LONG = 1000
"""From so many characters on, a text has a text area."""

LABELS = {
    "target_docfield": "Target Document Field",
    "target_obj_field_ref_obj": "Referenced Object",
    "target_object_field": "Target Field",
}
SWITCHES = (("true", "Yes"), ("false", "No"))
STATUSES = (("true", "Active"), ("false", "Inactive"))


def label_of(name: str) -> str:
    """What a page calls an attribute."""
    return LABELS.get(name) or name.replace("_", " ").title()


def attribute_inputs(
    kind: ComponentType,
    component: Component,
    locked: frozenset[str],
    given: Mapping[str, str],
) -> list[Input]:
    """The inputs of a component's attributes, with what it has or what was given before; ``locked`` ones are shown."""
    return [
        _input(
            attribute,
            given.get(attribute.name, shown(attribute, component)),
            attribute.name in locked,
        )
        for attribute in kind.attributes.values()
    ]


def _input(attribute: Attribute, value: str, locked: bool) -> Input:
    options: tuple[tuple[str, str], ...] = ()
    if attribute.type is ValueType.BOOLEAN:
        options = STATUSES if attribute.name == ACTIVE else SWITCHES
    elif attribute.type is ValueType.ENUM:
        options = (BLANK, *((name, name) for name in attribute.enums))
    long = (attribute.max_length or 0) >= LONG
    return Input(
        name=attribute.name,
        label="Status" if attribute.name == ACTIVE else label_of(attribute.name),
        kind="select" if options else "textarea" if long else "text",
        value=value,
        options=options,
        required=attribute.required,
        max_length=attribute.max_length,
        locked=locked,
        rows=2,
    )


def shown(attribute: Attribute, component: Component) -> str:
    """An attribute as a form holds it: a component by its name, a switch that is not set as what it counts for."""
    if attribute.type is ValueType.BOOLEAN:
        return (
            "true"
            if component.flag(attribute.name, default=attribute.name == ACTIVE)
            else "false"
        )
    if attribute.type is ValueType.COMPONENT:
        return component.reference(attribute.name) or ""
    return component.text(attribute.name)


def changes_of(
    kind: ComponentType, component: Component, given: Mapping[str, str]
) -> tuple[Change, ...]:
    """What a form changes of a component: what it leaves as it was is not written, what it empties is taken away."""
    return tuple(_changes(kind.attributes.values(), component, given))


def _changes(
    attributes: Iterable[Attribute], component: Component, given: Mapping[str, str]
) -> Iterable[Change]:
    for attribute in attributes:
        before = shown(attribute, component)
        # Browsers end the lines of a text area with CR and LF, whatever they were given.
        now = given.get(attribute.name, before).replace("\r\n", "\n").strip()
        if now == before:
            continue
        if now:
            yield SetAttribute(attribute.name, (_scalar(attribute, now),))
        elif attribute.name in component.attributes:
            yield DropAttribute(attribute.name)


def _scalar(attribute: Attribute, value: str) -> Scalar:
    if attribute.type is ValueType.BOOLEAN:
        return value == "true"
    if attribute.type is ValueType.COMPONENT:
        return value if "." in value else f"{attribute.component}.{value}"
    return value
