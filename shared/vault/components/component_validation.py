"""Checks one component on its own: its type, names, attributes and their values."""

from __future__ import annotations

import re

from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_kinds import ComponentKind
from shared.vault.components.component_tree import Component, Embedded, Scalar
from shared.vault.components.consistency import check_consistency
from shared.vault.components.kept_types import MAX_KEPT_NAME
from shared.vault.components.lifecycle_types import STATE
from shared.vault.components.specification import (
    Attribute,
    ComponentType,
    NameRule,
    ValueType,
)
from shared.vault.components.types import COMPONENT_TYPES

_STEM = r"[a-z0-9]+(?:_[a-z0-9]+)*"
_NAMESPACED = rf"{_STEM}__(?:v|c|sys)"
_NAME_PATTERNS = {
    NameRule.NAMESPACED: re.compile(_NAMESPACED),
    NameRule.OPTIONAL_NAMESPACE: re.compile(rf"{_STEM}(?:__(?:v|c|sys))?"),
    NameRule.OBJECT_TYPE: re.compile(rf"{_NAMESPACED}\.{_NAMESPACED}"),
    NameRule.OBJECT_MEMBER: re.compile(rf"{_NAMESPACED}\.{_NAMESPACED}"),
    NameRule.STATE_MEMBER: re.compile(rf"{_NAMESPACED}\.{_NAMESPACED}"),
    NameRule.FREE: re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*"),
}
# The type within which a member has its short name; elsewhere it is named with its owner.
_OWNERS = {NameRule.OBJECT_MEMBER: ComponentKind.OBJECT, NameRule.STATE_MEMBER: STATE}
_NAME_HINTS = {
    NameRule.NAMESPACED: "lower-case letters, digits and single underscores, ending in __v, __c or __sys",
    NameRule.OPTIONAL_NAMESPACE: "lower-case letters, digits and single underscores",
    NameRule.OBJECT_TYPE: "{object}.{type}, both ending in __v, __c or __sys",
    NameRule.OBJECT_MEMBER: "{object}.{name}, both ending in __v, __c or __sys",
    NameRule.STATE_MEMBER: "{state}.{name}, both ending in __v, __c or __sys",
    NameRule.FREE: "letters, digits, underscores and dots",
}
_OPEN_ATTRIBUTE = re.compile(_STEM)
_KEPT_ATTRIBUTE = re.compile(r"[A-Za-z0-9_]{1,100}")
_BARE_REFERENCE = re.compile(r"[a-z0-9_]{1,100}")
_MAX_OPEN_VALUE = 1500
_MAX_KEPT_VALUE = 1_000_000
_MAX_TYPE_NAME = 60
_MAX_INTEGER = 10**18


def check(component: Component) -> Component:
    """Return the component itself, if it is valid apart from what it refers to.

    :raises ComponentError: naming the component, the attribute, and what is allowed.
    """
    kind = COMPONENT_TYPES.get(component.type)
    if kind is None:
        raise ComponentError(
            f"There is no component type {component.type[:60]}.", Code.UNKNOWN_TYPE
        )
    path = f"{component.type}.{component.name[:120]}"
    if kind.kept:
        _check_name(component, kind, path)
        _check_kept(component, path)
        return component
    _check_node(component, kind, path)
    check_consistency(component)
    return component


def check_declared(component: Component) -> None:
    """Check what the type declares of a component whose further contents are kept as they come.

    :raises ComponentError: naming the component, the attribute, and what is allowed.
    """
    kind = COMPONENT_TYPES[component.type]
    _check_declared(component, kind, component.full_name)


def _check_declared(component: Component, kind: ComponentType, path: str) -> None:
    for attribute in kind.attributes.values():
        _check_attribute(attribute, component.attributes.get(attribute.name, ()), path)
        _check_given(component, attribute, path)
    for child in component.children:
        if (child_kind := kind.subtypes.get(child.type)) is not None:
            where = f"{path}: {child.type} {child.name}"
            _check_name(child, child_kind, where)
            _check_declared(child, child_kind, where)


def _check_kept(component: Component, path: str) -> None:
    """Check the form alone: values of any kind, sub-components of any type."""
    for name, values in component.attributes.items():
        if not _KEPT_ATTRIBUTE.fullmatch(name):
            raise ComponentError(
                f"{path}: {name[:60]} is not an attribute name.", Code.INVALID_NAME
            )
        if any(
            isinstance(value, str) and (len(value) > _MAX_KEPT_VALUE or "\0" in value)
            for value in values
        ):
            raise ComponentError(
                f"{path}: {name} is longer than {_MAX_KEPT_VALUE} characters or has a null character."
            )
    for child in component.children:
        where = f"{path}: {child.type[:60]} {child.name[:120]}"
        if len(child.type) > _MAX_TYPE_NAME or len(child.name) > MAX_KEPT_NAME:
            raise ComponentError(f"{where}: the name is too long.", Code.INVALID_NAME)
        _check_kept(child, where)


