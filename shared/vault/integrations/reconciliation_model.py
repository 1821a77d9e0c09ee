"""Defines a reconciliation: its scope, its progress, the reports of connectors, and the sums of its counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.protocol.reconciliation_verdicts import FINDINGS, Verdict
from shared.vault.jobs.job_model import JobStatus

JOB_TYPE = "reconciliation"
WINDOW_MINUTES = 10
"""Changes of the last minutes before a reconciliation count as under way, unless a request says otherwise."""


class Phase(StrEnum):
    """The phases of a reconciliation: compare all records, compare differences again, store the result."""

    COMPARE = "compare"
    LOOK_AGAIN = "look_again"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Scope:
    """The scope of a comparison: a connection (record id), one integration, or one integration point (API names).

    A record that was changed less than ``window_minutes`` before the reconciliation began counts as under way.
    """

    connection: str
    integration: str | None = None
    integration_point: str | None = None
    window_minutes: int = WINDOW_MINUTES

    @classmethod
    def of(cls, parameters: Mapping[str, object]) -> Scope:
        """Return the scope in a job's parameters."""
        return cls(
            str(parameters["connection"]),
            _text(parameters.get("integration")),
            _text(parameters.get("integration_point")),
            int(str(parameters.get("window_minutes", WINDOW_MINUTES))),
        )

    def parameters(self) -> dict[str, object]:
        """Return the scope as parameters of a job."""
        return {
            "connection": self.connection,
            "integration": self.integration,
            "integration_point": self.integration_point,
            "window_minutes": self.window_minutes,
        }

    def includes(self, other: Scope) -> bool:
        """Return whether this scope covers ``other``."""
        if self.window_minutes != other.window_minutes:
            return False
        if self.integration is None and self.integration_point is None:
            return True
        parts = (other.integration, other.integration_point)
        return parts == (self.integration, self.integration_point)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Item:
    """A source record that is not equal to its target; ``details`` are names of target objects and fields."""

    item: str
    verdict: Verdict
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SliceReport:
    """The report of a connector on one slice.

    ``number`` counts the slices from 1. ``position`` is where the next slice begins; ``ended`` is True for the last
    slice. ``equal`` counts the equal records, ``items`` are the other records.
    """

    number: int
    position: str
    ended: bool
    integration_point: str = ""
    object: str = ""
    equal: int = 0
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidates:
    """Source records of one object at one integration point that are to be compared again."""

    integration_point: str
    object: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """One stored reconciliation.

    ``stalled`` is True when no connector has reported for too long. ``counts`` are by integration point and verdict.
    """

    job_id: int
    status: JobStatus
    scope: Scope
    connection: str
    source_vault: int | None
    created_date: datetime
    run_end_date: datetime | None
    source_time: datetime | None
    phase: Phase
    slice: int
    position: str
    error: str | None
    stalled: bool
    counts: Mapping[str, Mapping[Verdict, int]] = field(default_factory=dict)
    fields: Mapping[str, int] = field(default_factory=dict)
    candidates: Candidates | None = None

    @property
    def total(self) -> dict[str, int]:
        """Return the counts of all integration points, with the number of records that the target should have."""
        return totals(self.counts.values())

    @property
    def findings(self) -> int:
        """Return the number of findings so far."""
        return findings(self.total)

    @property
    def by_point(self) -> dict[str, dict[str, int]]:
        """Return the counts of each integration point, as ``total`` does."""
        return {point: totals([counts]) for point, counts in self.counts.items()}


def totals(parts: Iterable[Mapping[Verdict, int]]) -> dict[str, int]:
    """Return the sums of counts by verdict, and ``expected``, the number of records that the target should have.

    ``extra`` and ``not_allowed`` are surplus in the target, and not part of that sum.
    """
    sums = dict.fromkeys(Verdict, 0)
    for part in parts:
        for verdict, number in part.items():
            sums[verdict] += number
    expected = sum(number for verdict, number in sums.items() if verdict.is_expected)
    shown = {verdict.value: number for verdict, number in sums.items()}
    del shown[Verdict.NOT_EXPECTED.value]
    return {"expected": expected, **shown}


def findings(counts: Mapping[str, int]) -> int:
    """Return the number of findings among counts by verdict."""
    return sum(counts.get(verdict.value, 0) for verdict in FINDINGS)
