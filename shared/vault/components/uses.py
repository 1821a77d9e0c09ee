"""Finds the components that a component refers to: by attribute, by name, or within XML and expressions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from shared.vault.components.component_kinds import ComponentKind, PartKind, kind_of
from shared.vault.components.component_tree import Component, Embedded, Scalar
from shared.vault.components.object_types import is_unstored_object
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


def _owner_kind(kind: ComponentKind) -> ComponentKind | None:
    """Return the owner's type for a type whose components are named ``{owner}.{name}``; None for other types."""
    match kind:
        case ComponentKind.OBJECT_TYPE | ComponentKind.OBJECT_ACTION:
            return ComponentKind.OBJECT
        case (
            ComponentKind.OBJECT
            | ComponentKind.PICKLIST
            | ComponentKind.LIFECYCLE
            | ComponentKind.STATE_TYPE_ASSOCIATION
            | ComponentKind.QUEUE
            | ComponentKind.INTEGRATION_RULE
            | ComponentKind.PERMISSION_SET
            | ComponentKind.SECURITY_PROFILE
            | ComponentKind.DOCUMENT_TYPE
            | ComponentKind.DOCUMENT_FIELD
            | ComponentKind.DOCUMENT_LIFECYCLE
            | ComponentKind.RENDITION_TYPE
            | ComponentKind.WORKFLOW
        ):
            return None
        case _:
            assert_never(kind)


_OWNERS_BY_KIND = {kind: _owner_kind(kind) for kind in ComponentKind}
# Types whose components are named ``{owner}.{name}``, and the type of the owner.
OWNERS: Mapping[str, str] = {
    **{kind: owner for kind, owner in _OWNERS_BY_KIND.items() if owner is not None},
    # Of these types components are only stored and returned.
    "Objectvalidation": ComponentKind.OBJECT,
    "Searchablefield": ComponentKind.OBJECT,
    "Layoutrule": "Pagelayout",
}

# Attributes that may name a component without its type.
BARE_REFERENCES: Mapping[str, tuple[ComponentKind, ...]] = {
    "object": (ComponentKind.OBJECT,),
    "root_object": (ComponentKind.OBJECT,),
    "target_object": (ComponentKind.OBJECT,),
    "target_obj_field_ref_obj": (ComponentKind.OBJECT,),
    "picklist": (ComponentKind.PICKLIST,),
    "controlling_picklist": (ComponentKind.PICKLIST,),
    "lifecycle": (ComponentKind.LIFECYCLE,),
    # Of objects and of document types.
    "available_lifecycles": (ComponentKind.LIFECYCLE, ComponentKind.DOCUMENT_LIFECYCLE),
    "queue": (ComponentKind.QUEUE,),
    "permission_sets": (ComponentKind.PERMISSION_SET,),
}

# Stricter than a reference below, for dependencies are not looked up among components that exist.
_SUFFIXED = r"[a-z0-9_]+__(?:v|c|sys)"
_QUALIFIED = re.compile(rf"([A-Z][A-Za-z]{{1,49}})\.({_SUFFIXED}(?:\.{_SUFFIXED})?)")
_REFERENCE = re.compile(r"([A-Z][A-Za-z]{1,59})\.([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)")


def users_of(components: Mapping[Key, Component]) -> Mapping[Key, frozenset[Key]]:
    """Return, for each component to which others refer, the keys of the components that refer to it."""
    users: dict[Key, set[Key]] = defaultdict(set)
    for component in components.values():
        for used in uses_of(component, components):
            users[used].add(component.key)
    return {used: frozenset(keys) for used, keys in users.items()}


def uses_of(
    component: Component,
    components: Mapping[Key, Component],
) -> frozenset[Key]:
    """Return the keys of those ``components`` to which one component refers, without its own."""
    found = set()
    for type_name, name in _possible_uses(component):
        key = _resolved(type_name, name, components)
        if key is not None and key != component.key:
            found.add(key)
    return frozenset(found)


def _possible_uses(component: Component) -> Iterator[Key]:
    """Yield the keys to which a component refers; there may be no component with such a key."""
    owner = OWNERS.get(component.type)
    if owner is not None:
        yield owner, component.name
    kind = kind_of(component.type)
    match kind:
        case ComponentKind.DOCUMENT_TYPE:
            yield kind, component.name.rpartition(".")[0]
        case ComponentKind.OBJECT:
            default_type = component.text("default_type")
            if default_type:
                yield ComponentKind.OBJECT_TYPE, f"{component.name}.{default_type}"
        case ComponentKind.PERMISSION_SET:
            for entry in component.children_of(PartKind.OBJECT_PERMISSION):
                yield ComponentKind.OBJECT, entry.name
        case (
            ComponentKind.OBJECT_TYPE
            | ComponentKind.OBJECT_ACTION
            | ComponentKind.PICKLIST
            | ComponentKind.LIFECYCLE
            | ComponentKind.STATE_TYPE_ASSOCIATION
            | ComponentKind.QUEUE
            | ComponentKind.INTEGRATION_RULE
            | ComponentKind.SECURITY_PROFILE
            | ComponentKind.DOCUMENT_FIELD
            | ComponentKind.DOCUMENT_LIFECYCLE
            | ComponentKind.RENDITION_TYPE
            | ComponentKind.WORKFLOW
            | None
        ):
            pass  # they refer to their owner and to what attributes name, no more
        case _:
            assert_never(kind)
    yield from _written_uses(component)


