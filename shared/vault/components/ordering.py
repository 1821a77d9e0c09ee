"""Orders components so that they can be created one by one, each after the components to which it refers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace
from heapq import heappop, heappush

from shared.vault.components.component_kinds import ComponentKind, PartKind
from shared.vault.components.component_tree import Component
from shared.vault.components.uses import dependencies_of

__all__ = ["in_order"]

Key = tuple[str, str]


def in_order(
    components: Iterable[Component],
    present: Collection[Key] = (),
) -> list[Component]:
    """Return the components, each after those of them to which it refers, and otherwise in their present order.

    If components refer to each other in a circle, one that is not ``present`` yet is returned twice: first without its
    references to later components, then complete.
    """
    return _Ordering(components, present).run()


class _Ordering:
    """Returns components from a queue, each as soon as all components to which it refers have been returned."""

    def __init__(
        self,
        components: Iterable[Component],
        present: Collection[Key],
    ) -> None:
        self._pending = {component.key: component for component in components}
        self._position = {key: position for position, key in enumerate(self._pending)}
        self._present = set(present)
        self._ordered: list[Component] = []
        self._waits: dict[Key, set[Key]] = {}
        self._waiting_for: dict[Key, set[Key]] = defaultdict(set)
        # A heap by position, so that components keep their order where references leave a choice.
        self._ready: list[tuple[int, Key]] = []
        for key, component in self._pending.items():
            self._enter(key, component)

    def run(self) -> list[Component]:
        """Return the components in order."""
        while self._pending:
            if self._ready:
                _, key = heappop(self._ready)
                self._emit(key)
            else:
                self._break_circle()
        return self._ordered

    def _enter(self, key: Key, component: Component) -> None:
        needed = {dependency.key for dependency in dependencies_of(component)}
        # Packages do not count them as dependencies, but an object must be there before something is permitted on it.
        needed |= {
            (ComponentKind.OBJECT, permission.name)
            for permission in component.children_of(PartKind.OBJECT_PERMISSION)
        }
        # References to what is not being ordered are there already, or never will be.
        waits = needed & self._pending.keys()
        self._waits[key] = waits
        for other in waits:
            self._waiting_for[other].add(key)
        if not waits:
            heappush(self._ready, (self._position[key], key))

    def _emit(self, key: Key) -> None:
        component = self._pending.pop(key, None)
        if component is not None:
            self._ordered.append(component)
            self._release(key)

    def _release(self, key: Key) -> None:
        """Move the components that waited only for this one to the ready ones."""
        for waiting in self._waiting_for.pop(key, ()):
            waits = self._waits[waiting]
            waits.discard(key)
            if not waits and waiting in self._pending:
                heappush(self._ready, (self._position[waiting], waiting))

    def _break_circle(self) -> None:
        """Emit a component of a circle: one that needs only present ones, or as much of a new one as is possible."""
        # What only waits behind a circle may need what the circle's components are yet to get.
        for key in self._pending:
            if self._waits[key] <= self._present and self._is_circular(key):
                self._emit(key)
                return
        for key, component in self._pending.items():
            if key in self._present or not self._is_circular(key):
                continue
            begun = _without(component, self._waits[key] - self._present)
            if begun != component:
                self._ordered.append(begun)
                self._present.add(key)
                self._release(key)
                return
        # Nothing can be left out: the Vault will say what is missing.
        first = next(iter(self._pending))
        self._emit(first)

    def _is_circular(self, key: Key) -> bool:
        """Return whether a component refers to another that refers back to it, directly or through others."""
        reached: set[Key] = set()
        following = list(self._waits[key])
        while following:
            other = following.pop()
            if other not in reached:
                reached.add(other)
                following += self._waits.get(other, ())
        return key in reached


def _without(
    component: Component,
    missing: Collection[Key],
) -> Component:
    """Return the component without the attributes and sub-components that refer to missing components."""
    children = [child for child in component.children if not _refers(child, missing)]
    attributes = {}
    for name, values in component.attributes.items():
        alone = replace(component, attributes={name: values}, children=())
        if not _refers(alone, missing):
            attributes[name] = values
    if len(children) < len(component.children):
        # A lifecycle's prompts may name a field that is left out.
        for name in ("lifecycle", "available_lifecycles"):
            attributes.pop(name, None)
    return replace(component, attributes=attributes, children=tuple(children))


def _refers(
    component: Component,
    missing: Collection[Key],
) -> bool:
    return any(dependency.key in missing for dependency in dependencies_of(component))
