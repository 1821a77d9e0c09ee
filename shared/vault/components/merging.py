"""Merges three versions of a component: the last delivered, the current, and the next delivered version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from shared.vault.components.component_tree import Component, Scalar

__all__ = ["MergeConflict", "merge"]

T = TypeVar("T")
K = TypeVar("K")
Attributes = Mapping[str, tuple[Scalar, ...]]


class MergeConflict(Exception):
    """Raised when both sides have changed the same part differently; the message names the part."""


def merge(
    delivered: Component | None,
    current: Component | None,
    following: Component,
) -> Component | None:
    """Return ``following`` with the changes that ``current`` has made to ``delivered``.

    Attributes and sub-components are compared one by one, at every depth. None stands for a component that does not
    exist; the result is None for a component that was dropped and that ``following`` does not change.

    :raises MergeConflict: when one attribute or sub-component was changed differently on both sides.
    """
    return _component(
        delivered,
        current,
        following,
        following.full_name,
    )


def _component(
    delivered: Component | None,
    current: Component | None,
    following: Component | None,
    path: str,
) -> Component | None:
    if delivered is None or current is None or following is None:
        return _changed_side(
            delivered,
            current,
            following,
            path,
        )
    # Where one side has no change the other one is taken whole, with the order of its parts.
    if following in (delivered, current) or current == delivered:
        return _changed_side(
            delivered,
            current,
            following,
            path,
        )
    attributes = _attributes(
        delivered.attributes,
        current.attributes,
        following.attributes,
        path,
    )
    children = _children(
        delivered,
        current,
        following,
        path,
    )
    return Component(
        following.type,
        following.name,
        attributes,
        children,
    )


def _changed_side(
    delivered: T,
    current: T,
    following: T,
    path: str,
) -> T:
    if current in (delivered, following):
        return following
    if following == delivered:
        return current
    raise MergeConflict(path)


def _attributes(
    delivered: Attributes,
    current: Attributes,
    following: Attributes,
    path: str,
) -> Attributes:
    # None stands for an attribute that one side does not have.
    merged: dict[str, tuple[Scalar, ...]] = {}
    for name in _keys_of_both(following, current):
        values = _changed_side(
            delivered.get(name),
            current.get(name),
            following.get(name),
            f"{path}: {name}",
        )
        if values is not None:
            merged[name] = values
    return merged


def _children(
    delivered: Component,
    current: Component,
    following: Component,
    path: str,
) -> tuple[Component, ...]:
    before = _by_key(delivered)
    now = _by_key(current)
    then = _by_key(following)
    merged = []
    for key in _keys_of_both(then, now):
        type_name, name = key
        child = _component(
            before.get(key),
            now.get(key),
            then.get(key),
            f"{path}: {type_name} {name}",
        )
        if child is not None:
            merged.append(child)
    return tuple(merged)


def _by_key(component: Component) -> Mapping[tuple[str, str], Component]:
    return {child.key: child for child in component.children}


def _keys_of_both(
    first: Iterable[K],
    second: Iterable[K],
) -> Iterable[K]:
    """Return the keys of both, each once: those of ``first`` in their order, then the others."""
    return dict.fromkeys([*first, *second])
