"""Checks one component on its own: its type, names, attributes and their values."""

from __future__ import annotations

import re
from typing import NamedTuple, assert_never

from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_kinds import ComponentKind
from shared.vault.components.component_tree import Component, Embedded, Scalar
from shared.vault.components.consistency import check_consistency
from shared.vault.components.lifecycle_types import STATE
from shared.vault.components.specification import (
    Attribute,
    ComponentType,
    NameRule,
    ValueType,
)
from shared.vault.components.types import COMPONENT_TYPES
from shared.vault.components.unused_types import MAX_UNUSED_NAME

_STEM = r"[a-z0-9]+(?:_[a-z0-9]+)*"
_SUFFIXED = rf"{_STEM}__(?:v|c|sys)"
_NAMESPACED = re.compile(_SUFFIXED)
_OPTIONAL_NAMESPACE = re.compile(rf"{_STEM}(?:__(?:v|c|sys))?")
_MEMBER = re.compile(rf"{_SUFFIXED}\.{_SUFFIXED}")
_FREE = re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*")
_UNUSED_ATTRIBUTE = re.compile(r"[A-Za-z0-9_]{1,100}")
_BARE_REFERENCE = re.compile(r"[a-z0-9_]{1,100}")
_MAX_OPEN_VALUE = 32_000
_MAX_UNUSED_VALUE = 1_000_000
_MAX_TYPE_NAME = 60
_MAX_INTEGER = 10**18


class _NameForm(NamedTuple):
    """A rule for names: a regular expression, and its description in words.

    ``owner`` is the type of component in which a member is written with its short name; elsewhere the owner's name
    precedes it.
    """

    pattern: re.Pattern[str]
    hint: str
    owner: str = ""


def _name_form(rule: NameRule) -> _NameForm:
    match rule:
        case NameRule.NAMESPACED:
            hint = "lower-case letters, digits and single underscores, ending in __v, __c or __sys"
            return _NameForm(_NAMESPACED, hint)
        case NameRule.OPTIONAL_NAMESPACE:
            hint = "lower-case letters, digits and single underscores"
            return _NameForm(_OPTIONAL_NAMESPACE, hint)
        case NameRule.OBJECT_TYPE:
            hint = "{object}.{type}, both ending in __v, __c or __sys"
            return _NameForm(_MEMBER, hint)
        case NameRule.OBJECT_MEMBER:
            hint = "{object}.{name}, both ending in __v, __c or __sys"
            return _NameForm(_MEMBER, hint, ComponentKind.OBJECT)
        case NameRule.STATE_MEMBER:
            hint = "{state}.{name}, both ending in __v, __c or __sys"
            return _NameForm(_MEMBER, hint, STATE)
        case NameRule.FREE:
            return _NameForm(_FREE, "letters, digits, underscores and dots")
        case _:
            assert_never(rule)


def check(component: Component) -> Component:
    """Return the component itself, if it is valid apart from its references.

    :raises ComponentError: UNKNOWN_TYPE, INVALID_NAME or INVALID_ATTRIBUTE, naming what is allowed.
    """
    kind = COMPONENT_TYPES.get(component.type)
    if kind is None:
        message = f"There is no component type {component.type[:60]}."
        raise ComponentError(message, Code.UNKNOWN_TYPE)
    # Names in messages are cut: they come from callers, and may be of any length until they are
    # checked.
    path = f"{component.type}.{component.name[:120]}"
    if kind.stored_only:
        _check_name(component, kind, path)
        _check_form(component, path)
        return component
    _check_node(component, kind, path)
    check_consistency(component)
    return component


def check_declared(component: Component) -> None:
    """Check only what the type declares; the other contents of the component are stored unchecked.

    :raises ComponentError: INVALID_NAME or INVALID_ATTRIBUTE, naming what is allowed.
    """
    kind = COMPONENT_TYPES[component.type]
    _check_declared(component, kind, component.full_name)


def _check_declared(
    component: Component,
    kind: ComponentType,
    path: str,
) -> None:
    for attribute in kind.attributes.values():
        values = component.attributes.get(attribute.name, ())
        _check_attribute(attribute, values, path)
        _check_required(component, attribute, path)
    for child in component.children:
        child_kind = kind.subtypes.get(child.type)
        if child_kind is not None:
            where = f"{path}: {child.type} {child.name}"
            _check_name(child, child_kind, where)
            _check_declared(child, child_kind, where)


def _check_form(component: Component, path: str) -> None:
    """Check only the form of a component that is stored as written: values of any kind, sub-components of any type."""
    for name, values in component.attributes.items():
        _check_attribute_form(name, values, _MAX_UNUSED_VALUE, path)
    for child in component.children:
        where = f"{path}: {child.type[:60]} {child.name[:120]}"
        if len(child.type) > _MAX_TYPE_NAME or len(child.name) > MAX_UNUSED_NAME:
            raise ComponentError(f"{where}: the name is too long.", Code.INVALID_NAME)
        _check_form(child, where)


