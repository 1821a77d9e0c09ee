"""Describes one work unit at its integration point: the context of its transfer, and the outcome of each record.

The target Vault stores which accounts have been merged into which, by their Links.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import assert_never

from services.connector.points.evaluation import (
    Evaluation,
    OutdatedRead,
    SourceRows,
    evaluate,
    query_all,
)
from services.connector.rules.compiled import CompiledRule
from services.connector.rules.item_failures import ItemFailure
from services.connector.rules.object_metadata import ObjectMetadata
from services.connector.rules.rows import statements
from services.connector.rules.rule import IntegrationRule
from services.connector.vaults.configuration import Configuration, Route
from services.connector.vaults.record_access import OriginReads, RecordAccess
from shared.client.results import QueryResult, RowResult, text
from shared.protocol.json_values import next_moment, read_moment
from shared.runtime.waiting import KeyLocks
from shared.spark.envelope import format_moment

MERGE = "account_merge__v"
LINK = "link__sys"
MAIN_LINK = "main_link__v"
_MERGES = f"SELECT {LINK}, {MAIN_LINK} FROM {MERGE}"  # noqa: S608  VQL of names


class Result(StrEnum):
    """The results of records in an outcome; a record with a warning is transferred as well."""

    TRANSFERRED = "transferred"
    SKIPPED = "skipped"
    FAILED = "failed"
    WARNED = "warned"


@dataclass(slots=True)
class Outcome:
    """The ids of one work unit by result: done, skipped or failed.

    * ``warnings`` are about ids that are done too, in which some field was left unset.
    * ``missing`` are failed or skipped ids without a source record.
    * ``excluded`` are skipped ids that a data usage agreement does not allow to be pulled.
    * ``withdrawn`` are ids whose target records are flagged as out of use, because the source no longer has them or the
      rules no longer want them.
    * ``existing`` are skipped ids whose target record exists, and which transfers do not change.
    * ``changed`` are ids for which something was stored in the target Vault.
    """

    done: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)
    failures: dict[str, ItemFailure] = field(default_factory=dict)
    warnings: dict[str, ItemFailure] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    excluded: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)
    existing: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)

    def fail(
        self,
        item: str,
        failure: ItemFailure,
    ) -> None:
        """Record the failure of a source record; its first failure stays."""
        # The first failure is the cause; later ones often follow from it.
        self.failures.setdefault(item, failure)
        # An item may have been done by one rule before another one fails it.
        self.done.discard(item)
        self.skipped.discard(item)
        self.warnings.pop(item, None)

    def warn(self, warnings: Mapping[str, ItemFailure]) -> None:
        """Record warnings of source records that have not failed; the first warning of a record stays."""
        for item, warning in warnings.items():
            if item not in self.failures:
                self.warnings.setdefault(item, warning)

    def succeed(self, items: Iterable[str]) -> None:
        """Record source records as transferred, except those that failed."""
        # A caller names all items of a call, also those that have failed before it.
        transferred = (item for item in items if item not in self.failures)
        self.done.update(transferred)

    def note(self, evaluation: Evaluation) -> None:
        """Record the failures and warnings of an evaluation, whose record ids must be those of the unit."""
        for item, failure in evaluation.failures.items():
            self.fail(item, failure)
        self.warn(evaluation.warnings)

    def replace(self, items: Iterable[str], again: Outcome) -> None:
        """Replace the results of some records by those of another attempt at them."""
        for item in items:
            self.failures.pop(item, None)
            self.warnings.pop(item, None)
        self.add(again)

    def add(self, other: Outcome) -> None:
        """Add the results of other records."""
        self.done |= other.done
        self.skipped |= other.skipped
        self.failures |= other.failures
        self.warnings |= other.warnings
        self.missing |= other.missing
        self.excluded |= other.excluded
        self.withdrawn |= other.withdrawn
        self.existing |= other.existing

    def count(self, result: Result) -> int:
        """Return the number of records with this result."""
        match result:
            case Result.TRANSFERRED:
                return len(self.done)
            case Result.SKIPPED:
                return len(self.skipped)
            case Result.FAILED:
                return len(self.failures)
            case Result.WARNED:
                return len(self.warnings)
            case _:
                assert_never(result)

    @property
    def settled(self) -> set[str]:
        """Return the ids that are done or skipped without a warning."""
        return (self.done | self.skipped) - self.warnings.keys()


@dataclass(slots=True)
class SourceStates:
    """The stored source states that refused rows of a unit, by target object and key value.

    The target Vault takes a row whose source was modified later than the stored state says. Any other row may be
    older, of the same moment, or newer with an unchanged date, for example after a change of a related record. So the
    source is read again: data read after the refusal is newer than the stored data, and is sent with a moment just
    after the stored one. If another connector has written meanwhile, the unit is read once more.
    """

    _refusing: dict[tuple[str, str], str] = field(default_factory=dict)

    def moment(
        self,
        object_name: str,
        key: str,
        modified: str,
    ) -> str:
        """Return the source moment to send for a row that has just been read; moments are as the API writes them."""
        stored = self._refusing.get((object_name, key))
        # Moments of one format compare as texts.
        if stored is None or modified > stored:
            return modified
        later = next_moment(read_moment(stored))
        return format_moment(later)

    def check(
        self,
        object_name: str,
        results: Mapping[str, RowResult],
    ) -> None:
        """Record the stored states that refused rows; ``results`` are by key value.

        :raises OutdatedRead: a row was left out because it may come from an older state.
        """
        stored = {
            (object_name, key): result.newer
            for key, result in results.items()
            if result.newer is not None
        }
        if stored:
            # Kept for the next read of this unit, which sends a moment after it.
            self._refusing |= stored
            raise OutdatedRead(f"{len(stored)} {object_name}")


@dataclass(frozen=True, slots=True)
class UnitLineage:
    """The lineage that all rows of a unit share: the source Vault, the route, and the run that found them, if any.

    ``messages`` are message ids by item.
    """

    vault_id: int
    route: Route
    run: int | None
    messages: Mapping[str, str]


def stores_lineage(objects: Iterable[ObjectMetadata]) -> bool:
    """Return whether a Vault stores lineage, by the metadata of its objects."""
    return any(described.stores_lineage for described in objects)


def _unobserved(_evaluation: Evaluation) -> None:
    """Ignore an evaluation: a transfer has no observer, a preview has."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """One work unit at its integration point; ``locks`` keep other units of this process off shared records.

    * ``of_run``: a run has found the ids.
    * ``anew``: records of an earlier transfer that were deleted are to be created again; ``origins`` then has the
      fields that transfers have set.
    * ``states`` are the stored states that have refused the unit's rows so far; they stay when the unit is read again.
    * ``observe`` is called with every evaluation, before references are settled.
    * ``lineage`` is common to the rows written to the target, ``lineage_back`` to those written to the source; None for
      a Vault that stores no lineage.
    * ``changed`` collects the ids for which the target Vault has stored something, also of earlier attempts.
    * ``opened`` has the answer to the point's opening query, if that was sent before.
    """

    source: RecordAccess
    target: RecordAccess
    configuration: Configuration
    route: Route
    object: str
    ids: tuple[str, ...]
    locks: KeyLocks
    of_run: bool = False
    anew: bool = False
    origins: OriginReads | None = None
    states: SourceStates = field(default_factory=SourceStates)
    observe: Callable[[Evaluation], None] = _unobserved
    lineage: UnitLineage | None = None
    lineage_back: UnitLineage | None = None
    changed: set[str] = field(default_factory=set)
    opened: list[QueryResult] = field(default_factory=list)

    async def opening(self, vql: str) -> QueryResult:
        """Return the answer to the point's opening query, which is sent again when a unit is read again.

        :raises ClientError: the call fails.
        """
        return self.opened.pop() if self.opened else await self.target.query(vql)

    def rules(self) -> list[IntegrationRule]:
        """Return the active rules of the integration point that read the unit's object.

        :raises RuleError: one of the point's rules cannot be read.
        :raises ConfigurationFault: the point has no rule.
        """
        rules = self.configuration.rules_of(self.route)
        return [rule for rule in rules if rule.primary_query_object == self.object]

    def part(self, ids: Sequence[str]) -> Transfer:
        """Return the transfer of only these ids, without an observer: it has observed their evaluations already."""
        return replace(self, ids=tuple(ids), observe=_unobserved)

    async def evaluate(
        self,
        rule: CompiledRule,
        found: SourceRows,
    ) -> Evaluation:
        """Run a rule over rows and show the result to the observer; references are still pending.

        :raises ClientError: lookups have to be read for the rows, and a call fails.
        """
        await self.configuration.look_up(rule, found.rows.values())
        evaluation = evaluate(rule, found)
        self.observe(evaluation)
        return evaluation

    def note_missing(
        self,
        outcome: Outcome,
        item: str,
        failure: ItemFailure,
    ) -> None:
        """Record an id without a record as a failure, or in a run as skipped."""
        outcome.missing.add(item)
        # A run has just read the id, so the record was deleted since, and nobody asked for it.
        if self.of_run:
            outcome.skipped.add(item)
        else:
            outcome.fail(item, failure)


async def main_links(
    unit: Transfer,
    links: Iterable[str],
) -> dict[str, str]:
    """Return the Link of the surviving account by the Link of each merged account.

    :raises ClientError: one of the calls fails.
    """
    # A Medical Vault may be configured without merges.
    if MERGE not in unit.configuration.targets:
        return {}
    into: dict[str, str] = {}
    searched: dict[str, None] = {}
    unknown = dict.fromkeys(links)
    # Nearly always once: only an account that has been merged may have been merged further.
    while unknown:
        searched |= unknown
        rows = await query_all(unit.target, statements(_MERGES, LINK, unknown))
        found = {text(row, LINK): text(row, MAIN_LINK) for row in rows}
        into |= found
        mains = dict.fromkeys(found.values())
        unknown = {main: None for main in mains if main not in searched}
    return {link: _end(link, into) for link in into}


def _end(
    link: str,
    into: dict[str, str],
) -> str:
    """Return the last Link of a chain of merges; ``link`` itself for a circle, which only a mistake makes."""
    seen = [link]
    while into.get(seen[-1]):
        following = into[seen[-1]]
        if following in seen:
            return link
        seen.append(following)
    return seen[-1]
