"""Compares records by transferring them over planned writes, which change nothing: each record gets a verdict."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from services.connector.points import general
from services.connector.points.case_contacts import PERSON
from services.connector.points.hcp import ACCOUNT
from services.connector.points.planned_writes import PlannedWrites, Write, WriteEvent
from services.connector.points.points import point_of, transfer
from services.connector.points.shared_persons import shared_persons
from services.connector.points.transfer import (
    Outcome,
    Transfer,
    UnitLineage,
    main_links,
)
from services.connector.reconciliation.planned_readings import (
    Compared,
    PlannedReading,
)
from services.connector.vaults.record_access import RecordAccess
from shared.protocol.reconciliation_verdicts import TRANSFERABLE, Verdict
from shared.runtime.waiting import KeyLocks


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on one source record, with the names of the target objects or fields that it is about."""

    verdict: Verdict
    details: tuple[str, ...] = ()

    @property
    def may_be_transferred(self) -> bool:
        """Return whether a transfer would correct the difference, so that a transfer under way explains it."""
        if self.verdict is Verdict.EXTRA:
            # Fields are named where a transfer flags the record.
            return any("." in name for name in self.details)
        return self.verdict in TRANSFERABLE


@dataclass(slots=True)
class _Differences:
    """The changes that the planned writes of one source record would make."""

    made: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)

    def judged(self) -> Judged:
        """Return the verdict on a record with these differences."""
        if self.made:
            return Judged(Verdict.MISSING, tuple(sorted(self.made)))
        if self.changed:
            return Judged(Verdict.DIFFERENT, tuple(sorted(self.changed)))
        return Judged(Verdict.EQUAL)


async def compare(
    scope: Compared,
    writable: RecordAccess,
    planned: PlannedReading,
    ids: Collection[str],
    linked: Mapping[str, Collection[str]],
) -> dict[str, Judged]:
    """Return the verdict on each of the source records ``ids``; nothing is written to either Vault.

    ``writable`` is the source; ``linked`` has, by source record, the target objects with a record of it.

    :raises VaultUnavailable: records were changing all the time.
    :raises ConfigurationFault: the configuration does not provide for the records.
    :raises RuleError: a rule cannot be carried out.
    :raises ClientError: one of the calls fails.
    """
    configuration, route = scope.configuration, planned.route
    source = PlannedWrites(writable, configuration.sources)
    target = PlannedWrites(scope.target, configuration.targets)
    # Each record counts as a message of its own: so lineage says which record a row is about.
    lineage = UnitLineage(scope.source.vault_id, route, None, {i: i for i in ids})
    unit = Transfer(
        source=source,
        target=target,
        configuration=configuration,
        route=route,
        object=planned.reading.object,
        ids=tuple(ids),
        locks=KeyLocks(),
        anew=True,
        origins=scope.target,
        lineage=lineage,
        lineage_back=lineage,
    )
    outcome = await transfer(unit)
    writes = (*source.writes, *target.writes)
    # Documents are written without lineage: their differences are found record by record.
    if len(ids) > 1 and any(_has_no_source(write) for write in writes):
        judged: dict[str, Judged] = {}
        for item in ids:
            judged |= await compare(scope, writable, planned, (item,), linked)
        return judged
    merged = await _merged(unit, outcome, linked)
    superseded = await _superseded(scope.target, writes)
    differences = _differences(writes, superseded, ids)
    absent = source.absent | target.absent
    judging = _Judging(planned, outcome, differences, absent)
    found = {item: judging.judged(item, linked.get(item, ())) for item in ids}
    return found | dict.fromkeys(merged, Judged(Verdict.NOT_EXPECTED))


async def _merged(
    unit: Transfer, outcome: Outcome, linked: Mapping[str, Collection[str]]
) -> set[str]:
    """Return the accounts that were merged into others: their records now belong to the other account's contact."""
    own = f"{unit.source.vault_id}_"
    gone = {own + item: item for item in outcome.missing if linked.get(item)}
    if unit.object != ACCOUNT or not gone:
        return set()
    into = await main_links(unit, gone)
    return {item for link, item in gone.items() if link in into}


