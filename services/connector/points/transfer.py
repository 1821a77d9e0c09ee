"""What a point is given: both Vaults, the configuration, and the ids to transfer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.connector.points.evaluation import (
    Evaluation,
    OutdatedRead,
    SourceRows,
    evaluate,
)
from services.connector.rules.compiled import CompiledRule
from services.connector.rules.item_failures import (
    ItemFailure,
)
from services.connector.rules.object_metadata import ObjectMetadata
from services.connector.vaults.configuration import Configuration, Route
from services.connector.vaults.record_access import RecordAccess
from shared.client.results import RowResult
from shared.runtime.concurrency import KeyLocks
from shared.spark.envelope import format_moment


@dataclass(slots=True)
class Outcome:
    """The ids of one work unit by what became of them; an id stands in one place only.

    ``warnings`` are about ids that are done: what was left unset in them.
    """

    done: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)
    failures: dict[str, ItemFailure] = field(default_factory=dict)
    warnings: dict[str, ItemFailure] = field(default_factory=dict)

    def fail(self, item: str, failure: ItemFailure) -> None:
        """Note a record's failure; the first one stays."""
        self.failures.setdefault(item, failure)
        self.done.discard(item)
        self.skipped.discard(item)
        self.warnings.pop(item, None)

    def warn(self, warnings: Mapping[str, ItemFailure]) -> None:
        """Note what was left unset in records that have not failed; the first warning of a record stays."""
        for item, warning in warnings.items():
            if item not in self.failures:
                self.warnings.setdefault(item, warning)

    def succeed(self, items: Iterable[str]) -> None:
        """Note records as transferred, except those that failed."""
        self.done.update(item for item in items if item not in self.failures)

    @property
    def settled(self) -> set[str]:
        """The ids that nothing is wrong with any more."""
        return (self.done | self.skipped) - self.warnings.keys()


@dataclass(frozen=True, slots=True)
class UnitLineage:
    """What all rows of a unit have in common: ``vault_id`` is where they come from, ``run`` a job, if one found them.

    ``messages`` are message ids by item.
    """

    vault_id: int
    route: Route
    run: int | None
    messages: Mapping[str, str]


def keeps_lineage(objects: Iterable[ObjectMetadata]) -> bool:
    """Whether the Vault that has described these objects says where their lineage is read."""
    return any(described.keeps_lineage for described in objects)


STEP = timedelta(milliseconds=1)  # the API's resolution


@dataclass(slots=True)
class SourceStates:
    """The stored states that a unit's rows have met, by target object and key value."""

    _met: dict[tuple[str, str], str] = field(default_factory=dict)

    def moment(self, object_name: str, key: str, modified: str) -> str:
        """The moment to send for a row that has just been read; moments are as the API writes them."""
        met = self._met.get((object_name, key))
        if met is None or modified > met:
            return modified
        return format_moment(datetime.fromisoformat(met) + STEP)

    def check(self, object_name: str, results: Mapping[str, RowResult]) -> None:
        """Note what rows have met, by key value; raises OutdatedRead when any was left out."""
        met = {
            (object_name, key): result.newer
            for key, result in results.items()
            if result.newer is not None
        }
        if met:
            self._met |= met
            raise OutdatedRead(f"{len(met)} {object_name}")


def _unobserved(_evaluation: Evaluation) -> None:
    """Nobody looks on."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """One work unit at its integration point; ``locks`` keep other units of this process off shared records.

    ``of_run`` says that a run has found the ids. ``states`` is what the unit's rows have met in the target Vault so
    far: it is kept when the unit is read again. ``observe`` is told of every evaluation, before references are settled.
    ``lineage`` is what the rows of the target have in common, ``lineage_back`` what those of the source have, for
    Vaults that keep it.
    """

    source: RecordAccess
    target: RecordAccess
    configuration: Configuration
    route: Route
    object: str
    ids: tuple[str, ...]
    locks: KeyLocks
    of_run: bool = False
    states: SourceStates = field(default_factory=SourceStates)
    observe: Callable[[Evaluation], None] = _unobserved
    lineage: UnitLineage | None = None
    lineage_back: UnitLineage | None = None

    def note_missing(self, outcome: Outcome, item: str, failure: ItemFailure) -> None:
        """Note an id that leads to no record: a failure, unless a run has just found it and it was deleted since."""
        if self.of_run:
            outcome.skipped.add(item)
        else:
            outcome.fail(item, failure)

    def evaluate(self, rule: CompiledRule, found: SourceRows) -> Evaluation:
        """Run a rule over the rows found, and show ``observe`` what they came to; references are still pending."""
        evaluation = evaluate(rule, found)
        self.observe(evaluation)
        return evaluation
