"""What a point is given: both Vaults, the configuration, and the ids to transfer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from services.connector.points.evaluated import Evaluation
from services.connector.points.outcome import ItemFailure, Outcome
from services.connector.points.states import SourceStates
from services.connector.points.unit_lineage import UnitLineage
from services.connector.vaults.configuration import Configuration, Route
from services.connector.vaults.record_access import RecordAccess
from shared.runtime.concurrency import KeyLocks


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


Point = Callable[[Transfer], Awaitable[Outcome]]
"""Transfers a unit; raises ClientError, ConfigurationFault or RuleError when none of it can be judged.

Raises OutdatedRead when it is to be called again."""
