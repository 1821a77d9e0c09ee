"""Makes form inputs from a component's attributes, and changes from a submitted form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, assert_never

from shared.vault.admin.inputs import BLANK, Input, InputKind
from shared.vault.components.component_tree import Component, Scalar
from shared.vault.components.specification import Attribute, ValueType
from shared.vault.components.statement import Change, DropAttribute, SetAttribute

if TYPE_CHECKING:
    from shared.vault.components.specification import ComponentType

ACTIVE = "active"
LONG = 1000  # from so many characters on, a text has a text area

LABELS = {
    "target_docfield": "Target Document Field",
    "target_obj_field_ref_obj": "Referenced Object",
    "target_object_field": "Target Field",
}
SWITCHES = (("true", "Yes"), ("false", "No"))
STATUSES = (("true", "Active"), ("false", "Inactive"))


def label_of(name: str) -> str:
    """Return the label of an attribute on pages."""
    # Abbreviations of MDL read better as words.
    if name in LABELS:
        return LABELS[name]
    return name.replace("_", " ").title()


def attribute_inputs(
    kind: ComponentType,
    component: Component,
    locked: frozenset[str],
    form: Mapping[str, str],
) -> list[Input]:
    """Return the inputs of a component's attributes, with the values of the component or of a refused form.

    Attributes named in ``locked`` are shown and cannot be changed.
    """
    listed = []
    for attribute in kind.attributes.values():
        value = form.get(attribute.name, shown(attribute, component))
        listed.append(_input(attribute, value, attribute.name in locked))
    return listed


def _input(attribute: Attribute, value: str, locked: bool) -> Input:
    """Return the input of one attribute, filled with a value."""
    options = _options(attribute)
    if options:
        kind = InputKind.SELECT
    elif (attribute.max_length or 0) >= LONG:
        kind = InputKind.TEXT_AREA
    else:
        kind = InputKind.TEXT
    return Input(
        name=attribute.name,
        label="Status" if attribute.name == ACTIVE else label_of(attribute.name),
        kind=kind,
        value=value,
        options=options,
        required=attribute.required,
        max_length=attribute.max_length,
        locked=locked,
        rows=2,
    )


def shown(attribute: Attribute, component: Component) -> str:
    """Return the text of an attribute in its input: of a component its name, of an unset switch its default."""
    match attribute.type:
        case ValueType.BOOLEAN:
            # Components are active unless they say otherwise; other switches are off.
            on = component.flag(attribute.name, default=attribute.name == ACTIVE)
            return "true" if on else "false"
        case ValueType.COMPONENT:
            return component.reference(attribute.name) or ""
        case (
            ValueType.STRING
            | ValueType.NUMBER
            | ValueType.ENUM
            | ValueType.XML
            | ValueType.EXPRESSION
        ):
            return component.text(attribute.name)
        case _:
            assert_never(attribute.type)


def changes_of(
    kind: ComponentType,
    component: Component,
    form: Mapping[str, str],
) -> tuple[Change, ...]:
    """Return the changes of a component in a form: attributes that differ are set, emptied ones are dropped."""
    return tuple(_changes(kind.attributes.values(), component, form))


def _changes(
    attributes: Iterable[Attribute],
    component: Component,
    form: Mapping[str, str],
) -> Iterable[Change]:
    """Yield a change for each attribute whose text in the form differs from that of the component."""
    for attribute in attributes:
        before = shown(attribute, component)
        # Browsers end the lines of a text area with CR and LF, whatever the page has.
        now = form.get(attribute.name, before).replace("\r\n", "\n").strip()
        if now == before:
            continue
        if now:
            yield SetAttribute(attribute.name, (_scalar(attribute, now),))
        elif attribute.name in component.attributes:
            yield DropAttribute(attribute.name)


def _options(attribute: Attribute) -> tuple[tuple[str, str], ...]:
    """Return value and label of each value that an attribute may have; empty when any text is allowed."""
    match attribute.type:
        case ValueType.BOOLEAN:
            return STATUSES if attribute.name == ACTIVE else SWITCHES
        case ValueType.ENUM:
            return (BLANK, *((name, name) for name in attribute.enums))
        case (
            ValueType.STRING
            | ValueType.NUMBER
            | ValueType.COMPONENT
            | ValueType.XML
            | ValueType.EXPRESSION
        ):
            return ()
        case _:
            assert_never(attribute.type)


def _scalar(attribute: Attribute, value: str) -> Scalar:
    """Return the value of an input as the attribute stores it."""
    match attribute.type:
        case ValueType.BOOLEAN:
            return value == "true"
        case ValueType.COMPONENT:
            # Forms name a component without its type, which the attribute knows.
            return value if "." in value else f"{attribute.component}.{value}"
        case (
            ValueType.STRING
            | ValueType.NUMBER
            | ValueType.ENUM
            | ValueType.XML
            | ValueType.EXPRESSION
        ):
            return value
        case _:
            assert_never(attribute.type)
