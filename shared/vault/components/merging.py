"""Merges three versions of a component: what was delivered, what it is now, and what is delivered next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from shared.vault.components.component_tree import Component, Scalar

__all__ = ["MergeConflict", "merge"]

T = TypeVar("T")


class MergeConflict(Exception):
    """Both sides have changed the same thing, each in its own way; the message names it."""


def merge(
    given: Component | None, current: Component | None, following: Component
) -> Component | None:
    """``following``, with what has been changed in ``current`` since it was ``given``.

    Attributes and sub-components are compared one by one, at every depth. None stands for a component that is not
    there; the result is None for one that was dropped and has not changed in ``following``.

    :raises MergeConflict: one attribute or sub-component was changed on both sides.
    """
    return _component(given, current, following, following.full_name)


def _component(
    given: Component | None,
    current: Component | None,
    following: Component | None,
    path: str,
) -> Component | None:
    if (
        given is None
        or current is None
        or following is None
        or following in (given, current)
        or current == given
    ):
        return _changed_side(given, current, following, path)
    return Component(
        following.type,
        following.name,
        _attributes(given.attributes, current.attributes, following.attributes, path),
        _children(given, current, following, path),
    )


def _changed_side(given: T, current: T, following: T, path: str) -> T:
    if current in (given, following):
        return following
    if following == given:
        return current
    raise MergeConflict(path)


Attributes = Mapping[str, tuple[Scalar, ...]]


def _attributes(
    given: Attributes, current: Attributes, following: Attributes, path: str
) -> Attributes:
    chosen = {
        name: _changed_side(
            given.get(name), current.get(name), following.get(name), f"{path}: {name}"
        )
        for name in _all(following, current)
    }
    return {name: values for name, values in chosen.items() if values is not None}


def _children(
    given: Component, current: Component, following: Component, path: str
) -> tuple[Component, ...]:
    before, now, then = (
        {child.key: child for child in side.children}
        for side in (given, current, following)
    )
    merged = (
        _component(
            before.get(key), now.get(key), then.get(key), f"{path}: {key[0]} {key[1]}"
        )
        for key in _all(then, now)
    )
    return tuple(child for child in merged if child is not None)


K = TypeVar("K")


def _all(first: Iterable[K], second: Iterable[K]) -> Iterable[K]:
    """The keys of both, in the order of the first."""
    return dict.fromkeys([*first, *second])
