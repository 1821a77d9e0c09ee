"""Orders components so that they can be created one by one, each after what it refers to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace
from heapq import heapify, heappop, heappush

from shared.vault.components.component_tree import Component
from shared.vault.components.uses import dependencies_of

__all__ = ["in_order"]

Key = tuple[str, str]


def in_order(
    components: Iterable[Component], present: Collection[Key] = ()
) -> list[Component]:
    """The components, each after those of them that it refers to, and otherwise as given.

    Where some refer to each other in a circle, one that is not ``present`` yet comes twice: first without what refers
    to those still to come, later whole.
    """
    return _Ordering(components, present).run()


class _Ordering:
    def __init__(
        self, components: Iterable[Component], present: Collection[Key]
    ) -> None:
        self._pending = {component.key: component for component in components}
        self._position = {key: position for position, key in enumerate(self._pending)}
        self._present = set(present)
        self._ordered: list[Component] = []
        self._waits: dict[Key, set[Key]] = {}
        self._waiting_for: dict[Key, set[Key]] = defaultdict(set)
        for key, component in self._pending.items():
            self._waits[key] = {
                d.key for d in dependencies_of(component) if d.key in self._pending
            }
            for needed in self._waits[key]:
                self._waiting_for[needed].add(key)
        self._ready = [
            (self._position[key], key)
            for key, needed in self._waits.items()
            if not needed
        ]
        heapify(self._ready)

    def run(self) -> list[Component]:
        while self._pending:
            if self._ready:
                self._emit(heappop(self._ready)[1])
            else:
                self._break_circle()
        return self._ordered

    def _emit(self, key: Key) -> None:
        component = self._pending.pop(key, None)
        if component is not None:
            self._ordered.append(component)
            self._release(key)

    def _release(self, key: Key) -> None:
        """Make ready what waited for this component alone."""
        for waiting in self._waiting_for.pop(key, ()):
            self._waits[waiting].discard(key)
            if not self._waits[waiting] and waiting in self._pending:
                heappush(self._ready, (self._position[waiting], waiting))

    def _break_circle(self) -> None:
        """Go on with a component that needs only what is there in some form, else with the beginning of a new one."""
        for key in self._pending:
            if self._waits[key] <= self._present:
                self._emit(key)
                return
        for key, component in self._pending.items():
            begun = _without(component, self._waits[key] - self._present)
            if key not in self._present and begun != component:
                self._ordered.append(begun)
                self._present.add(key)
                self._release(key)
                return
        self._emit(next(iter(self._pending)))


def _without(component: Component, missing: Collection[Key]) -> Component:
    """Return the component without the attributes and sub-components that refer to what is missing."""
    children = tuple(
        child for child in component.children if not _refers(child, missing)
    )
    attributes = {
        name: values
        for name, values in component.attributes.items()
        if not _refers(
            replace(component, attributes={name: values}, children=()), missing
        )
    }
    if len(children) < len(component.children):
        for name in ("lifecycle", "available_lifecycles"):
            attributes.pop(name, None)  # its prompts may name a field left out
    return replace(component, attributes=attributes, children=children)


def _refers(component: Component, missing: Collection[Key]) -> bool:
    return any(dependency.key in missing for dependency in dependencies_of(component))
