"""Compares records by their own transfer, whose writes are noted instead of carried out: each gets a verdict."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from services.connector.points.case_contacts import PERSON
from services.connector.points.hcp import ACCOUNT
from services.connector.points.merged_accounts import main_links
from services.connector.points.noted_writes import NotedWrites, Write, WriteEvent
from services.connector.points.points import transfer
from services.connector.points.shared_persons import shared_persons
from services.connector.points.transfer import Outcome, Transfer, UnitLineage
from services.connector.reconciliation.slice_reading import Compared
from services.connector.vaults.configuration import Route
from services.connector.vaults.record_access import RecordAccess
from shared.protocol.reconciliation_verdicts import Verdict
from shared.runtime.waiting import KeyLocks


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on one source record, with the names of the target objects or fields that it is about."""

    verdict: Verdict
    details: tuple[str, ...] = ()


@dataclass(slots=True)
class _Differences:
    """What the noted writes of one source record would change."""

    made: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)

    def judged(self) -> Judged:
        """Return the verdict on a record that is transferred by these writes."""
        if self.made:
            return Judged(Verdict.MISSING, tuple(sorted(self.made)))
        if self.changed:
            return Judged(Verdict.DIFFERENT, tuple(sorted(self.changed)))
        return Judged(Verdict.EQUAL)


async def compare(
    scope: Compared,
    writable: RecordAccess,
    route: Route,
    object_name: str,
    ids: Collection[str],
    linked: Mapping[str, Collection[str]],
) -> dict[str, Judged]:
    """Return the verdict on each of the source records ``ids``; nothing is written to either Vault.

    ``writable`` is the source; ``linked`` are the target objects that have a record of a source record.

    :raises VaultUnavailable: records were changing all the time.
    :raises ConfigurationFault: the configuration does not provide for the records.
    :raises RuleError: a rule cannot be carried out.
    :raises ClientError: one of the calls fails.
    """
    configuration = scope.configuration
    source = NotedWrites(writable, configuration.sources)
    target = NotedWrites(scope.target, configuration.targets)
    # Each record counts as a message of its own: so lineage says which record a row is about.
    lineage = UnitLineage(scope.source.vault_id, route, None, {i: i for i in ids})
    unit = Transfer(
        source=source,
        target=target,
        configuration=configuration,
        route=route,
        object=object_name,
        ids=tuple(ids),
        locks=KeyLocks(),
        anew=True,
        lineage=lineage,
        lineage_back=lineage,
    )
    outcome = await transfer(unit)
    writes = (*source.noted, *target.noted)
    # Documents are written without lineage: their differences are found record by record.
    if len(ids) > 1 and any(_is_nobodys(write) for write in writes):
        judged: dict[str, Judged] = {}
        for item in ids:
            judged |= await compare(
                scope, writable, route, object_name, (item,), linked
            )
        return judged
    merged = await _merged(unit, outcome, linked)
    superseded = await _superseded(scope.target, writes)
    differences = _differences(writes, superseded, ids)
    absent = source.absent | target.absent
    found = {
        item: _judged(item, outcome, differences, absent, linked.get(item, ()))
        for item in ids
    }
    return found | dict.fromkeys(merged, Judged(Verdict.NOT_EXPECTED))


async def _merged(
    unit: Transfer, outcome: Outcome, linked: Mapping[str, Collection[str]]
) -> set[str]:
    """Return the accounts that are gone because they were merged: what is left of them is of the other's contact."""
    own = f"{unit.source.vault_id}_"
    gone = {own + item: item for item in outcome.gone if linked.get(item)}
    if unit.object != ACCOUNT or not gone:
        return set()
    into = await main_links(unit, gone)
    return {item for link, item in gone.items() if link in into}


def _is_nobodys(write: Write) -> bool:
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


def _judged(
    item: str,
    outcome: Outcome,
    differences: Mapping[str, _Differences],
    absent: Collection[str],
    linked: Collection[str],
) -> Judged:
    """Return the verdict on a record by the outcome of its noted transfer."""
    if item in outcome.gone:
        return _too_much(Verdict.EXTRA, linked)
    if item in outcome.excluded:
        return _too_much(Verdict.NOT_ALLOWED, linked)
    if item in outcome.skipped:
        return _too_much(Verdict.EXTRA, linked)
    if item in absent:
        return Judged(Verdict.MISSING)
    failure = outcome.failures.get(item)
    if failure is not None:
        return Judged(Verdict.FAILING, (failure.error_type.value,))
    return differences.get(item, _Differences()).judged()


def _too_much(verdict: Verdict, linked: Collection[str]) -> Judged:
    if not linked:
        return Judged(Verdict.NOT_EXPECTED)
    return Judged(verdict, tuple(sorted(linked)))
