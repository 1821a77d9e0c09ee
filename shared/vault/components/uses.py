"""Reads out of components which others they refer to: by attribute, by name, or within XML and expressions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.vault.components.component_kinds import ComponentKind, PartKind
from shared.vault.components.component_tree import Component, Embedded
from shared.vault.components.object_types import UNHELD_OBJECTS
from shared.vault.components.permission_types import OBJECT_PERMISSION, PERMISSION_SET
from shared.vault.components.platform import BASE_TYPE, PLATFORM_FIELD_TYPES
from shared.vault.components.types import COMPONENT_TYPES

__all__ = [
    "BARE_REFERENCES",
    "OWNERS",
    "Dependency",
    "dependencies_of",
    "users_of",
    "uses_of",
]

Key = tuple[str, str]

OWNERS = {
    ComponentKind.OBJECT_TYPE: ComponentKind.OBJECT,
    ComponentKind.OBJECT_ACTION: ComponentKind.OBJECT,
    "Objectvalidation": ComponentKind.OBJECT,
    "Searchablefield": ComponentKind.OBJECT,
    "Layoutrule": "Pagelayout",
}
"""Types whose components are named ``{owner}.{name}``, and the type of the owner."""

BARE_REFERENCES = {
    "object": ComponentKind.OBJECT,
    "root_object": ComponentKind.OBJECT,
    "target_object": ComponentKind.OBJECT,
    "picklist": ComponentKind.PICKLIST,
    "controlling_picklist": ComponentKind.PICKLIST,
    "available_lifecycles": ComponentKind.LIFECYCLE,
    "queue": ComponentKind.QUEUE,
    "permission_sets": ComponentKind.PERMISSION_SET,
}
"""Attributes that may name a component without its type."""

_REFERENCE = re.compile(r"([A-Z][A-Za-z]{1,59})\.([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)")


def users_of(components: Mapping[Key, Component]) -> Mapping[Key, frozenset[Key]]:
    """Return each component that others refer to, and those others."""
    users: dict[Key, set[Key]] = {}
    for component in components.values():
        for used in uses_of(component, components):
            users.setdefault(used, set()).add(component.key)
    return {used: frozenset(keys) for used, keys in users.items()}


def uses_of(
    component: Component, components: Mapping[Key, Component]
) -> frozenset[Key]:
    """Return those of the components that one refers to; itself is left out."""
    found = (
        _resolved(type_name, name, components)
        for type_name, name in _possible_uses(component)
    )
    return frozenset(key for key in found if key is not None and key != component.key)


def _possible_uses(component: Component) -> Iterator[Key]:
    owner = OWNERS.get(component.type)
    if owner is not None:
        yield owner, component.name
    if component.type == ComponentKind.DOCUMENT_TYPE:
        yield ComponentKind.DOCUMENT_TYPE, component.name.rpartition(".")[0]
    if component.type == ComponentKind.OBJECT and component.text("default_type"):
        yield (
            ComponentKind.OBJECT_TYPE,
            f"{component.name}.{component.text('default_type')}",
        )
    if component.type == PERMISSION_SET:
        yield from (
            (ComponentKind.OBJECT, entry.name)
            for entry in component.children_of(OBJECT_PERMISSION)
        )
    yield from _written_uses(component)


def _written_uses(component: Component) -> Iterator[Key]:
    for attribute, values in component.attributes.items():
        for value in values:
            if isinstance(value, Embedded):
                yield from _REFERENCE.findall(value)
            elif isinstance(value, str):
                match = _REFERENCE.fullmatch(value)
                if match is not None:
                    yield match[1], match[2]
                elif attribute in BARE_REFERENCES:
                    yield BARE_REFERENCES[attribute], value
    for child in component.children:
        yield from _written_uses(child)


def _resolved(
    type_name: str, name: str, components: Mapping[Key, Component]
) -> Key | None:
    """Return the key of the component that a reference leads to; its name may go on with a sub-component or a member."""
    if type_name not in COMPONENT_TYPES:
        return None
    while name:
        if (type_name, name) in components:
            return type_name, name
        name = name.rpartition(".")[0]
    return None


_SUFFIXED = r"[a-z0-9_]+__(?:v|c|sys)"
_QUALIFIED = re.compile(rf"([A-Z][A-Za-z]{{1,49}})\.({_SUFFIXED}(?:\.{_SUFFIXED})?)")


@dataclass(frozen=True, slots=True, order=True)
class Dependency:
    """A component that another refers to, or one sub-component of it."""

    type: str
    name: str
    subtype: str = ""
    subname: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Return type and name of the component."""
        return self.type, self.name


def dependencies_of(component: Component) -> tuple[Dependency, ...]:
    """Return what a component refers to, in order of type and name; references to itself are left out."""
    found = {*_implied_dependencies(component), *_written_dependencies(component)}
    return tuple(
        sorted(dependency for dependency in found if dependency.key != component.key)
    )


def _implied_dependencies(component: Component) -> Iterator[Dependency]:
    """Yield the references that a name or a bare attribute makes."""
    if component.type in OWNERS:
        yield Dependency(OWNERS[component.type], component.name.partition(".")[0])
    if component.type == ComponentKind.DOCUMENT_TYPE and "." in component.name:
        yield Dependency(ComponentKind.DOCUMENT_TYPE, component.name.rpartition(".")[0])
    default_type = (
        component.optional_text("default_type")
        if component.type == ComponentKind.OBJECT
        else None
    )
    if default_type is not None and default_type != BASE_TYPE:
        yield Dependency(ComponentKind.OBJECT_TYPE, f"{component.name}.{default_type}")


def _written_dependencies(component: Component) -> Iterator[Dependency]:
    """Yield the references written ``Type.name``; a ``Field.name`` belongs to the object named beside it."""
    target = component.reference("target_object")
    field = component.reference("target_object_field")
    if target is not None and field is not None:
        yield Dependency(ComponentKind.OBJECT, target, PartKind.FIELD, field)
    owner = component.reference("object") if component.type == PartKind.FIELD else None
    if (
        owner is not None
        and owner not in UNHELD_OBJECTS
        and component.name not in PLATFORM_FIELD_TYPES
    ):
        yield Dependency(
            ComponentKind.OBJECT, owner
        )  # a Vault exports it without the type
    for values in component.attributes.values():
        for value in values:
            match = _QUALIFIED.fullmatch(value) if isinstance(value, str) else None
            if (
                match is not None
                and match[1] != PartKind.FIELD
                and match[2] != BASE_TYPE
            ):
                yield Dependency(match[1], match[2])
    for child in component.children:
        yield from _written_dependencies(child)
