"""Orders the MDL of a difference: referenced components are created first, and dropped last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from medcrm.configuration import Configuration
from medcrm.difference import Difference, Kind, is_same
from shared.vault.components.component_tree import Component
from shared.vault.components.mdl_writing import render
from shared.vault.components.ordering import in_order

Key = tuple[str, str]

# Components that others refer to come first; this order holds where nothing in the text of the others says so.
TYPE_ORDER = (
    "Picklist",
    "Objectlifecycle",
    "Object",
    "Objecttype",
    "Queue",
    "Integrationrule",
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One MDL statement to send; ``title`` is its name at the console, ``removes`` says that it removes something."""

    title: str
    text: str
    removes: bool = False


def statements(
    difference: Difference,
    wanted: Configuration,
    present: Configuration,
) -> list[Statement]:
    """Return the MDL of a difference: first additions and changes, then removals, each in order.

    A component that loses a part to which another still refers is in both: at first it keeps the part.
    """
    texts = [
        wanted.components[component.name]
        for component in difference.components
        if component.kind is not Kind.REMOVED
    ]
    unions = _unions(difference, wanted, present)
    trees = [
        unions.get(text.tree.key, text.tree) for text in texts if text.tree is not None
    ]
    former = _trees(present)
    # What only loses parts is left as it is until they may go.
    added = [
        tree
        for tree in trees
        if tree.key not in unions or not is_same(tree, former[tree.key])
    ]
    added.sort(key=_rank)
    recreated = [_recreate(tree) for tree in in_order(added, former)]
    # Without an order of its own a text of an unknown type comes last: it may refer to all that is known.
    unknown = [
        Statement(f"RECREATE {text.name}", text.text)
        for text in texts
        if text.tree is None
    ]
    return [*recreated, *unknown, *_removals(difference, wanted, present, unions)]


def _unions(
    difference: Difference,
    wanted: Configuration,
    present: Configuration,
) -> dict[Key, Component]:
    """Return versions of components that keep, for now, the lost parts to which others still refer."""
    names = [each.name for each in difference.components if each.kind is not Kind.ADDED]
    found: dict[Key, Component] = {}
    for name in names:
        new = wanted.components[name].tree if name in wanted.components else None
        old = present.components[name].tree
        if new is None or old is None:
            continue
        lost = set(_lost_parts(new, old))
        others = [present.components[other].text for other in names if other != name]
        if any(part in text for part in lost for text in others):
            found[new.key] = _union(new, old)
    return found


def _lost_parts(new: Component, old: Component) -> Iterator[str]:
    """Yield the names of the sub-components, at any depth, that only the old version of a component has."""
    kept = {child.key: child for child in new.children}
    for child in old.children:
        if child.key in kept:
            yield from _lost_parts(kept[child.key], child)
        else:
            yield child.name


def _union(new: Component, old: Component) -> Component:
    """Return the new version of a component with all sub-components that only the old one has."""
    former = {child.key: child for child in old.children}
    children = [
        _union(child, former.pop(child.key)) if child.key in former else child
        for child in new.children
    ]
    return replace(new, children=(*children, *former.values()))


def _removals(
    difference: Difference,
    wanted: Configuration,
    present: Configuration,
    unions: Mapping[Key, Component],
) -> Iterator[Statement]:
    """Yield the removals, in the reverse of the order in which the components could be created."""
    removed = [
        present.components[component.name]
        for component in difference.components
        if component.kind is Kind.REMOVED
    ]
    for text in removed:
        if text.tree is None:
            yield _drop(text.name)
    surplus = [text.tree for text in removed if text.tree is not None]
    surplus.extend(unions.values())
    surplus.sort(key=_rank)
    versions = _trees(wanted)
    undone: list[Statement] = []
    # In a circle a component is added twice, first without a part; so that part goes first, and the rest later.
    for tree in in_order(surplus, tuple(versions)):
        before = versions.get(tree.key)
        undone.append(_drop(tree.full_name) if before is None else _reduce(before))
        versions[tree.key] = tree
    yield from reversed(undone)


def _trees(configuration: Configuration) -> dict[Key, Component]:
    """Return the components whose language is known here."""
    trees: Iterable[Component | None] = (
        component.tree for component in configuration.components.values()
    )
    return {tree.key: tree for tree in trees if tree is not None}


def _recreate(tree: Component) -> Statement:
    return Statement(f"RECREATE {tree.full_name}", render(tree))


def _reduce(tree: Component) -> Statement:
    return replace(_recreate(tree), removes=True)


def _drop(name: str) -> Statement:
    type_and_name = name.replace(".", " ", 1)
    return Statement(f"DROP {name}", f"DROP {type_and_name};", removes=True)


def _rank(tree: Component) -> tuple[int, str, str]:
    """Return the sort key of components that do not refer to each other: by type, then by name."""
    is_known = tree.type in TYPE_ORDER
    rank = TYPE_ORDER.index(tree.type) if is_known else len(TYPE_ORDER)
    return rank, tree.type, tree.name