def _written_uses(component: Component) -> Iterator[Key]:
    for attribute, values in component.attributes.items():
        for value in values:
            yield from _uses_in(attribute, value)
    for child in component.children:
        yield from _written_uses(child)


def _uses_in(attribute: str, value: Scalar) -> Iterator[Key]:
    if isinstance(value, Embedded):
        # XML and expressions may name any number of components, anywhere.
        yield from _REFERENCE.findall(value)
        return
    if not isinstance(value, str):
        return
    match = _REFERENCE.fullmatch(value)
    if match is not None:
        yield match[1], match[2]
    else:
        for kind in BARE_REFERENCES.get(attribute, ()):
            yield kind, value


def _resolved(
    type_name: str,
    name: str,
    components: Mapping[Key, Component],
) -> Key | None:
    """Return the key of a referenced component, or None; ``name`` may continue with that of a sub-component."""
    if type_name not in COMPONENT_TYPES:
        return None
    # The longest name that is a component: ``Object.a__c.b__c`` may be a field of ``Object.a__c``.
    while name:
        if (type_name, name) in components:
            return type_name, name
        name = name.rpartition(".")[0]
    return None


@dataclass(frozen=True, slots=True, order=True)
class Dependency:
    """A component to which another refers, or one of its sub-components."""

    type: str
    name: str
    subtype: str = ""
    subname: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Return type and name of the component."""
        return self.type, self.name


def dependencies_of(component: Component) -> tuple[Dependency, ...]:
    """Return the references of a component, in order of type and name, without references to itself.

    They are read from the tree only, so that packages may refer to components of types that the Vault does not have.
    """
    found = set(_implied_dependencies(component))
    found.update(_written_dependencies(component))
    others = [dependency for dependency in found if dependency.key != component.key]
    return tuple(sorted(others))


def _implied_dependencies(component: Component) -> Iterator[Dependency]:
    """Yield the references in the component's own name, and in attributes that omit the type."""
    owner, _, _ = component.name.partition(".")
    if component.type in OWNERS:
        yield Dependency(OWNERS[component.type], owner)
    kind = kind_of(component.type)
    match kind:
        case ComponentKind.DOCUMENT_TYPE:
            above = component.name.rpartition(".")[0]
            if above:
                yield Dependency(kind, above)
        case ComponentKind.OBJECT:
            default_type = component.text("default_type")
            # Every object with types has the base type without declaring it.
            if default_type and default_type != BASE_TYPE:
                name = f"{component.name}.{default_type}"
                yield Dependency(ComponentKind.OBJECT_TYPE, name)
        case (
            ComponentKind.OBJECT_TYPE
            | ComponentKind.OBJECT_ACTION
            | ComponentKind.PICKLIST
            | ComponentKind.LIFECYCLE
            | ComponentKind.STATE_TYPE_ASSOCIATION
            | ComponentKind.QUEUE
            | ComponentKind.INTEGRATION_RULE
            | ComponentKind.PERMISSION_SET
            | ComponentKind.SECURITY_PROFILE
            | ComponentKind.DOCUMENT_FIELD
            | ComponentKind.DOCUMENT_LIFECYCLE
            | ComponentKind.RENDITION_TYPE
            | ComponentKind.WORKFLOW
            | None
        ):
            pass  # they refer to their owner and to what attributes name, no more
        case _:
            assert_never(kind)


def _written_dependencies(component: Component) -> Iterator[Dependency]:
    """Yield the references written ``Type.name``; ``Field.name`` belongs to the object named beside it."""
    target = component.reference("target_object")
    field = component.reference("target_object_field")
    if target is not None and field is not None:
        yield Dependency(
            ComponentKind.OBJECT,
            target,
            PartKind.FIELD,
            field,
        )
    referenced = _referenced_object(component)
    if referenced is not None:
        yield Dependency(ComponentKind.OBJECT, referenced)
    for values in component.attributes.values():
        for value in values:
            match = _QUALIFIED.fullmatch(value) if isinstance(value, str) else None
            if match is None or match[1] == PartKind.FIELD or match[2] == BASE_TYPE:
                continue
            yield Dependency(match[1], match[2])
    for child in component.children:
        yield from _written_dependencies(child)


def _referenced_object(component: Component) -> str | None:
    """Return the object to which a field refers by its name alone, as Vaults export it; None without one."""
    if component.type != PartKind.FIELD or component.name in PLATFORM_FIELD_TYPES:
        return None
    name = component.reference("object")
    if is_unstored_object(name):
        return None
    return name
