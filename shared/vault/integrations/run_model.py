"""What a run of an integration is made of, and how its counts add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault
from shared.vault.jobs.job_model import JobStatus

JOB_TYPE = "integration_run"
RUN_EVENT = "run"  # the attribute ``event`` of the message that a run begins with


@dataclass(frozen=True, slots=True)
class Counts:
    """Source records of a run: ``read = skipped + written + failed``; those ``mapped`` were written, or failed then.

    ``written`` are also those whose values were stored already; ``skipped`` are left out by a rule or an agreement.
    """

    read: int = 0
    mapped: int = 0
    skipped: int = 0
    written: int = 0
    failed: int = 0

    def __add__(self, other: Counts) -> Counts:
        """The counts of both together."""
        return Counts(
            *(getattr(self, f.name) + getattr(other, f.name) for f in fields(self))
        )

    def check(self) -> None:
        """Refuse counts that do not add up; raises VaultFault INVALID_DATA."""
        whole = self.read == self.skipped + self.written + self.failed
        if (
            min(self.skipped, self.failed) < 0
            or not whole
            or not 0 <= self.written <= self.mapped <= self.most_mapped
        ):
            message = "Counts must add up: read = skipped + written + failed; written <= mapped <= written + failed"
            raise VaultFault(ErrorType.INVALID_DATA, message)

    @property
    def most_mapped(self) -> int:
        """How many can have been given their target values."""
        return self.written + self.failed

    def as_json(self) -> dict[str, int]:
        """By name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True, slots=True)
class Batch:
    """What one batch came to, numbered from 1 within its run."""

    number: int
    integration_point: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class Paging:
    """How far the reading of a stage has come: batches of the run so far, and where the next one begins."""

    stage: int
    batches: int
    position: str
    ended: bool = False
    more_stages: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One run as it is stored; times are None until the run has got there."""

    job_id: int
    status: JobStatus
    created_by: int
    created_date: datetime
    run_start_date: datetime | None
    run_end_date: datetime | None
    found_time: datetime | None
    changed_since: datetime | None
    source_time: datetime | None
    stage: int
    position: str
    batches: int
    reported: int
    paged: bool
    more_stages: bool
    error: str | None
    stalled: bool
    by_point: Mapping[str, Counts]

    @property
    def counts(self) -> Counts:
        """All points together."""
        return sum(self.by_point.values(), Counts())

    @property
    def stage_done(self) -> bool:
        """Whether all of this stage was read, and every batch has been reported."""
        return self.paged and self.reported >= self.batches
