"""All components of one Vault at one moment, built into the typed model and checked against each other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from shared.vault.components import build, platform
from shared.vault.components.consistency import OBJECT_TYPE_ID_PREFIX
from shared.vault.components.errors import Code, ComponentError
from shared.vault.components.model import Field, Lifecycle, ObjectType, Picklist, Queue, VaultObject
from shared.vault.components.references import check_references, relationships_into
from shared.vault.components.tree import Component
from shared.vault.components.validation import check

__all__ = ["ComponentError", "Registry", "object_type_id"]

_Model = TypeVar("_Model")
_NO_RELATIONSHIPS: Mapping[str, tuple[str, Field]] = {}


def object_type_id(object_name: str, type_name: str) -> str:
    """The id of an object type, the same in every Vault: ``OOT`` and 12 hexadecimal digits."""
    digest = hashlib.sha256(f"{object_name}.{type_name}".encode()).hexdigest()
    return OBJECT_TYPE_ID_PREFIX + digest[:12].upper()


@dataclass(frozen=True)
class Registry:
    """The components by type and name, and what they build: objects, picklists, lifecycles and so on, by name.

    Immutable; a change makes a new registry. ``object_types`` is keyed by object and type name and includes
    ``base__v`` of every object with types; ``picklists`` includes ``default_status__v``.
    """

    components: Mapping[tuple[str, str], Component] = field(default_factory=dict)
    objects: Mapping[str, VaultObject] = field(default_factory=dict)
    picklists: Mapping[str, Picklist] = field(default_factory=dict)
    lifecycles: Mapping[str, Lifecycle] = field(default_factory=dict)
    object_types: Mapping[tuple[str, str], ObjectType] = field(default_factory=dict)
    queues: Mapping[str, Queue] = field(default_factory=dict)

    @classmethod
    def build(cls, components: Iterable[Component] = ()) -> Registry:
        """The registry of these components, in any order; a later one replaces an earlier of the same name.

        :raises ComponentError: if one is invalid, or refers to something that is not there.
        """
        by_key = {component.key: check(component) for component in components}
        return _assemble(
            cls(
                by_key,
                _built(by_key, "Object", build.build_object),
                _built(by_key, "Picklist", build.build_picklist),
                _built(by_key, "Objectlifecycle", build.build_lifecycle),
                {(t.object, t.name): t for t in _built(by_key, "Objecttype", build.build_object_type).values()},
                _built(by_key, "Queue", build.build_queue),
            )
        )

    def with_component(self, component: Component) -> Registry:
        """A registry with this component added, or in place of the one of its type and name.

        :raises ComponentError: if it is invalid, or something then refers to what is not there.
        """
        check(component)
        return _assemble(self._replacing(component.type, component.name, component))

    def without(self, type_name: str, name: str) -> Registry:
        """A registry that lacks this component.

        :raises ComponentError: if it does not exist, or another component refers to it.
        """
        if (type_name, name) not in self.components:
            raise ComponentError(f"{type_name} {name} does not exist.", Code.NOT_FOUND)
        try:
            return _assemble(self._replacing(type_name, name, None))
        except ComponentError as error:
            raise ComponentError(f"{type_name} {name} is in use. {error.message}", Code.IN_USE) from None

    def inbound(self, object_name: str) -> Mapping[str, tuple[str, Field]]:
        """To-many relationships of an object: their name → (child object, the child's reference field)."""
        return self._inbound.get(object_name, _NO_RELATIONSHIPS)

    def object_type_id(self, object_name: str, type_name: str) -> str:
        """The id of an object type, as ``object_type__v`` holds it."""
        return object_type_id(object_name, type_name)

    def object_type(self, type_id: str) -> ObjectType | None:
        """The object type that an id stands for, or None."""
        return self._types_by_id.get(type_id)

    def types_of(self, object_name: str) -> Mapping[str, ObjectType]:
        """The object types of one object, by name."""
        return {t.name: t for t in self.object_types.values() if t.object == object_name}

    @cached_property
    def _inbound(self) -> Mapping[str, Mapping[str, tuple[str, Field]]]:
        return relationships_into(self.objects)

    @cached_property
    def _types_by_id(self) -> Mapping[str, ObjectType]:
        return {object_type_id(t.object, t.name): t for t in self.object_types.values()}

    def _replacing(self, type_name: str, name: str, component: Component | None) -> Registry:
        components = {key: value for key, value in self.components.items() if key != (type_name, name)}
        if component is not None:
            components[component.key] = component

        def put(kind: str, models: Mapping[str, _Model], make: Callable[[Component], _Model]) -> dict[str, _Model]:
            kept = {key: model for key, model in models.items() if kind != type_name or key != name}
            if component is not None and kind == type_name:
                kept[name] = make(component)
            return kept

        types = {f"{t.object}.{t.name}": t for t in self.object_types.values()}
        return Registry(
            components,
            put("Object", self.objects, build.build_object),
            put("Picklist", self.picklists, build.build_picklist),
            put("Objectlifecycle", self.lifecycles, build.build_lifecycle),
            {(t.object, t.name): t for t in put("Objecttype", types, build.build_object_type).values()},
            put("Queue", self.queues, build.build_queue),
        )


def _built(
    components: Mapping[tuple[str, str], Component], type_name: str, make: Callable[[Component], _Model]
) -> dict[str, _Model]:
    return {component.name: make(component) for component in components.values() if component.type == type_name}


def _assemble(registry: Registry) -> Registry:
    """Add what the platform supplies, then check all references."""
    declared = {key: t for key, t in registry.object_types.items() if f"{key[0]}.{key[1]}" in _type_names(registry)}
    implied = {
        (o.name, platform.BASE_TYPE): ObjectType(platform.BASE_TYPE, o.name, f"Base {o.label}")
        for o in registry.objects.values()
        if o.allow_types
    }
    completed = Registry(
        registry.components,
        registry.objects,
        {platform.DEFAULT_STATUS.name: platform.DEFAULT_STATUS, **registry.picklists},
        registry.lifecycles,
        {**implied, **declared},
        registry.queues,
    )
    check_references(completed)
    return completed


def _type_names(registry: Registry) -> set[str]:
    return {name for type_name, name in registry.components if type_name == "Objecttype"}
