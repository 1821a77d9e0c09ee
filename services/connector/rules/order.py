"""The order in which a rule's target objects are written, and how rows of one source record refer to each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.connector.rules.object_metadata import ObjectMetadata
from services.connector.rules.rule import RuleError


@dataclass(frozen=True, slots=True)
class Link:
    """``field`` of an object's row takes the id of the row of ``parent`` that the same source record made."""

    field: str
    parent: str


@dataclass(frozen=True, slots=True)
class Step:
    """One object to write, after all the objects that it is linked to."""

    object: str
    links: tuple[Link, ...] = ()


def write_order(rule: str, objects: Iterable[str], ruled: Mapping[str, frozenset[str]],
                metadata: Mapping[str, ObjectMetadata]) -> tuple[Step, ...]:  # fmt: skip
    """Order the target objects of a rule so that a referenced one comes first.

    ``ruled`` are the fields that field rules give a value: those are not linked.
    Raises RuleError when the objects refer to each other in a circle.
    """
    names = tuple(objects)
    steps = {name: Step(name, _links(name, names, ruled, metadata)) for name in names}
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
            raise RuleError(
                rule,
                None,
                f"its target objects refer to each other in a circle: {left}",
            )
        ordered.update({step.object: step for step in ready})
    return tuple(ordered.values())


def _links(
    name: str,
    names: tuple[str, ...],
    ruled: Mapping[str, frozenset[str]],
    metadata: Mapping[str, ObjectMetadata],
) -> tuple[Link, ...]:
    links = []
    for parent in names:
        if parent == name:
            continue
        fields = [
            field.name
            for field in metadata[name].fields.values()
            if field.object == parent
        ]
        # Two references to one object leave open which is meant, so a field rule has to say.
        if len(fields) == 1 and fields[0] not in ruled.get(name, frozenset()):
            links.append(Link(fields[0], parent))
    return tuple(links)
