"""Describes what an integration point's own code adds to its rules, or leaves out of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.connector.rules.compiled import CompiledRule
from services.connector.rules.rule import IntegrationRule


def _every_rule(_rule: IntegrationRule) -> bool:
    """Return True: most points evaluate all their rules."""
    return True


@dataclass(frozen=True, slots=True)
class PointShare:
    """The fields, keys and objects that an integration point's own code adds to its rules, or leaves out of them.

    * ``keys``: it finds records by keys of its own; without, each target object needs a field rule for its key.
    * ``fills`` are the fields that it fills itself, ``requires`` those that a field rule has to fill for it.
    * ``writes`` are the objects that it writes, among those in its rules; None for all of them.
    * ``evaluates`` says whether it uses a rule at all.
    * ``only_shows`` says that it writes nothing, so that no required field can be missing.
    """

    keys: bool = False
    fills: frozenset[str] = frozenset()
    requires: tuple[str, ...] = ()
    writes: frozenset[str] | None = None
    evaluates: Callable[[IntegrationRule], bool] = _every_rule
    only_shows: bool = False

    def written(self, rule: IntegrationRule) -> tuple[str, ...]:
        """Return the target objects of a rule that the point writes."""
        writes = self.writes
        return tuple(
            name for name in rule.target_objects if writes is None or name in writes
        )

    def without_key(
        self,
        rule: IntegrationRule,
        compiled: CompiledRule,
    ) -> tuple[str, ...]:
        """Return the target objects for which neither the point nor the rule has a key or a field to search by."""
        if self.keys:
            return ()
        found = {*compiled.keys, *compiled.found_by}
        return tuple(name for name in self.written(rule) if name not in found)
