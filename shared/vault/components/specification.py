"""Describes component types: their attributes with the types of values, and their sub-component types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class ValueType(StrEnum):
    """The type of an attribute's values, by its name in component metadata."""

    STRING = "String"
    BOOLEAN = "Boolean"
    NUMBER = "Number"
    ENUM = "Enum"
    COMPONENT = "Component"
    XML = "XMLString"
    EXPRESSION = "Expression"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a component type.

    ``max_length`` is in characters. ``component`` is the type to which a COMPONENT attribute refers; a value may omit
    it, as in some references that Vaults write (``object('account__v')``). ``minimum`` and ``maximum`` bound a NUMBER,
    which is whole unless ``fractional``.
    """

    name: str
    type: ValueType
    required: bool = False
    max_length: int | None = None
    multi_value: bool = False
    enums: tuple[str, ...] = ()
    component: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    fractional: bool = False


class NameRule(StrEnum):
    """The rules for names of components of a type."""

    NAMESPACED = "namespaced"  # lower-case letters and digits, single underscores, then __v, __c or __sys
    OPTIONAL_NAMESPACE = "optional namespace"  # the same, the suffix may be missing
    OBJECT_TYPE = "object type"  # {object}.{type}
    OBJECT_MEMBER = "object member"  # {object}.{name}, or within an object {name}
    STATE_MEMBER = "state member"  # {state}.{name}, or within a state {name}
    FREE = "free"  # whatever MDL can write


@dataclass(frozen=True)
class ComponentType:
    """One component or sub-component type.

    All types accept further attributes of any name, since Vaults with other features export such; for ``open`` types
    these are expected (parameters of an action), for others they cause a warning. ``redefinable`` are the names of
    platform sub-components, whose omitted attributes keep the platform's value. Components of ``stored_only`` types are
    stored and returned as written, and only their form is checked.
    """

    name: str
    label: str
    label_plural: str
    abbreviation: str
    attributes: Mapping[str, Attribute]
    subtypes: Mapping[str, ComponentType] = field(default_factory=dict)
    name_rule: NameRule = NameRule.NAMESPACED
    max_name_length: int = 50
    open: bool = False
    redefinable: frozenset[str] = frozenset()
    stored_only: bool = False
    code: bool = False  # class "code": what it holds is program text


def text(
    name: str,
    max_length: int,
    *,
    required: bool = False,
    multi_value: bool = False,
) -> Attribute:
    """Return a text attribute with at most ``max_length`` characters in each value."""
    return Attribute(
        name,
        ValueType.STRING,
        required,
        max_length,
        multi_value,
    )


def flag(name: str) -> Attribute:
    """Return a Boolean attribute."""
    return Attribute(name, ValueType.BOOLEAN)


def number(
    name: str,
    minimum: int | None = None,
    maximum: int | None = None,
    *,
    fractional: bool = False,
) -> Attribute:
    """Return a numeric attribute within inclusive bounds."""
    return Attribute(
        name,
        ValueType.NUMBER,
        minimum=minimum,
        maximum=maximum,
        fractional=fractional,
    )


def enum(
    name: str,
    values: tuple[str, ...],
    *,
    required: bool = False,
) -> Attribute:
    """Return an attribute whose value is one of ``values``."""
    return Attribute(
        name,
        ValueType.ENUM,
        required,
        enums=values,
    )


def component(
    name: str,
    type_name: str,
    *,
    required: bool = False,
    multi_value: bool = False,
) -> Attribute:
    """Return an attribute that refers to a component, written ``{type_name}.{name}`` or ``{name}``."""
    return Attribute(
        name,
        ValueType.COMPONENT,
        required,
        None,
        multi_value,
        component=type_name,
    )


def xml(name: str, max_length: int = 200_000) -> Attribute:
    """Return an attribute for XML in braces; a string is accepted as well."""
    return Attribute(name, ValueType.XML, max_length=max_length)


def expression(
    name: str,
    max_length: int = 4000,
) -> Attribute:
    """Return an attribute for an expression, in brackets or as a string."""
    return Attribute(name, ValueType.EXPRESSION, max_length=max_length)


def by_name(*attributes: Attribute) -> Mapping[str, Attribute]:
    """Return the attributes by their names, in the order of the arguments."""
    return {attribute.name: attribute for attribute in attributes}
