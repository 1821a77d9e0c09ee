"""Decides which rule of a lifecycle assigns a role of a new record or document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RoleRule:
    """The users and groups (ids) that get a role of a lifecycle; ``conditions`` are ids of records by field."""

    lifecycle: str
    role: str
    conditions: Mapping[str, str]
    users: frozenset[int]
    groups: frozenset[int]

    def applies_to(self, values: Mapping[str, object]) -> bool:
        """Return whether fields with these values refer to all the records that the conditions name."""
        return all(
            _refers(values.get(name), wanted)
            for name, wanted in self.conditions.items()
        )


def _refers(value: object, wanted: str) -> bool:
    return wanted in value if isinstance(value, list) else value == wanted


def deciding_rules(
    rules: Iterable[RoleRule], lifecycle: str, values: Mapping[str, object]
) -> list[RoleRule]:
    """Return for each role the deciding rule: of those that apply, the one with most conditions, else the earliest."""
    found: dict[str, RoleRule] = {}
    for rule in rules:
        if rule.lifecycle != lifecycle or not rule.applies_to(values):
            continue
        best = found.get(rule.role)
        if best is None or len(rule.conditions) > len(best.conditions):
            found[rule.role] = rule
    return list(found.values())