def _check_node(
    component: Component,
    kind: ComponentType,
    path: str,
    parent: str = "",
) -> None:
    _check_name(
        component,
        kind,
        path,
        parent,
    )
    for name, values in component.attributes.items():
        attribute = kind.attributes.get(name)
        if attribute is not None:
            _check_attribute(attribute, values, path)
        else:
            _check_attribute_form(name, values, _MAX_OPEN_VALUE, path)
    # The platform has all attributes of its fields; a declaration changes some of them.
    if component.name not in kind.redefinable:
        for attribute in kind.attributes.values():
            _check_required(component, attribute, path)
    for child in component.children:
        child_kind = _child_kind(child, kind, path)
        where = f"{path}: {child.type} {child.name[:120]}"
        _check_node(
            child,
            child_kind,
            where,
            component.type,
        )


def _child_kind(
    child: Component,
    kind: ComponentType,
    path: str,
) -> ComponentType:
    child_kind = kind.subtypes.get(child.type)
    if child_kind is None:
        allowed = ", ".join(kind.subtypes) or "none"
        message = (
            f"{kind.name} has no sub-component {child.type[:60]}; it has {allowed}."
        )
        raise ComponentError(f"{path}: {message}", Code.UNKNOWN_TYPE)
    return child_kind


def _check_required(
    component: Component,
    attribute: Attribute,
    path: str,
) -> None:
    value = component.first(attribute.name)
    if attribute.required and value in (None, ""):
        raise ComponentError(f"{path}: the attribute {attribute.name} is required.")


def _check_name(
    component: Component,
    kind: ComponentType,
    path: str,
    parent: str = "",
) -> None:
    name = component.name
    form = _name_form(kind.name_rule)
    if parent and parent == form.owner:
        form = _name_form(NameRule.NAMESPACED)
    if len(name) > kind.max_name_length:
        message = f"the name is longer than {kind.max_name_length} characters."
        raise ComponentError(f"{path}: {message}", Code.INVALID_NAME)
    if name not in kind.redefinable and not form.pattern.fullmatch(name):
        message = f"the name must be {form.hint}."
        raise ComponentError(f"{path}: {message}", Code.INVALID_NAME)


def _check_attribute(
    attribute: Attribute,
    values: tuple[Scalar, ...],
    path: str,
) -> None:
    where = f"{path}: {attribute.name}"
    if len(values) > 1 and not attribute.multi_value:
        raise ComponentError(f"{where} takes one value, not {len(values)}.")
    for value in values:
        _check_value(attribute, value, where)


def _check_value(
    attribute: Attribute,
    value: Scalar,
    where: str,
) -> None:
    match attribute.type:
        case ValueType.BOOLEAN:
            if not isinstance(value, bool):
                raise ComponentError(f"{where} must be true or false.")
        case ValueType.NUMBER:
            _check_number(attribute, value, where)
        case ValueType.XML | ValueType.EXPRESSION:
            _check_text(attribute, value, where)
        case ValueType.STRING | ValueType.ENUM | ValueType.COMPONENT:
            if isinstance(value, Embedded):
                raise _no_string(where)
            _check_text(attribute, value, where)
        case _:
            assert_never(attribute.type)


def _check_number(
    attribute: Attribute,
    value: Scalar,
    where: str,
) -> None:
    is_fraction = isinstance(value, float) and not attribute.fractional
    # A Boolean is an integer in Python, but not in MDL.
    if isinstance(value, bool | str) or is_fraction:
        kind = "number" if attribute.fractional else "whole number"
        raise ComponentError(f"{where} must be a {kind}.")
    low = -_MAX_INTEGER if attribute.minimum is None else attribute.minimum
    high = _MAX_INTEGER if attribute.maximum is None else attribute.maximum
    if not low <= value <= high:
        raise ComponentError(f"{where} must be between {low} and {high}.")


def _check_text(
    attribute: Attribute,
    value: Scalar,
    where: str,
) -> None:
    if not isinstance(value, str):
        raise _no_string(where)
    # PostgreSQL cannot store it in a text.
    if "\0" in value:
        raise ComponentError(f"{where} contains a null character.")
    limit = attribute.max_length
    if limit is not None and len(value) > limit:
        raise ComponentError(f"{where} is longer than {limit} characters.")
    if not value:
        return
    if attribute.enums and value not in attribute.enums:
        choices = ", ".join(attribute.enums)
        raise ComponentError(f"{where} must be one of {choices}.")
    if attribute.component is not None:
        _check_reference(
            attribute.component,
            value,
            where,
        )


def _check_reference(
    type_name: str,
    value: str,
    where: str,
) -> None:
    if _BARE_REFERENCE.fullmatch(value):
        return
    prefix, _, name = value.partition(".")
    if prefix != type_name or not name:
        message = f"must be a reference written '{type_name}.{{name}}'."
        raise ComponentError(f"{where} {message}")


def _check_attribute_form(
    name: str,
    values: tuple[Scalar, ...],
    limit: int,
    path: str,
) -> None:
    """Check the form of an attribute that is stored as written: any name, also in camel case, and any values."""
    if not _UNUSED_ATTRIBUTE.fullmatch(name):
        message = f"{path}: {name[:60]} is not an attribute name."
        raise ComponentError(message, Code.INVALID_NAME)
    _check_storable(name, values, limit, path)


def _check_storable(
    name: str,
    values: tuple[Scalar, ...],
    limit: int,
    path: str,
) -> None:
    for value in values:
        if isinstance(value, str) and (len(value) > limit or "\0" in value):
            message = (
                f"{name} is longer than {limit} characters or has a null character."
            )
            raise ComponentError(f"{path}: {message}")


def _no_string(where: str) -> ComponentError:
    return ComponentError(f"{where} must be a string in single quotes.")
