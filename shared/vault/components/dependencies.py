"""What a component refers to, read off its tree alone, so that types this Vault does not know are covered too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared.vault.components.component_tree import Component
from shared.vault.components.object_types import UNHELD_OBJECTS
from shared.vault.components.platform import BASE_TYPE, PLATFORM_FIELD_TYPES
from shared.vault.components.uses import OWNERS

__all__ = ["Dependency", "dependencies_of"]

_SUFFIXED = r"[a-z0-9_]+__(?:v|c|sys)"
_REFERENCE = re.compile(rf"([A-Z][A-Za-z]{{1,49}})\.({_SUFFIXED}(?:\.{_SUFFIXED})?)")


@dataclass(frozen=True, slots=True, order=True)
class Dependency:
    """A component that another refers to, or one sub-component of it."""

    type: str
    name: str
    subtype: str = ""
    subname: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Type and name of the component."""
        return self.type, self.name


def dependencies_of(component: Component) -> tuple[Dependency, ...]:
    """What a component refers to, in order of type and name; references to itself are left out."""
    found = {*_implied(component), *_written(component)}
    return tuple(
        sorted(dependency for dependency in found if dependency.key != component.key)
    )


def _implied(component: Component) -> Iterator[Dependency]:
    """References that a name or a bare attribute makes."""
    if component.type in OWNERS:
        yield Dependency(OWNERS[component.type], component.name.partition(".")[0])
    if component.type == "Doctype" and "." in component.name:
        yield Dependency("Doctype", component.name.rpartition(".")[0])
    default_type = (
        component.optional_text("default_type") if component.type == "Object" else None
    )
    if default_type is not None and default_type != BASE_TYPE:
        yield Dependency("Objecttype", f"{component.name}.{default_type}")


def _written(component: Component) -> Iterator[Dependency]:
    """References written ``Type.name``; a ``Field.name`` belongs to the object named beside it."""
    target = component.reference("target_object")
    field = component.reference("target_object_field")
    if target is not None and field is not None:
        yield Dependency("Object", target, "Field", field)
    owner = component.reference("object") if component.type == "Field" else None
    if (
        owner is not None
        and owner not in UNHELD_OBJECTS
        and component.name not in PLATFORM_FIELD_TYPES
    ):
        yield Dependency("Object", owner)  # a Vault exports it without the type
    for values in component.attributes.values():
        for value in values:
            match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
            if match is not None and match[1] != "Field" and match[2] != BASE_TYPE:
                yield Dependency(match[1], match[2])
    for child in component.children:
        yield from _written(child)
