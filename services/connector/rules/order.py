"""Orders a rule's target objects for writing, and links the rows of one source record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.connector.rules.object_metadata import ObjectMetadata
from services.connector.rules.rule import RuleError


@dataclass(frozen=True, slots=True)
class Link:
    """A field that is set to the id of the ``parent`` row of the same source record."""

    field: str
    parent: str


@dataclass(frozen=True, slots=True)
class Step:
    """One object to write, after all objects that its rows are linked to."""

    object: str
    links: tuple[Link, ...] = ()


def write_order(
    rule: str,
    objects: Iterable[str],
    ruled: Mapping[str, frozenset[str]],
    metadata: Mapping[str, ObjectMetadata],
) -> tuple[Step, ...]:
    """Order the target objects of a rule so that a referenced one comes first.

    ``ruled`` are the fields, by object, that field rules fill: these are not linked.

    :raises RuleError: the objects refer to each other in a circle.
    """
    names = tuple(objects)
    steps: dict[str, Step] = {}
    for name in names:
        links = _links(name, names, ruled, metadata)
        steps[name] = Step(name, links)
    ordered: dict[str, Step] = {}
    while len(ordered) < len(steps):
        ready = [
            step
            for step in steps.values()
            if step.object not in ordered
            and all(link.parent in ordered for link in step.links)
        ]
        if not ready:
            left = ", ".join(name for name in names if name not in ordered)
            text = f"its target objects refer to each other in a circle: {left}"
            raise RuleError(rule, None, text)
        ordered.update({step.object: step for step in ready})
    return tuple(ordered.values())


def _links(
    name: str,
    names: tuple[str, ...],
    ruled: Mapping[str, frozenset[str]],
    metadata: Mapping[str, ObjectMetadata],
) -> tuple[Link, ...]:
    filled = ruled.get(name, frozenset())
    fields = metadata[name].fields.values()
    links = []
    for parent in names:
        # A reference to the object itself, such as a predecessor, is no row of the same source record.
        if parent == name:
            continue
        references = [field.name for field in fields if field.object == parent]
        # Two references to one object leave open which is meant, so a field rule has to say.
        if len(references) == 1 and references[0] not in filled:
            links.append(Link(references[0], parent))
    return tuple(links)