def _has_no_source(write: Write) -> bool:
    return write.item is None and write.event is not WriteEvent.UNCHANGED


async def _superseded(target: RecordAccess, writes: Iterable[Write]) -> frozenset[str]:
    """Return the Case Contacts of several accounts whose last state is that of another account."""
    newer = {
        str(write.id)
        for write in writes
        if write.newer and write.written == PERSON and write.changes
    }
    return await shared_persons(target, sorted(newer))


def _differences(
    writes: Iterable[Write], superseded: frozenset[str], ids: Collection[str]
) -> dict[str, _Differences]:
    """Return what the writes would change, by source record."""
    found: dict[str, _Differences] = {}
    only = next(iter(ids))
    for write in writes:
        item = write.item or only
        of_item = found.setdefault(item, _Differences())
        of_item.written.add(write.written)
        match write.event:
            case WriteEvent.CREATED:
                of_item.made.add(write.written)
            case WriteEvent.UPDATED:
                if write.newer and write.id in superseded:
                    continue
                names = (name.partition(".")[0] for name in write.changes)
                of_item.changed.update(f"{write.written}.{name}" for name in names)
            case WriteEvent.UNCHANGED:
                pass
            case _:
                assert_never(write.event)
    return found


@dataclass(frozen=True, slots=True)
class _Judging:
    """Judges the records of a slice by their planned transfer; ``absent`` are records whose target record is gone."""

    planned: PlannedReading
    outcome: Outcome
    differences: Mapping[str, _Differences]
    absent: Collection[str]

    def judged(self, item: str, linked: Collection[str]) -> Judged:
        """Return the verdict on a source record; ``linked`` are the target objects with a record of it."""
        surplus = self._surplus(item, linked)
        if surplus is not None:
            return surplus
        if item in self.absent:
            return Judged(Verdict.MISSING)
        failure = self.outcome.failures.get(item)
        if failure is not None:
            return Judged(Verdict.FAILING, (failure.error_type.value,))
        differences = self.differences.get(item, _Differences())
        left = self._surplus_objects(differences, linked)
        if left and not (differences.made or differences.changed):
            return Judged(Verdict.EXTRA, left)
        return differences.judged()

    def _surplus(self, item: str, linked: Collection[str]) -> Judged | None:
        """Return the verdict on a record that should not be in the target; None for one that may be."""
        outcome = self.outcome
        if item in outcome.withdrawn:
            # A transfer flags what is left of it, and has done so where nothing would change.
            changed = self.differences.get(item, _Differences()).changed
            return _extra(sorted(changed))
        if item in outcome.missing:
            return _extra(linked)
        if item in outcome.excluded:
            return _extra(linked, Verdict.NOT_ALLOWED)
        if item in outcome.existing:
            verdict = Verdict.EQUAL if linked else Verdict.NOT_EXPECTED
            return Judged(verdict)
        if item in outcome.skipped:
            # What one point leaves out another one may make.
            return _extra(set(linked) - self.planned.shared)
        return None

    def _surplus_objects(
        self, differences: _Differences, linked: Collection[str]
    ) -> tuple[str, ...]:
        """Return the target objects with a surplus record: only their own rule filters out the source record."""
        # Other points find records by more than their Links, and write one for several source records.
        if point_of(self.planned.route).transfer is not general.transfer:
            return ()
        left = set(linked) - differences.written - self.planned.shared
        return tuple(sorted(left))


def _extra(names: Collection[str], verdict: Verdict = Verdict.EXTRA) -> Judged:
    """Return the verdict on surplus target objects; the record is equal when there are none."""
    if not names:
        return Judged(Verdict.NOT_EXPECTED)
    return Judged(verdict, tuple(sorted(names)))
