"""Which components refer to which: by attribute, by name, or from within XML and expressions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from shared.vault.components.component_tree import Component, Embedded
from shared.vault.components.permission_types import OBJECT_PERMISSION, PERMISSION_SET
from shared.vault.components.types import COMPONENT_TYPES

__all__ = ["BARE_REFERENCES", "OWNERS", "users_of", "uses_of"]

Key = tuple[str, str]

OWNERS = {
    "Objecttype": "Object",
    "Objectaction": "Object",
    "Objectvalidation": "Object",
    "Searchablefield": "Object",
    "Layoutrule": "Pagelayout",
}
"""Types whose components are named ``{owner}.{name}``, and the type of the owner."""

BARE_REFERENCES = {
    "object": "Object",
    "root_object": "Object",
    "target_object": "Object",
    "picklist": "Picklist",
    "controlling_picklist": "Picklist",
    "available_lifecycles": "Objectlifecycle",
    "queue": "Queue",
    "permission_sets": "Permissionset",
}
"""Attributes that may name a component without its type."""

_REFERENCE = re.compile(r"([A-Z][A-Za-z]{1,59})\.([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)")


def users_of(components: Mapping[Key, Component]) -> Mapping[Key, frozenset[Key]]:
    """Each component that others refer to, and those others."""
    users: dict[Key, set[Key]] = {}
    for component in components.values():
        for used in uses_of(component, components):
            users.setdefault(used, set()).add(component.key)
    return {used: frozenset(keys) for used, keys in users.items()}


def uses_of(
    component: Component, components: Mapping[Key, Component]
) -> frozenset[Key]:
    """Those of the components that one refers to; itself is left out."""
    found = (
        _resolved(type_name, name, components) for type_name, name in _named(component)
    )
    return frozenset(key for key in found if key is not None and key != component.key)


def _named(component: Component) -> Iterator[Key]:
    owner = OWNERS.get(component.type)
    if owner is not None:
        yield owner, component.name
    if component.type == "Doctype":
        yield "Doctype", component.name.rpartition(".")[0]
    if component.type == "Object" and component.text("default_type"):
        yield "Objecttype", f"{component.name}.{component.text('default_type')}"
    if component.type == PERMISSION_SET:
        yield from (
            ("Object", entry.name) for entry in component.children_of(OBJECT_PERMISSION)
        )
    yield from _written(component)


def _written(component: Component) -> Iterator[Key]:
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
        yield from _written(child)


def _resolved(
    type_name: str, name: str, components: Mapping[Key, Component]
) -> Key | None:
    """The component meant: the name may go on, with a sub-component or a member."""
    if type_name not in COMPONENT_TYPES:
        return None
    while name:
        if (type_name, name) in components:
            return type_name, name
        name = name.rpartition(".")[0]
    return None