def _check_node(
    component: Component, kind: ComponentType, path: str, parent: str = ""
) -> None:
    _check_name(component, kind, path, parent)
    for name, values in component.attributes.items():
        attribute = kind.attributes.get(name)
        if attribute is not None:
            _check_attribute(attribute, values, path)
        elif kind.open:
            _check_parameter(name, values, path)
        else:
            allowed = ", ".join(kind.attributes)
            raise ComponentError(
                f"{path}: {kind.name} has no attribute {name[:60]}; it has {allowed}."
            )
    if component.name not in kind.redefinable:
        for attribute in kind.attributes.values():
            _check_given(component, attribute, path)
    for child in component.children:
        child_kind = kind.subtypes.get(child.type)
        if child_kind is None:
            allowed = ", ".join(kind.subtypes) or "none"
            raise ComponentError(
                f"{path}: {kind.name} has no sub-component {child.type[:60]}; it has {allowed}.",
                Code.UNKNOWN_TYPE,
            )
        _check_node(
            child,
            child_kind,
            f"{path}: {child.type} {child.name[:120]}",
            component.type,
        )


def _check_given(component: Component, attribute: Attribute, path: str) -> None:
    if attribute.required and component.first(attribute.name) in (None, ""):
        raise ComponentError(f"{path}: the attribute {attribute.name} is required.")


def _check_name(
    component: Component, kind: ComponentType, path: str, parent: str = ""
) -> None:
    name, rule = component.name, kind.name_rule
    if parent and parent == _OWNERS.get(rule):
        rule = NameRule.NAMESPACED
    if len(name) > kind.max_name_length:
        raise ComponentError(
            f"{path}: the name is longer than {kind.max_name_length} characters.",
            Code.INVALID_NAME,
        )
    if name not in kind.redefinable and not _NAME_PATTERNS[rule].fullmatch(name):
        raise ComponentError(
            f"{path}: the name must be {_NAME_HINTS[rule]}.", Code.INVALID_NAME
        )


def _check_attribute(
    attribute: Attribute, values: tuple[Scalar, ...], path: str
) -> None:
    where = f"{path}: {attribute.name}"
    if len(values) > 1 and not attribute.multi_value:
        raise ComponentError(f"{where} takes one value, not {len(values)}.")
    for value in values:
        match attribute.type:
            case ValueType.BOOLEAN:
                if not isinstance(value, bool):
                    raise ComponentError(f"{where} must be true or false.")
            case ValueType.NUMBER:
                _check_number(attribute, value, where)
            case _:
                _check_text(attribute, value, where)


def _check_number(attribute: Attribute, value: Scalar, where: str) -> None:
    if isinstance(value, bool | str) or (
        isinstance(value, float) and not attribute.fractional
    ):
        raise ComponentError(
            f"{where} must be a {'number' if attribute.fractional else 'whole number'}."
        )
    low = -_MAX_INTEGER if attribute.minimum is None else attribute.minimum
    high = _MAX_INTEGER if attribute.maximum is None else attribute.maximum
    if not low <= value <= high:
        raise ComponentError(f"{where} must be between {low} and {high}.")


def _check_text(attribute: Attribute, value: Scalar, where: str) -> None:
    takes_embedded = attribute.type in (ValueType.XML, ValueType.EXPRESSION)
    if not isinstance(value, str) or (
        isinstance(value, Embedded) and not takes_embedded
    ):
        raise ComponentError(f"{where} must be a string in single quotes.")
    if "\0" in value:
        raise ComponentError(f"{where} contains a null character.")
    if attribute.max_length is not None and len(value) > attribute.max_length:
        raise ComponentError(
            f"{where} is longer than {attribute.max_length} characters."
        )
    if not value:
        return
    if attribute.enums and value not in attribute.enums:
        raise ComponentError(f"{where} must be one of {', '.join(attribute.enums)}.")
    if attribute.component is not None and not (
        attribute.bare and _BARE_REFERENCE.fullmatch(value)
    ):
        prefix, _, name = value.partition(".")
        if prefix != attribute.component or not name:
            raise ComponentError(
                f"{where} must be a reference written '{attribute.component}.{{name}}'."
            )


def _check_parameter(name: str, values: tuple[Scalar, ...], path: str) -> None:
    if len(name) > 50 or not _OPEN_ATTRIBUTE.fullmatch(name):
        raise ComponentError(
            f"{path}: {name[:60]} is not a parameter name.", Code.INVALID_NAME
        )
    if any(
        isinstance(value, str) and (len(value) > _MAX_OPEN_VALUE or "\0" in value)
        for value in values
    ):
        raise ComponentError(
            f"{path}: {name} is longer than {_MAX_OPEN_VALUE} characters or has a null character."
        )
